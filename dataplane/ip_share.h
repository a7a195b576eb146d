#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "common/contract/view.h"
#include "common/drop_reason.h"
#include "common/net/mac_address.h"
#include "common/wire/ethernet.h"
#include "dataplane/frame.h"

/// Balancing by packet (`ip`, `ip-stealth`, `ip-unicast`; protocol.md §11): every box of the group
/// receives what is sent to it, and each keeps the packets of its slots. Workers.
namespace koi::dataplane {

/// The first slot of the group balanced by packet that has this MAC there: the group MAC, or a
/// virtual MAC of one of its members. nullptr: no such group.
const SlotView* group_by_packet(const Topology& topology, PortIndex port, VlanId vlan,
                                const MacAddress& to);

/// The slot to which a packet of such a group belongs, whether or not this box is MASTER of it: by
/// fold of source and destination, fragments too. group: its first slot. packet: what follows the
/// Ethernet header; kIpv4Length, kIpv6Length: it ends before its addresses. What is not IP is the
/// first slot's.
///
/// As OpenBSD's icmp_input() does, an ICMP error to one of the group's addresses goes where that
/// conversation is: by what the packet that it is about had for destination, not by who sent it.
Parsed<SlotIndex> slot_of_packet(const Topology& topology, const SlotView& group,
                                 std::uint16_t ethertype, std::span<const std::byte> packet);

/// For to_host(): a frame to such a group passes with the port's MAC iff the lease allows its slot
/// (L1); IP to many, multicast or broadcast, passes on every box, as it is.
Fate share_to_host(std::span<std::byte> frame, const wire::EthernetHeader& ethernet,
                   const SlotView& group, const BurstContext& burst);

/// For from_host(): the slot as which a packet leaves whose source is an address of such a group;
/// one to many as any that the lease allows. kHostNotMaster: the lease does not.
Parsed<const SlotView*> sender_of_packet(const SlotView& group, std::uint16_t ethertype,
                                         std::span<const std::byte> packet,
                                         const BurstContext& burst);

}  // namespace koi::dataplane
