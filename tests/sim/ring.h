#pragma once

#include <cstddef>
#include <vector>

#include "common/contract/channel.h"
#include "tests/sim/actor.h"

namespace koi::sim {

/// A ring between two threads of a box. Either may be paused before it touches its end.
template <class T>
class Ring final : public Sender<T>, public Receiver<T> {
 public:
  Ring(Actor* sender, Actor* receiver, std::size_t size)
      : capacity(size), sender_(sender), receiver_(receiver) {}

  bool try_send(const T& message) override {
    if (sender_ != nullptr) sender_->pause_point();
    if (size() >= capacity) return false;
    messages_.push_back(message);
    return true;
  }

  bool try_receive(T& message) override {
    if (!has_some()) return false;
    message = take();
    return true;
  }

  /// The two halves of try_receive(), for a receiver that has no message ready to write to.
  bool has_some() {
    if (receiver_ != nullptr) receiver_->pause_point();
    return size() != 0;
  }
  T take() {
    T message = messages_[first_++];
    if (size() == 0) {
      messages_.clear();
      first_ = 0;
    }
    return message;
  }

  std::size_t size() const { return messages_.size() - first_; }

  std::size_t capacity;  // a fault may make it 0: full

 private:
  Actor* sender_;  // not owned, as the other
  Actor* receiver_;
  std::vector<T> messages_;
  std::size_t first_ = 0;
};

}  // namespace koi::sim
