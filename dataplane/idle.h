#pragma once

#include <cstdint>

#include "common/time.h"

namespace koi::dataplane {

/// Receive interrupts of all of one worker's queues, its hosts' included, and control's call
/// (rx_interrupts.h; a fake in the tests). Worker.
class Interrupts {
 public:
  /// From now on a frame that comes, or control, ends a wait(). What came before may not: look once
  /// more before the first one. Returns false when the driver refuses.
  virtual bool arm() = 0;
  virtual void disarm() = 0;
  /// REQUIRES: armed. Returns true iff something came, at once if it came since arm(); false after
  /// the time at most.
  virtual bool wait(Duration longest) = 0;

 protected:
  ~Interrupts() = default;
};

/// What a worker does between two turns. `poll` never sleeps. `adaptive` takes naps when there is
/// nothing to do, and under load now and then; after 10 ms of quiet it waits for an interrupt
/// instead, if all of its queues have them. No clock, no DPDK.
class Idle {
 public:
  enum class Kind : std::uint8_t { poll, naps, interrupts };
  enum class Step : std::uint8_t {
    again,   // the next turn, at once
    pause,   // likewise, but let the core breathe
    nap,     // sleep for kNap, then rested()
    arm,     // Interrupts::arm(), then another turn at once; refused: no_interrupts()
    wait,    // Interrupts::wait(kLongestWait); it returned true: called(), else rested()
    disarm,  // Interrupts::disarm(), then the next turn
  };

  static constexpr unsigned kBusyTurns = 32;  // empty ones before the first nap
  static constexpr Duration kNap = 50us;
  /// idle: adaptive runs the worker at real-time priority, for an ordinary thread wakes up to a
  /// scheduler tick late beside others, and that is a gap (L8). So that it never holds its core for
  /// itself, as idle: poll does, it sleeps after this long even under load.
  static constexpr Duration kLongestRun = 500us;
  static constexpr Duration kQuiet = 10ms;
  /// L1, L8: two polls are 1 ms apart at most. The rest is for a late wake-up; and the timers that
  /// L9 holds up wait no longer than this.
  static constexpr Duration kLongestWait = 500us;

  explicit Idle(Kind kind) : kind_(kind) {}

  /// After a turn. busy: it had work. now: of its beginning.
  Step next(bool busy, Instant now) {
    if (busy) {
      empty_turns_ = 0;
      quiet_since_ = now;
    } else {
      ++empty_turns_;
    }
    if (kind_ == Kind::poll) return busy ? Step::again : Step::pause;
    if (armed_) {
      if (!busy) return Step::wait;
      armed_ = false;
      return Step::disarm;
    }
    if (empty_turns_ < kBusyTurns && now - rested_ < kLongestRun) {
      return busy ? Step::again : Step::pause;
    }
    if (kind_ != Kind::interrupts || busy || now - quiet_since_ < kQuiet) return Step::nap;
    armed_ = true;
    return Step::arm;
  }

  /// The sleep is over.
  void rested(Instant now) { rested_ = now; }

  /// Something came, and more may follow: polls and naps for a while. net_tap's frame may not be
  /// there yet, for it waits for a signal besides. Disarm.
  void called(Instant now) {
    rested_ = quiet_since_ = now;
    empty_turns_ = 0;
    armed_ = false;
  }

  void no_interrupts() {
    kind_ = Kind::naps;
    armed_ = false;
  }

  bool sleeps() const { return kind_ != Kind::poll; }

 private:
  Kind kind_;
  bool armed_ = false;
  unsigned empty_turns_ = 0;
  Instant quiet_since_{};
  Instant rested_{};  // end of the last sleep
};

}  // namespace koi::dataplane
