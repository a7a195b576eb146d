#pragma once

#include <cstdint>

#include <rte_cycles.h>

#include "common/time.h"

namespace koi::dataplane {

/// The TSC as koi's clock: nanoseconds since the clock was made. Copied by value into every thread,
/// so that all count from the same start. REQUIRES: invariant TSC, the same on all cores.
class TscClock final : public Clock {
 public:
  /// REQUIRES: EAL is up (it measures the TSC's rate).
  TscClock()
      : start_(rte_rdtsc()),
        nanoseconds_per_tick_(static_cast<std::uint64_t>(
            (static_cast<unsigned __int128>(1'000'000'000) << 32) / rte_get_tsc_hz())) {}

  Instant now() override { return read(); }

  Instant read() const {
    const std::uint64_t ticks = rte_rdtsc() - start_;
    return Instant(Duration(static_cast<std::int64_t>(
        (static_cast<unsigned __int128>(ticks) * nanoseconds_per_tick_) >> 32)));
  }

 private:
  std::uint64_t start_;
  std::uint64_t nanoseconds_per_tick_;  // times 2^32
};

}  // namespace koi::dataplane
