#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "common/net/ip_address.h"
#include "common/time.h"

/// The trailer's sequence (protocol.md §14): 32 bits of UTC seconds, 16 of their binary fraction, a
/// counter of 16: one number that grows with every advertisement of a sender.
namespace koi::auth {

/// How far the boxes' clocks may be apart where nothing is known of a sender.
inline constexpr Duration kTrailerClocks = 30s;

/// The sequence of a moment, its counter 0. utc: since 1970; before it is 1970.
constexpr std::uint64_t trailer_sequence(Duration utc) {
  constexpr std::uint64_t kSecond = 1'000'000'000;
  const auto ns = utc < Duration::zero() ? 0 : static_cast<std::uint64_t>(utc.count());
  return (ns / kSecond) << 32 | ((ns % kSecond) << 16) / kSecond << 16;
}

/// The highest sequence verified of each sender of one slot; a sender is a source address. By
/// value, allocates nothing, not shared.
class SequenceGuard {
 public:
  enum class Result : std::uint8_t {
    fresh,  // above all that was verified of this sender, or nothing was and it is young
    old,    // not above
    stale   // nothing is known of this sender, and it is older than `oldest`
  };

  /// oldest: what a sequence must reach whose sender is not known.
  Result check(const IpAddress& source, std::uint64_t sequence, std::uint64_t oldest) const;

  /// After every other check. A lower sequence than the one remembered changes nothing.
  void remember(const IpAddress& source, std::uint64_t sequence);

 private:
  /// Seven other boxes with an address in either family, and room. One more takes the place of the
  /// one with the lowest sequence.
  static constexpr std::size_t kSenders = 16;
  struct Sender {
    IpAddress source{};
    std::uint64_t highest = 0;  // 0: free
  };
  std::array<Sender, kSenders> senders_{};
};

/// The sequences that this box sends: follows UTC, but always above the last one and, while it can,
/// not above the ceiling that is reserved in the state file: so that nothing is sent twice,
/// whatever the clock does and whenever the box is started. By value, not shared.
class SequenceSource {
 public:
  /// first: above every earlier one. ceiling: reserved up to here.
  SequenceSource(std::uint64_t first, std::uint64_t ceiling)
      : last_(first - 1), ceiling_(ceiling) {}

  std::uint64_t next(Duration utc) {
    // Out of reserve (the disk hangs) it counts up by one: still above all before, only late. Above
    // the ceiling at last, for being refused by the others would be worse.
    const std::uint64_t wanted = std::min(trailer_sequence(utc), ceiling_);
    last_ = std::max(last_ + 1, wanted);
    return last_;
  }

  void reserve(std::uint64_t ceiling) { ceiling_ = std::max(ceiling_, ceiling); }

 private:
  std::uint64_t last_;
  std::uint64_t ceiling_;
};

}  // namespace koi::auth
