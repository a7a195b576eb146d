#pragma once

#include <cstddef>
#include <span>

#include "common/wire/ethernet.h"
#include "common/wire/ipv6.h"
#include "dataplane/frame.h"

/// Tells control of IGMP and MLD queries, which its reports answer (protocol.md §15). One that the
/// reporter has no room for is forgotten: the querier asks again, and control reports every 60 s.
namespace koi::dataplane {

/// packet: a whole IPv4 packet for which wire::is_igmp() holds, with padding.
Fate receive_igmp(std::span<const std::byte> packet, const wire::EthernetHeader& ethernet,
                  const BurstContext& burst);

/// frame: whole. ip: the header at frame[ethernet.payload], already parsed, protocol ICMPv6.
Fate receive_mld(std::span<const std::byte> frame, const wire::EthernetHeader& ethernet,
                 const wire::Ipv6Header& ip, const BurstContext& burst);

}  // namespace koi::dataplane
