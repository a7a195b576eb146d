#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "common/balance/balancer.h"
#include "common/contract/view.h"
#include "common/drop_reason.h"
#include "common/wire/ethernet.h"
#include "dataplane/frame.h"
#include "dataplane/ip_share.h"

/// Which slot of its group serves a shared address: the only one, or, in a balanced group, the one
/// that the asker's hash or the packet's addresses name. Every responder asks here. Workers.
namespace koi::dataplane {

/// The slot that answers this asker by ARP or ND, whether or not this box is MASTER of it;
/// kBalanceNone: nobody does. REQUIRES: entry.kind is shared, as for slot_of_mac().
inline Parsed<SlotIndex> answering_slot(const Topology& topology, const Entry& entry,
                                        const balance::Asker& asker) {
  if (!entry.is_balanced()) return entry.slot;
  const auto member = topology.balancers[entry.balancer].member_for(asker);
  if (!member) return DropReason::kBalanceNone;
  return SlotIndex(static_cast<std::uint16_t>(entry.slot.value() + *member));
}

/// The slot of the address's group whose virtual MAC this is, or whose group MAC; nothing: of none
/// of them.
inline std::optional<SlotIndex> slot_of_mac(const Topology& topology, const Entry& entry,
                                            const MacAddress& mac) {
  const SlotView& first = topology.slots[entry.slot.value()];
  if (first.mac == mac || first.told == mac) return entry.slot;
  if (first.members == 1) return std::nullopt;
  const SlotView* slot =
      topology.find_slot(first.port, first.vlan, Vhid(std::to_integer<std::uint8_t>(mac.bytes[5])));
  if (slot == nullptr || slot->mac != mac || slot->first != entry.slot) return std::nullopt;
  return topology.index_of(*slot);
}

/// What was sent to an address of this box, at the Ethernet destination: the MAC from which the
/// answer leaves, or why there is none. At an own address iff it was the port's; at a shared one
/// iff it was the virtual MAC of a slot that the lease allows (L1), or, balanced by packet, any MAC
/// of the group with the packet of such a slot. packet: with its IP header, checked.
inline Parsed<MacAddress> answering_mac(const Entry& entry, const wire::EthernetHeader& ethernet,
                                        std::span<const std::byte> packet,
                                        const BurstContext& burst) {
  if (entry.kind != EntryKind::shared) {
    if (ethernet.destination != burst.port_mac()) return DropReason::kNotOurMac;
    return burst.port_mac();
  }
  const Topology& topology = burst.topology();
  std::optional<SlotIndex> slot = slot_of_mac(topology, entry, ethernet.destination);
  if (!slot) return DropReason::kNotOurMac;
  if (const SlotView& first = topology.slots[entry.slot.value()]; first.by_packet) {
    const Parsed<SlotIndex> share = slot_of_packet(topology, first, ethernet.ethertype, packet);
    if (!share) return share.reason();
    slot = *share;
  }
  if (const auto reason = burst.lease.refusal(burst.view, *slot)) return *reason;
  return topology.slots[slot->value()].sends_from;
}

}  // namespace koi::dataplane
