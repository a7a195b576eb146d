#pragma once

#include <chrono>
#include <cstdint>

namespace koi {

/// The one clock of koi: nanoseconds since the process started, counted by the TSC. Workers and
/// control read the same one (app/tsc_clock.h); the election and the tests take it as an argument.
/// It never steps: changes of the wall clock do not reach it.
struct MonotonicClock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<MonotonicClock>;
  static constexpr bool is_steady = true;
};

using Duration = std::chrono::nanoseconds;
using Instant = MonotonicClock::time_point;

/// For people and for JSON.
constexpr double seconds(Duration d) { return std::chrono::duration<double>(d).count(); }

using std::chrono_literals::operator""ns;
using std::chrono_literals::operator""us;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

/// Where a loop gets its time from. The election gets no clock, only an Instant.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Instant now() = 0;
};

}  // namespace koi
