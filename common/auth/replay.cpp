#include "common/auth/replay.h"

#include <algorithm>

namespace koi::auth {

ReplayGuard::Result ReplayGuard::check(std::uint64_t counter, NodeId own,
                                       std::uint64_t own_highest) {
  const NodeId sender = node_of(counter);
  if (sender == own) return counter > own_highest ? Result::node_id : Result::own;
  for (std::uint64_t& highest : highest_) {
    if (highest == 0 || node_of(highest) != sender) continue;
    if (counter <= highest) return Result::replayed;
    highest = counter;
    return Result::fresh;
  }
  *std::min_element(highest_.begin(), highest_.end()) = counter;
  return Result::fresh;
}

}  // namespace koi::auth
