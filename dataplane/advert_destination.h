#pragma once

#include <cstdint>

#include "common/contract/view.h"
#include "common/net/ip_address.h"

namespace koi::dataplane {

/// How an advertisement was sent (protocol.md §2).
enum class AdvertWay : std::uint8_t {
  group,    // to 224.0.0.18 or ff02::12
  unicast,  // from a peer (EntryKind::peer) to an address of this box's own
  neither
};

/// Decided before anything behind the IP header is looked at. REQUIRES: both are of one family.
inline AdvertWay advert_way(const Topology& topology, PortIndex port, VlanId vlan,
                            const IpAddress& source, const IpAddress& destination) {
  if (destination == IpAddress(kCarpIpv4Group) || destination == IpAddress(kCarpIpv6Group)) {
    return AdvertWay::group;
  }
  const auto is_a = [&](const IpAddress& address, EntryKind kind) {
    const Entry* entry = address.is_v4() ? topology.find_address(port, vlan, address.v4())
                                         : topology.find_address(port, vlan, address.v6());
    return entry != nullptr && entry->kind == kind;
  };
  const bool unicast = is_a(destination, EntryKind::own) && is_a(source, EntryKind::peer);
  return unicast ? AdvertWay::unicast : AdvertWay::neither;
}

/// Whether a slot listens that way. OpenBSD keeps the two apart in the same manner. TTL and digest
/// are checked in both.
inline bool takes_advert(const SlotView& slot, AdvertWay way) {
  return way == AdvertWay::group ? slot.multicast : way == AdvertWay::unicast && slot.unicast;
}

}  // namespace koi::dataplane
