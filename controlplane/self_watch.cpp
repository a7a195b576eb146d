#include "controlplane/self_watch.h"

#include <algorithm>

namespace koi::controlplane {
namespace {

/// A pause of control of this length may have been the whole machine's, the workers' as well.
constexpr Duration kPause = 1ms;

}  // namespace

void SelfWatch::turn(Instant now, const std::array<Instant, kMaxWorkers>& polled) {
  const Duration gap = last_turn_ ? now - *last_turn_ : Duration::zero();
  last_turn_ = now;
  if (gap > kPause) awake_since_ = now;
  judge_control(now, gap > std::max(kLate, stall_after_));
  for (std::size_t w = 0; w < workers_; ++w) judge_worker(w, now, polled[w]);
}

Instant SelfWatch::next_end() const {
  constexpr Duration kLater(1);  // the quiet must have been longer
  Instant first = late_ ? last_late_ + kQuiet + kLater : Instant::max();
  for (std::size_t w = 0; w < workers_; ++w) {
    if (stalled_[w]) first = std::min(first, last_stall_[w] + kWorkerQuiet + kLater);
  }
  return first;
}

void SelfWatch::judge_control(Instant now, bool late_turn) {
  if (now - last_late_ > kQuiet) {
    late_turns_ = 0;
    late_ = false;
  }
  if (!late_turn) return;
  last_late_ = now;
  late_ = ++late_turns_ >= kLateTurns;
}

void SelfWatch::judge_worker(std::size_t w, Instant now, Instant polled) {
  if (polled == Instant{}) return;  // it has not started yet
  if (now - std::max(polled, awake_since_) > stall_after_) {
    stalled_[w] = true;
    last_stall_[w] = now;
  } else if (now - last_stall_[w] > kWorkerQuiet) {
    stalled_[w] = false;
  }
}

}  // namespace koi::controlplane
