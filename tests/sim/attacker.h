#pragma once

#include <cstdint>
#include <vector>

#include "tests/sim/random.h"
#include "tests/sim/world.h"

namespace koi::sim {

/// Somebody on the LAN without the key, who records the advertisements of koi boxes and sends them
/// again, as they were or changed where the HMAC does not reach (testcases T10 to T12), and forges
/// others. Between koi boxes nothing of it may change anything: the oracle does not know of it.
///
/// What CARP.md names as a residual risk it leaves alone: a replay to a box that has not heard the
/// sender since it started.
class Attacker {
 public:
  Attacker(World& world, std::uint64_t seed);

  void overhear(std::size_t box, const Packet& packet);
  /// Sends a few now, and again some time later, until `end`.
  void go_on(Moment end, Duration each);

 private:
  struct Record {
    std::size_t box;
    Packet packet;
  };
  void attack();
  void replay(std::size_t victim, const Record& record);
  void forge(std::size_t victim, const Record& record);
  void change_what_is_not_signed(Packet& packet);
  void change_source(Packet& packet);
  void send(std::size_t victim, Packet packet);

  static constexpr std::size_t kKept = 64;
  static constexpr Node kPlace = 1000;  // no other node has such a number

  World& world_;
  Random random_;
  std::vector<Record> kept_;  // from the first ones to the last ones
};

}  // namespace koi::sim
