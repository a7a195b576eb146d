#pragma once

#include <algorithm>
#include <cstdint>

#include "common/time.h"

namespace koi::dataplane {

/// How many frames a worker takes from a queue, and how many of control's messages, before it looks
/// at everything else again. Most drivers take a frame in some nanoseconds, af_packet into a bridge
/// in 8 to 16 µs: 64 answers and as many frames of control's would be a gap (L8). No clock, no
/// DPDK.
class TurnLimit {
 public:
  static constexpr std::uint16_t kMost = 64;
  static constexpr std::uint16_t kFirst = 16;  // after a turn without work
  static constexpr std::uint16_t kLeast = 8;
  /// Twice as many after a short turn make no long one, and that is less than half of the 1 ms
  /// which L1 and L8 allow two polls.
  static constexpr Duration kLong = 400us;
  static constexpr Duration kShort = 200us;

  /// A turn begins. busy: the last one had work.
  void begin_turn(Instant now, bool busy) {
    const Duration took = now - began_;
    began_ = now;
    if (!busy) {
      most_ = kFirst;
    } else if (took > kLong) {
      most_ = std::max<std::uint16_t>(most_ / 2, kLeast);
    } else if (took < kShort) {
      most_ = std::min<std::uint16_t>(most_ * 2, kMost);
    }
  }
  std::uint16_t most() const { return most_; }

 private:
  Instant began_{};
  std::uint16_t most_ = kFirst;
};

}  // namespace koi::dataplane
