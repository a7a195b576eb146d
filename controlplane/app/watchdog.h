#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "common/contract/slot_board.h"
#include "common/time.h"

namespace koi::app {

/// Tells the service manager that koid is alive, or withholds it, so that koid is killed and
/// started again (WatchdogSec of koid.service). A hang costs this box its roles long before that: a
/// demotion, the end of its leases. Service thread, whose own hang withholds it as well.
class Watchdog {
 public:
  /// A worker, or control, that has not turned for so long is taken to hang for good.
  static constexpr Duration kHung = 10s;
  /// If none of the workers has: then nobody answers here.
  static constexpr Duration kAllHung = 1s;

  /// time: WatchdogSec; zero: there is none, and nothing is ever told.
  Watchdog(std::size_t workers, Duration time, Instant started, std::function<void()> tell_alive)
      : workers_(workers),
        every_(time / 3),
        started_(started),
        tell_alive_(std::move(tell_alive)) {}

  /// To be called often. control_turn: when control's last turn began; 0: none has. Returns what
  /// hangs, for the log, when it begins to withhold; else nothing.
  std::string update(Instant now, const SlotBoard& board, Instant control_turn);

 private:
  std::string hanging(Instant now, const SlotBoard& board, Instant control_turn) const;

  const std::size_t workers_;
  const Duration every_;
  const Instant started_;
  const std::function<void()> tell_alive_;
  Instant told_{};  // koi's clock begins with the process: the first is due soon
  bool withheld_ = false;
};

}  // namespace koi::app
