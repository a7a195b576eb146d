#pragma once

#include <cstdint>

namespace koi::agent {

/// Rise and fall: so many results in a row turn a check over, so that one lost packet does not move
/// an address. Pure.
class CheckState {
 public:
  /// Begins with what koid thinks of the check: an agent that starts anew must neither clear a
  /// failure nor make one by starting. REQUIRES: rise, fall >= 1 (0 counts as 1).
  CheckState(bool healthy, std::uint8_t rise, std::uint8_t fall)
      : healthy_(healthy), rise_(rise), fall_(fall) {}

  /// Takes the result of one run. Returns true iff the check turned over.
  bool add(bool success);

  bool healthy() const { return healthy_; }
  /// Results in a row that speak against healthy().
  unsigned against() const { return against_; }

 private:
  bool healthy_;
  std::uint8_t rise_;
  std::uint8_t fall_;
  unsigned against_ = 0;
};

}  // namespace koi::agent
