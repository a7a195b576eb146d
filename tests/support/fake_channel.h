#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <variant>
#include <vector>

#include "common/contract/channel.h"

namespace koi::test {

/// A ring in memory with both its ends. Not for threads.
template <class T>
class FakeChannel final : public Sender<T>, public Receiver<T> {
 public:
  explicit FakeChannel(std::size_t size = 4096) : capacity(size) {}

  bool try_send(const T& message) override {
    if (on_send) on_send(message);
    if (messages.size() >= capacity) return false;
    messages.push_back(message);
    return true;
  }

  bool try_receive(T& message) override {
    if (on_receive) on_receive();
    if (messages.empty()) return false;
    message = messages.front();
    messages.pop_front();
    return true;
  }

  std::size_t waiting() const override { return counts ? messages.size() : 0; }

  /// Takes everything out.
  std::vector<T> take_all() {
    std::vector<T> all(messages.begin(), messages.end());
    messages.clear();
    return all;
  }

  /// Takes everything out and keeps what is an A.
  template <class A>
  std::vector<A> take() {
    std::vector<A> kept;
    for (const T& message : messages) {
      if (const A* a = std::get_if<A>(&message)) kept.push_back(*a);
    }
    messages.clear();
    return kept;
  }

  std::size_t capacity;
  bool counts = false;  // waiting() tells
  std::deque<T> messages;
  std::function<void(const T&)> on_send;  // before the ring is looked at
  std::function<void()> on_receive;
};

}  // namespace koi::test
