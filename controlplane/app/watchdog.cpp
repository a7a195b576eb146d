#include "controlplane/app/watchdog.h"

#include <algorithm>

#include <fmt/format.h>

namespace koi::app {

std::string Watchdog::update(Instant now, const SlotBoard& board, Instant control_turn) {
  if (every_ == Duration::zero() || now - told_ < every_) return {};
  std::string what = hanging(now, board, control_turn);
  const bool begins = !what.empty() && !withheld_;
  withheld_ = !what.empty();
  if (withheld_) return begins ? what : std::string();
  told_ = now;
  tell_alive_();
  return {};
}

std::string Watchdog::hanging(Instant now, const SlotBoard& board, Instant control_turn) const {
  const auto age = [&](Instant turned) { return now - std::max(turned, started_); };
  Duration least = Duration::max();
  for (std::size_t w = 0; w < workers_; ++w) {
    const Duration of_worker = age(board.polled(WorkerIndex(static_cast<std::uint8_t>(w))));
    if (of_worker > kHung) return fmt::format("worker {} hangs", w);
    least = std::min(least, of_worker);
  }
  if (least != Duration::max() && least > kAllHung) return "all workers hang";
  return age(control_turn) > kHung ? "control hangs" : std::string();
}

}  // namespace koi::app
