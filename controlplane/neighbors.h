#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <tuple>
#include <vector>

#include "common/contract/messages.h"
#include "common/net/ip_address.h"
#include "common/net/mac_address.h"
#include "common/time.h"
#include "controlplane/interface.h"

namespace koi::controlplane {

/// Who has this address: an ARP request (RFC 826) or a Neighbor Solicitation (RFC 4861 §4.3) from
/// the interface's own MAC and address. To everybody, or to the MAC that is known (RFC 1122
/// §2.3.2.1 (2), RFC 4861 §7.3.3). It fills kind (own), family, port, length and bytes.
/// REQUIRES: the interface has a source address of that family.
TransmitFrame ask_for(const Interface& from, const IpAddress& address,
                      const std::optional<MacAddress>& known);

/// The MACs of the unicast peers, by our own ARP and Neighbor Discovery: control needs no others.
/// It asks at once when a link comes up; while nobody answers, again after 1 s, 2 s and so on up to
/// every 5 s. A MAC that is known is asked for again 30 s after it was heard last: first only
/// there, then of everybody; and it is kept when nobody answers (L3), for the peer may be deaf, not
/// gone.
///
/// Pure: time comes in, frames go out. Control thread.
class NeighborTable {
 public:
  /// 16 peers in each of 64 groups; groups with the same peers share.
  static constexpr std::size_t kMostPeers = 1024;
  static constexpr Duration kRefresh = 30s;
  static constexpr Duration kFirstWait = 1s;    // after the first question; each later one is
  static constexpr Duration kLongestWait = 5s;  // longer by as much, up to this
  static constexpr Duration kFrameLasts = 1s;   // not-after of a question

  /// Returns false iff there is no room. A peer that is there already is left as it is, but for
  /// where we ask it from. A new one is asked for from `first` on; by default not before link_up().
  bool add(const Interface& from, const IpAddress& peer, Instant first = Instant::max());
  /// Forgets the peers that are not wanted(port, VLAN, peer).
  template <class Wanted>
  void keep_if(Wanted wanted) {
    std::erase_if(peers_, [&](const auto& peer) { return !std::apply(wanted, peer.first); });
    find_next();
  }

  std::optional<MacAddress> mac_of(PortIndex port, VlanId vlan, const IpAddress& peer) const;

  /// Notes a MAC; one that differs replaces the old. Returns true iff it is new. What is heard of
  /// strangers is passed over.
  bool on_heard(const NeighborHeard& heard, Instant now);

  /// Asks anew for everybody on the port. A MAC is kept until another is heard.
  void link_up(PortIndex port, Instant now);
  /// Asks for nobody on the port.
  void link_down(PortIndex port);

  /// At most `limit` questions that are due; the others stay due.
  std::vector<TransmitFrame> due(Instant now, std::size_t limit);
  /// When due() will have something. Instant::max(): not before another call.
  Instant next_deadline() const { return next_; }

 private:
  using Key = std::tuple<PortIndex, VlanId, IpAddress>;
  struct Peer {
    Interface from;
    std::optional<MacAddress> mac;
    unsigned asked = 0;  // since it was heard last
    Instant next = Instant::max();
  };

  void find_next();

  std::map<Key, Peer> peers_;
  Instant next_ = Instant::max();  // the earliest of all peers'
};

}  // namespace koi::controlplane
