#pragma once

#include <optional>

#include "common/net/ip_address.h"
#include "common/net/mac_address.h"
#include "common/wire/ethernet.h"
#include "dataplane/frame.h"

/// Tells control the MACs of unicast peers (EntryKind::peer), which it asks for.
namespace koi::dataplane {

/// Somebody says that `address` is at `mac`: in an ARP reply or request, or in a Neighbor
/// Advertisement whose checks are done. Goes up iff the address is a peer's, the frame is to this
/// port or to a group, and the MAC is one that a box can have of its own: not a group's, not zero,
/// not this port's, not a virtual one. Returns true iff it went up or was forgotten by the
/// reporter.
bool hear_peer(const Ipv4Address& address, const MacAddress& mac,
               const wire::EthernetHeader& ethernet, const BurstContext& burst);
bool hear_peer(const Ipv6Address& address, const MacAddress& mac,
               const wire::EthernetHeader& ethernet, const BurstContext& burst);

/// The fate of a frame that says so: taken, or dropped for the reason given.
template <class Address>
Fate take_peer(const Address& address, const MacAddress& mac, const wire::EthernetHeader& ethernet,
               const BurstContext& burst, DropReason otherwise) {
  return hear_peer(address, mac, ethernet, burst) ? Fate::noted() : Fate::not_ours(otherwise);
}

}  // namespace koi::dataplane
