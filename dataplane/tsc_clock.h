#pragma once

#include <cstdint>
#include <time.h>
#include <utility>

#include <rte_cycles.h>

#include "common/time.h"

namespace koi::dataplane {

/// The TSC as koi's clock: nanoseconds since the clock was made. Copied by value into every thread,
/// so that all count from the same start. REQUIRES: invariant TSC, the same on all cores.
class TscClock final : public Clock {
 public:
  /// Measures the TSC's rate against the kernel's raw clock for 50 ms: DPDK rounds it to 10 MHz,
  /// and all of koi's timers would be off by as much. The clock begins at the end of it.
  TscClock() {
    timespec wait{.tv_sec = 0, .tv_nsec = 50'000'000};
    const auto [raw_before, ticks_before] = both();
    nanosleep(&wait, nullptr);
    const auto [raw_after, ticks_after] = both();
    nanoseconds_per_tick_ =
        static_cast<std::uint64_t>((static_cast<unsigned __int128>(raw_after - raw_before) << 32) /
                                   (ticks_after - ticks_before));
    start_ = rte_rdtsc();
  }

  Instant now() override { return read(); }

  Instant read() const {
    const std::uint64_t ticks = rte_rdtsc() - start_;
    return Instant(Duration(static_cast<std::int64_t>(
        (static_cast<unsigned __int128>(ticks) * nanoseconds_per_tick_) >> 32)));
  }

 private:
  /// The raw clock in nanoseconds, and the TSC as it was read.
  static std::pair<std::uint64_t, std::uint64_t> both() {
    timespec raw{};
    clock_gettime(CLOCK_MONOTONIC_RAW, &raw);
    return {static_cast<std::uint64_t>(raw.tv_sec) * 1'000'000'000ULL +
                static_cast<std::uint64_t>(raw.tv_nsec),
            rte_rdtsc()};
  }

  std::uint64_t start_ = 0;
  std::uint64_t nanoseconds_per_tick_ = 0;  // times 2^32
};

}  // namespace koi::dataplane
