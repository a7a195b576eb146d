#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "common/strong_types.h"

/// The counter between koi boxes (design.md, dialect koi): 52 bits that only grow, then 12 bits of
/// the sender's node-id. So a counter tells its sender, and an older one is a replay, but for the
/// other half of a pair: the advertisements of one tick, one in each family, have consecutive
/// sequences and may overtake each other (C6.3).
namespace koi::auth {

inline constexpr unsigned kNodeIdBits = 12;

/// The counter of a node: sequence in the upper 52 bits, node-id in the lower 12.
constexpr std::uint64_t make_counter(std::uint64_t sequence, NodeId node) {
  return (sequence << kNodeIdBits) | node.value();
}
constexpr NodeId node_of(std::uint64_t counter) {
  return NodeId(static_cast<std::uint16_t>(counter & ((1U << kNodeIdBits) - 1)));
}

/// The highest counter seen of each sender of one slot. By value, allocates nothing, not shared.
class ReplayGuard {
 public:
  enum class Result : std::uint8_t {
    fresh,    // above everything heard of this sender, or the other half of its last; remembered
    own,      // in our own range: our advertisement came back
    node_id,  // in our own range, but above all we ever sent: another box has our node-id
    replayed  // not above the sender's last
  };

  /// own_highest: the highest counter this node has ever sent.
  Result check(std::uint64_t counter, Family family, NodeId own, std::uint64_t own_highest);

 private:
  /// A group has a handful of boxes. When more senders than this are heard, the one that was
  /// silent the longest (lowest counter) is forgotten.
  static constexpr std::size_t kSenders = 8;
  std::array<std::uint64_t, kSenders> highest_{};  // 0: free
  struct Last {
    Family family = Family::ipv4;  // of the highest
    bool follows = false;          // the one just before it was heard as well
  };
  std::array<Last, kSenders> last_{};
};

}  // namespace koi::auth
