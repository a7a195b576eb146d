#include "tests/sim/moment.h"

namespace koi::sim {

std::uint64_t Grid::first_from(Moment moment) const {
  const std::int64_t passed = (moment - start_ - jitter_).count();
  auto round = passed <= 0 ? 0 : static_cast<std::uint64_t>(passed / period_.count());
  while (at(round) < moment) ++round;
  return round;
}

}  // namespace koi::sim
