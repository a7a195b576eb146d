#include "tests/sim/moment.h"

namespace koi::sim {

std::uint64_t Grid::first_from(Moment moment) const {
  const std::int64_t passed = (moment - start_ - jitter_).count();
  // A multiplication in place of a division; it may be one too high.
  auto round = passed <= 0 ? 0 : static_cast<std::uint64_t>(static_cast<double>(passed) * rate_);
  if (static_cast<std::int64_t>(round) * period_.count() > passed && round != 0) --round;
  while (at(round) < moment) ++round;
  return round;
}

}  // namespace koi::sim
