#include "common/auth/replay.h"

#include <algorithm>

namespace koi::auth {

namespace {

constexpr std::uint64_t kNext = 1U << kNodeIdBits;  // from one counter of a sender to its next

}  // namespace

ReplayGuard::Result ReplayGuard::check(std::uint64_t counter, Family family, NodeId own,
                                       std::uint64_t own_highest) {
  const NodeId sender = node_of(counter);
  if (sender == own) return counter > own_highest ? Result::node_id : Result::own;
  for (std::size_t i = 0; i < kSenders; ++i) {
    std::uint64_t& highest = highest_[i];
    Last& last = last_[i];
    if (highest == 0 || node_of(highest) != sender) continue;
    if (counter > highest) {
      last = {family, counter - highest == kNext};
      highest = counter;
      return Result::fresh;
    }
    if (highest - counter != kNext || last.follows || family == last.family) {
      return Result::replayed;
    }
    last.follows = true;
    return Result::fresh;
  }
  const auto place = std::min_element(highest_.begin(), highest_.end());
  *place = counter;
  last_[static_cast<std::size_t>(place - highest_.begin())] = {family, false};
  return Result::fresh;
}

}  // namespace koi::auth
