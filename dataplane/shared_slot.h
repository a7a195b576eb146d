#pragma once

#include <optional>

#include "common/balance/balancer.h"
#include "common/contract/view.h"
#include "common/drop_reason.h"
#include "dataplane/frame.h"

/// Which slot of its group serves a shared address: the only one, or, in a balanced group, the one
/// that the asker's hash names. Every responder asks here. Workers.
namespace koi::dataplane {

/// The slot that answers this asker, whether or not this box is MASTER of it; kBalanceNone: nobody
/// does. REQUIRES: entry.kind is shared, as for slot_of_mac().
inline Parsed<SlotIndex> answering_slot(const Topology& topology, const Entry& entry,
                                        const balance::Asker& asker) {
  if (!entry.is_balanced()) return entry.slot;
  const auto member = topology.balancers[entry.balancer].member_for(asker);
  if (!member) return DropReason::kBalanceNone;
  return SlotIndex(static_cast<std::uint16_t>(entry.slot.value() + *member));
}

/// The slot of the address's group whose virtual MAC this is; nothing: of none of them.
inline std::optional<SlotIndex> slot_of_mac(const Topology& topology, const Entry& entry,
                                            const MacAddress& mac) {
  const SlotView& first = topology.slots[entry.slot.value()];
  if (first.mac == mac) return entry.slot;
  if (!entry.is_balanced()) return std::nullopt;
  const SlotView* slot =
      topology.find_slot(first.port, first.vlan, Vhid(std::to_integer<std::uint8_t>(mac.bytes[5])));
  if (slot == nullptr || slot->mac != mac) return std::nullopt;
  const SlotIndex index = topology.index_of(*slot);
  const unsigned member = static_cast<unsigned>(index.value()) - entry.slot.value();
  if (member >= topology.balancers[entry.balancer].members()) return std::nullopt;
  return index;
}

/// Whether what was sent to this MAC for the address may be answered: to an own address iff it is
/// the port's, to a shared one iff it is the virtual MAC of a slot that the lease allows (L1).
inline std::optional<DropReason> refusal_at(const Entry& entry, const MacAddress& to,
                                            const BurstContext& burst) {
  if (entry.kind != EntryKind::shared) {
    if (to != burst.port_mac()) return DropReason::kNotOurMac;
    return std::nullopt;
  }
  const auto slot = slot_of_mac(burst.topology(), entry, to);
  if (!slot) return DropReason::kNotOurMac;
  return burst.lease.refusal(burst.view, *slot);
}

}  // namespace koi::dataplane
