#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "common/strong_types.h"

namespace koi::dataplane {

/// Which member of a balanced group answers whom, of those who asked lately: hosts on a LAN are few
/// and ask again, and a keyed hash costs as much as the rest of the answer.
///
/// One per worker; its thread only. Its room is fixed, and a newcomer takes another one's: who asks
/// from ever new MACs pays the hash, and so does everybody then.
class AskerMemory {
 public:
  /// The member's slot that learn() was told for this asker, or none. Valid until learn() or
  /// forget(). balancer: its number in the topology. mac (its low 48 bits), ip: as they lie in
  /// memory; nobody has MAC 0.
  const SlotIndex* find(std::uint16_t balancer, std::uint64_t mac, std::uint32_t ip) const {
    const std::uint64_t who = mac << 16 | balancer;
    const Known& known = known_[place(who)];
    return known.who == who && known.ip == ip ? &known.slot : nullptr;
  }
  void learn(std::uint16_t balancer, std::uint64_t mac, std::uint32_t ip, SlotIndex slot) {
    const std::uint64_t who = mac << 16 | balancer;
    known_[place(who)] = {.who = who, .ip = ip, .slot = slot};
  }

  /// With another view, whose balancers may be others.
  void forget() { known_.fill({}); }

 private:
  static constexpr unsigned kShift = 64 - 9;
  /// Fibonacci hashing: hosts whose MACs differ in the last bytes alone get a place each.
  static std::size_t place(std::uint64_t who) { return (who * 0x9e37'79b9'7f4a'7c15) >> kShift; }

  struct Known {
    std::uint64_t who = 0;
    std::uint32_t ip = 0;
    SlotIndex slot;
  };
  std::array<Known, std::size_t{1} << (64 - kShift)> known_{};
};

}  // namespace koi::dataplane
