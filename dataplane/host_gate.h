#pragma once

#include <span>

#include "common/wire/ethernet.h"
#include "dataplane/frame.h"

/// The gate between the wire and the host port, where the system is that filters and forwards: what
/// concerns a shared address or a virtual MAC passes only on the box that reigns. Workers.
namespace koi::dataplane {

/// Wire to host, of what no responder has taken (Fate::not_ours, Fate::noted). A frame to the
/// port's own MAC, to a group or to all passes; one to a virtual MAC iff it is that of a slot that
/// the lease allows (L1), and then with the port's MAC as its destination, which is the host's; so
/// does one to a group balanced by packet iff it is of such a slot (ip_share.h).
/// Without a host it is dropped for the responder's reason. kJumbo: longer than the MTU.
Fate to_host(Fate fate, std::span<std::byte> frame, const wire::EthernetHeader& ethernet,
             const BurstContext& burst);

/// Host to wire. Passes what the host sends from the port's own MAC: if its IP source is a shared
/// address, iff the lease allows the slot (L1, else kHostNotMaster), and then from where the slot
/// sends; Neighbor Discovery's source link-layer option then names what the slot tells. Never ARP
/// or Neighbor Discovery that claims a shared address (kHostClaim), never protocol 112 (kHostCarp),
/// and a Router Advertisement only from a shared link-local address where a group has IPv6
/// addresses (kHostRouterAdvert).
Fate from_host(std::span<std::byte> frame, const BurstContext& burst);

/// The same for a long TCP packet that the NIC is to cut (offload.h), into frames of longest bytes.
/// REQUIRES: frame begins it and holds all its headers, IPv4's or IPv6's and, right behind it,
/// TCP's.
Fate segments_from_host(std::span<std::byte> frame, std::size_t longest, const BurstContext& burst);

}  // namespace koi::dataplane
