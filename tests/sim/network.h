#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <vector>

#include "common/net/mac_address.h"
#include "common/strong_types.h"
#include "tests/sim/moment.h"
#include "tests/sim/random.h"

namespace koi::sim {

/// Whoever is attached to a switch: boxes first, then clients.
using Node = std::size_t;

/// One frame on its way.
struct Packet {
  static constexpr std::size_t kMaxBytes = 160;
  Moment arrival{};
  std::uint16_t length = 0;
  // For the oracle; nobody else may look.
  bool advertisement = false;
  bool decides = false;  // of the family that decides between equal boxes
  SlotIndex slot{};
  std::array<std::byte, kMaxBytes> bytes;

  std::span<std::byte> frame() { return std::span(bytes).first(length); }
};

/// A LAN of two learning switches with a trunk between them, seeded: what is lost, how late a frame
/// comes, what comes twice, and who does not hear whom.
class Network {
 public:
  struct Quality {
    Duration delay = 10us;  // least
    Duration jitter = 0us;  // at most so much more; enough of it reorders
    double loss = 0;        // probability for each receiver
    double duplicates = 0;  // likewise
  };
  /// A frame reaches a node, at its arrival.
  using Deliver = std::function<void(Node from, Node to, const Packet& packet)>;
  /// An advertisement will not reach a node.
  using Lose = std::function<void(Node from, Node to)>;

  Network(std::uint64_t seed, std::size_t nodes);

  Deliver deliver;
  Lose lose;
  Quality quality;

  /// The node's frame goes out now. The switches learn where its source is.
  void send(Node from, const Packet& packet, Moment now);

  /// One direction of a cable, as it were: partial and one-way partitions are made of these.
  void cut(Node from, Node to, bool off) { cut_[from * nodes_ + to] = off; }
  void cut_trunk(bool off) { trunk_cut_ = off; }
  void attach(Node node, std::size_t to_switch) { place_[node] = to_switch; }
  void plug(Node node, bool in) { plugged_[node] = in; }
  void heal();

  /// The longest that a frame takes one way.
  Duration wire() const { return quality.delay + quality.jitter; }
  /// Whom the switch of `from` takes for the owner of a MAC: itself on its way over the trunk; the
  /// number of nodes: nobody known.
  Node owner(Node from, const MacAddress& mac) const;

 private:
  static constexpr std::size_t kSwitches = 2;
  static constexpr Node kTrunk = ~Node{0};

  bool reaches(Node from, Node to) const {
    return !cut_[from * nodes_ + to] && plugged_[from] && plugged_[to] &&
           (place_[from] == place_[to] || !trunk_cut_);
  }
  void hand_over(Node from, Node to, const Packet& packet, Moment now);

  Random random_;
  std::size_t nodes_;
  std::vector<bool> cut_;
  std::vector<bool> plugged_;
  std::vector<std::size_t> place_;
  bool trunk_cut_ = false;
  std::array<std::map<MacAddress, Node>, kSwitches> learnt_;
};

}  // namespace koi::sim
