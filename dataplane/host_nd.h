#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "common/contract/view.h"
#include "common/drop_reason.h"
#include "common/wire/ipv6.h"
#include "dataplane/frame.h"

namespace koi::dataplane {

/// What the host may say by Neighbor Discovery (host_gate.h): nothing that claims a shared address,
/// by an advertisement or by duplicate address detection (kHostClaim); where a group has IPv6
/// addresses, Router Advertisements only from a shared link-local one (kHostRouterAdvert). Where
/// the packet leaves as a slot, its source link-layer option is made to name what that one tells
/// (SlotView::told), and the checksum with it (RFC 1624). Other ICMPv6 is let through. Returns why
/// not, or nothing.
///
/// packet: from the IPv6 header on, parsed as ip. slot: as which it leaves, may be nullptr.
std::optional<DropReason> check_host_nd(std::span<std::byte> packet, const wire::Ipv6Header& ip,
                                        VlanId vlan, const SlotView* slot,
                                        const BurstContext& burst);

}  // namespace koi::dataplane
