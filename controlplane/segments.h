#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "controlplane/membership.h"
#include "controlplane/neighbors.h"
#include "controlplane/view_builder.h"

namespace koi::controlplane {

/// What this box does on its (port, VLAN)s as itself, in every role: it joins groups, so that a
/// snooping switch lets advertisements and solicitations through (protocol.md §15), finds its
/// unicast peers' MACs, and asks around when it seems deaf. Everything leaves from the port's own
/// MAC. Control thread.
class Segments {
 public:
  /// How many frames may go in one turn.
  static constexpr std::size_t kFramesPerTurn = 32;

  /// seed: of the random delay of answers to queries; another one on each box.
  Segments(const std::vector<PlacePlan>& places, std::uint32_t seed);

  /// Other places from now on. What is the same there goes on, with the MACs that are known; what
  /// is new begins at once where the link is up, and groups that nothing there needs any more are
  /// left.
  void follow(const std::vector<PlacePlan>& places, Instant now);

  /// Leaves all groups, and says so once, for there is no time to say it again. Joins none, and
  /// follows nothing, from then on; a second call does nothing.
  void end(Instant now);
  /// Iff all that was to be left is.
  bool has_left() const { return leaving_.empty(); }

  void link(PortIndex port, bool up, Instant now);
  void on(const NeighborHeard& heard, Instant now) { neighbors_.on_heard(heard, now); }
  void on(const QueryHeard& query, Instant now);

  std::optional<MacAddress> mac_of(PortIndex port, VlanId vlan, const IpAddress& peer) const {
    return neighbors_.mac_of(port, vlan, peer);
  }

  /// Questions to all of these addresses that there is a source for: whoever answers shows that the
  /// port hears.
  std::vector<TransmitFrame> probe(PortIndex port, VlanId vlan,
                                   std::span<const IpAddress> addresses, Instant now) const;

  /// What is due now, at most kFramesPerTurn; the rest stays due.
  std::vector<TransmitFrame> due(Instant now);
  /// When due() has something, if nothing comes in until then.
  Instant next_due() const;

 private:
  void leave(const Membership& left, Instant now, unsigned rounds);
  void follow_peers(const std::vector<PlacePlan>& places, Instant now);
  std::uint32_t next_random();

  std::array<bool, kMaxPorts> up_{};
  std::map<std::pair<PortIndex, VlanId>, Interface> interfaces_;
  std::vector<Membership> memberships_;
  std::vector<Membership> leaving_;  // of groups that no membership there has
  bool ended_ = false;
  NeighborTable neighbors_;
  std::uint32_t random_;
};

}  // namespace koi::controlplane
