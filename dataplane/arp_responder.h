#pragma once

#include <cstddef>
#include <span>

#include "common/wire/ethernet.h"
#include "dataplane/frame.h"

namespace koi::dataplane {

/// Answers an ARP request for an address of this box, in place (RFC 826): for a shared address iff
/// the lease allows (L1), with the virtual MAC as Ethernet source and sender hardware address; for
/// an own address always, with the port's MAC. A probe (sender 0.0.0.0, RFC 5227) is answered too.
/// In a balanced group the asker's hash says whose virtual MAC it is told, and by whom. In one that
/// is balanced by packet the first slot's MASTER tells everybody the group MAC; the Ethernet source
/// is then not always that (SlotView::sends_from).
///
/// Requests and replies alike are looked at for what their sender says of itself: a claim to a
/// shared address is a conflict, a unicast peer's reply goes up.
Fate answer_arp(std::span<std::byte> frame, const wire::EthernetHeader& ethernet,
                const BurstContext& burst);

}  // namespace koi::dataplane
