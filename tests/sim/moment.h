#pragma once

#include <chrono>
#include <cstdint>

#include "common/time.h"
#include "tests/sim/random.h"

/// Time in the simulator: the world's, and each box's own.
namespace koi::sim {

/// The world's time, which nobody in it can read. koi's Instant is what a box reads.
struct WorldClock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<WorldClock, duration>;
  static constexpr bool is_steady = true;
};
using Moment = WorldClock::time_point;
inline constexpr Moment kNoMoment = Moment::max();

/// The TSC of a process: counts from its start, a little too fast or too slow.
class LocalTime {
 public:
  LocalTime() = default;
  /// ppm: how many microseconds too many it counts in a second; negative: too few.
  LocalTime(Moment start, std::int64_t ppm) : start_(start), ppm_(ppm) {}

  Instant at(Moment moment) const {
    const std::int64_t passed = (moment - start_).count();
    return Instant(Duration(passed + passed * ppm_ / 1'000'000));  // right for 200 days
  }
  /// The first moment at which that much or more is read.
  Moment when(Instant local) const {
    if (local.time_since_epoch() > kLongest) return kNoMoment;
    const std::int64_t read = local.time_since_epoch().count();
    const double rate = 1.0 + static_cast<double>(ppm_) * 1e-6;
    Moment moment = start_ + Duration(static_cast<std::int64_t>(static_cast<double>(read) / rate));
    while (at(moment) >= local) moment -= Duration(1);
    while (at(moment) < local) moment += Duration(1);
    return moment;
  }

 private:
  static constexpr Duration kLongest = std::chrono::hours(24 * 365 * 10);
  Moment start_{};
  std::int64_t ppm_ = 0;
};

/// The moments at which a loop goes round: nearly regular, and known without walking there.
class Grid {
 public:
  Grid() = default;
  Grid(Moment start, Duration period, Duration jitter, std::uint64_t seed)
      : start_(start),
        period_(period),
        jitter_(jitter),
        seed_(seed),
        rate_(1.0 / static_cast<double>(period.count())) {}

  Moment at(std::uint64_t round) const {
    const std::uint64_t drawn = mix(seed_ ^ round) >> 48;
    const auto late = static_cast<std::int64_t>(drawn) * jitter_.count() >> 16;
    return start_ + period_ * static_cast<std::int64_t>(round) + Duration(late);
  }
  /// The first round at or after that moment.
  std::uint64_t first_from(Moment moment) const;

 private:
  Moment start_{};
  Duration period_{1};
  Duration jitter_{};
  std::uint64_t seed_ = 0;
  double rate_ = 1;  // rounds a nanosecond
};

}  // namespace koi::sim
