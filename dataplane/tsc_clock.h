#pragma once

#include <cstdint>
#include <time.h>

#include <rte_cycles.h>

#include "common/time.h"

namespace koi::dataplane {

/// The TSC as koi's clock: nanoseconds since the clock was made. Copied by value into every thread,
/// so that all count from the same start. REQUIRES: invariant TSC, the same on all cores.
class TscClock final : public Clock {
 public:
  /// A moment from which the TSC's rate can be measured.
  struct Mark {
    std::uint64_t raw;  // the kernel's raw clock, nanoseconds
    std::uint64_t ticks;
  };
  static Mark mark() {
    timespec raw{};
    clock_gettime(CLOCK_MONOTONIC_RAW, &raw);
    return {static_cast<std::uint64_t>(raw.tv_sec) * 1'000'000'000ULL +
                static_cast<std::uint64_t>(raw.tv_nsec),
            rte_rdtsc()};
  }

  /// Measures the TSC's rate against the kernel's raw clock, since then and for 50 ms at least:
  /// DPDK rounds it to 10 MHz, and all of koi's timers would be off by as much. The clock begins at
  /// the end of it.
  explicit TscClock(const Mark& before = mark()) {
    constexpr std::uint64_t kLeast = 50'000'000;  // ns
    Mark now = mark();
    while (now.raw - before.raw < kLeast) {
      const timespec wait{.tv_sec = 0,
                          .tv_nsec = static_cast<long>(kLeast - (now.raw - before.raw))};
      nanosleep(&wait, nullptr);
      now = mark();
    }
    nanoseconds_per_tick_ = static_cast<std::uint64_t>(
        (static_cast<unsigned __int128>(now.raw - before.raw) << 32) / (now.ticks - before.ticks));
    start_ = rte_rdtsc();
  }

  Instant now() override { return read(); }

  Instant read() const {
    const std::uint64_t ticks = rte_rdtsc() - start_;
    return Instant(Duration(static_cast<std::int64_t>(
        (static_cast<unsigned __int128>(ticks) * nanoseconds_per_tick_) >> 32)));
  }

 private:
  std::uint64_t start_ = 0;
  std::uint64_t nanoseconds_per_tick_ = 0;  // times 2^32
};

}  // namespace koi::dataplane
