#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>

#include "tests/sim/fiber.h"
#include "tests/sim/moment.h"

namespace koi::sim {

/// A thread of a box is to stop: at the first place after `from` where it may, or a few later.
struct Pause {
  Moment from{};
  unsigned skip = 0;  // pause points passed after `from` before it takes hold
  Duration length{};
};

/// A thread of a box: takes one step after the other, each at a moment of its grid, unless it is
/// paused in the middle of one.
class Actor {
 public:
  Actor(const Moment& now, std::function<void()> step) : now_(now), step_(std::move(step)) {}
  Actor(const Actor&) = delete;
  Actor& operator=(const Actor&) = delete;

  /// Begins a step, or goes on with the one that it was paused in.
  void run();

  /// Between any two things that the other threads of the box, or the network, can tell apart.
  void pause_point() {
    if (armed_) consider_pause();
  }
  void pause(const Pause& pause);

  bool paused() const { return fiber_ != nullptr; }
  /// REQUIRES: paused(). When it goes on.
  Moment resumes() const { return resumes_; }
  /// It never goes on in this life: the process was killed. What its stack holds is let go: the
  /// rest of the step runs, and the caller sees to it that nobody notices.
  void abandon();

  Grid grid;
  std::uint64_t done = 0;   // steps so far; the next one has this number, or a later one
  Moment next = kNoMoment;  // of the next step that may do something

 private:
  void consider_pause();
  void go();

  const Moment& now_;
  std::function<void()> step_;
  std::deque<Pause> pauses_;  // by `from`
  std::unique_ptr<Fiber> fiber_;
  Moment resumes_{};
  bool armed_ = false;
};

}  // namespace koi::sim
