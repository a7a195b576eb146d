#pragma once

#include <cstdint>

#include "common/time.h"

/// The intervals of CARP: protocol.md §6.
namespace koi::election {

/// advskew counts in 1/256 s.
constexpr Duration skew(unsigned advskew) { return Duration(advskew * 1'000'000'000LL / 256); }

/// Between two advertisements: advbase s + advskew/256 s, at least 1/256 s.
constexpr Duration send_interval(unsigned advbase, unsigned advskew) {
  if (advbase == 0 && advskew == 0) return skew(1);
  return std::chrono::seconds(advbase) + skew(advskew);
}

/// How long a BACKUP waits after the last advertisement: dead-ratio · advbase s + advskew/256 s, or
/// with advbase 0 three times its own skew, at least 3/256 s.
constexpr Duration master_down_interval(unsigned advbase, unsigned advskew, unsigned dead_ratio) {
  if (advbase == 0) return 3 * skew(advskew == 0 ? 1 : advskew);
  return dead_ratio * std::chrono::seconds(advbase) + skew(advskew);
}

/// How long a box waits whose promotion earned no lease, after so many of these in a row (C7.11).
constexpr Duration retry_after(unsigned unearned) {
  return Duration(1ms) * (1 << (unearned < 20 ? unearned : 20));
}

/// CARP.md, Deaf box: how long a BACKUP that hears nothing at all waits for an answer.
constexpr Duration probe_time(unsigned advbase, unsigned advskew) {
  const Duration interval = send_interval(advbase, advskew);
  return interval < Duration(100ms) ? interval : Duration(100ms);
}

/// L5: how long a transmitted advertisement lets the workers answer; shorter than any other box of
/// the group waits before it takes over. Guard: 5 %, at least 1 ms; 10 % under 50 ms.
/// advbase: the smallest of the group. lowest_advskew: of any box in the group, for advbase 0.
constexpr Duration lease_length(unsigned advbase, unsigned lowest_advskew, unsigned dead_ratio) {
  const Duration shortest =
      master_down_interval(advbase, advbase == 0 ? lowest_advskew : 0, dead_ratio);
  const Duration guard = shortest / (shortest < 50ms ? 10 : 20);
  return shortest - (guard < Duration(1ms) ? Duration(1ms) : guard);
}

/// design.md, dialect koi: how long a BACKUP waits on a bow-out or a raised demotion, so that the
/// best of several rises first.
constexpr Duration takeover_delay(unsigned advskew) { return advskew * Duration(5us); }

}  // namespace koi::election
