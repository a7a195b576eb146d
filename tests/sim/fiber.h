#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <ucontext.h>

namespace koi::sim {

/// A piece of work that can stop anywhere inside itself and go on later: how a thread is paused
/// between any two steps of koi's own code. No threads: one stack runs at a time.
class Fiber {
 public:
  explicit Fiber(std::function<void()> work);
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// Runs the work until it suspends or ends. Returns true iff it has ended.
  bool resume();
  /// Called by the work itself: back to whoever called resume().
  void suspend();

 private:
  static constexpr std::size_t kStack = 256 * 1024;
  static void begin(unsigned high, unsigned low);

  std::function<void()> work_;
  std::unique_ptr<std::byte[]> stack_;
  ucontext_t inside_{};
  ucontext_t outside_{};
  bool ended_ = false;
};

}  // namespace koi::sim
