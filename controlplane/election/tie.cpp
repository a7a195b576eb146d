#include "controlplane/election/tie.h"

#include <algorithm>

namespace koi::election {

Instant promotion_due(const State& state) {
  if (state.role != Role::backup) return kNever;
  Instant earliest = kNever;
  for (std::size_t t = 0; t < kTimers; ++t) {
    if (may_promote(static_cast<Timer>(t))) earliest = std::min(earliest, state.timers[t]);
  }
  return earliest;
}

namespace {

/// Due, and only because it may take over from a worse master that is well.
bool only_preempts(const State& state, Instant now) {
  if (state.timer(Timer::preempt) > now) return false;
  for (std::size_t t = 0; t < kTimers; ++t) {
    const auto timer = static_cast<Timer>(t);
    if (timer != Timer::preempt && may_promote(timer) && state.timers[t] <= now) return false;
  }
  return true;
}

}  // namespace

std::size_t release_promotions(std::span<const State* const> tied, Instant now,
                               std::span<bool> released) {
  Instant first = kNever;
  bool all_due = true;
  for (const State* state : tied) {
    const Instant due = promotion_due(*state);
    first = std::min(first, due);
    all_due = all_due && (state->role != Role::backup || due <= now);
  }
  const bool unheard = std::any_of(tied.begin(), tied.end(), [&](const State* state) {
    return state->role == Role::backup && !state->master_known && promotion_due(*state) > now;
  });
  const bool waited = first <= now && now - first >= kTieWait;
  std::size_t count = 0;
  for (std::size_t i = 0; i < tied.size(); ++i) {
    const bool hold = unheard && only_preempts(*tied[i], now);
    released[i] = (all_due || waited) && promotion_due(*tied[i]) <= now && !hold;
    count += released[i] ? 1 : 0;
  }
  return count;
}

std::size_t follow_step_down(std::span<const State* const> tied, std::span<bool> down) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < tied.size(); ++i) {
    down[i] = tied[i]->role == Role::master;
    count += down[i] ? 1 : 0;
  }
  return count;
}

}  // namespace koi::election
