#pragma once

#include <cstddef>
#include <span>

#include "common/contract/messages.h"
#include "common/net/ip_address.h"
#include "common/wire/igmp.h"
#include "controlplane/interface.h"

/// Reports that the interface is a member of groups (protocol.md §15) or is one no more, with a
/// router alert and TTL or hop limit 1, from its real MAC and own address. Each fills kind (own),
/// family, port, length and bytes. Control thread.
namespace koi::controlplane {

/// IGMPv3 (RFC 3376 §4.2), to 224.0.0.22.
TransmitFrame igmp_v3_report(const Interface& from, wire::GroupRecord record,
                             const Ipv4Address& group);
/// IGMPv2 (RFC 2236), to the group. A version 1 querier is sent the same: a snooping switch reads
/// it, and a router as old as that is not to be met.
TransmitFrame igmp_v2_report(const Interface& from, const Ipv4Address& group);

/// Leave Group, to 224.0.0.2 (RFC 2236 §3). Version 1 has none; one of its routers passes it over.
TransmitFrame igmp_v2_leave(const Interface& from, const Ipv4Address& group);

/// How many groups fit into one frame, with a VLAN tag.
inline constexpr std::size_t kGroupsPerMldReport = 9;
/// MLDv2 (RFC 3810 §5.2), to ff02::16. REQUIRES: at most kGroupsPerMldReport groups.
TransmitFrame mld_v2_report(const Interface& from, wire::GroupRecord record,
                            std::span<const Ipv6Address> groups);
/// MLDv1 (RFC 2710), to the group.
TransmitFrame mld_v1_report(const Interface& from, const Ipv6Address& group);
/// Done, to ff02::2 (RFC 2710 §4).
TransmitFrame mld_v1_done(const Interface& from, const Ipv6Address& group);

}  // namespace koi::controlplane
