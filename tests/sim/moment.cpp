#include "tests/sim/moment.h"

#include "tests/sim/random.h"

namespace koi::sim {

Moment Grid::at(std::uint64_t round) const {
  const std::uint64_t drawn = mix(seed_ ^ round) >> 48;
  const auto late = static_cast<std::int64_t>(drawn) * jitter_.count() >> 16;
  return start_ + period_ * static_cast<std::int64_t>(round) + Duration(late);
}

std::uint64_t Grid::first_from(Moment moment) const {
  const std::int64_t passed = (moment - start_ - jitter_).count();
  auto round = passed <= 0 ? 0 : static_cast<std::uint64_t>(passed / period_.count());
  while (at(round) < moment) ++round;
  return round;
}

}  // namespace koi::sim
