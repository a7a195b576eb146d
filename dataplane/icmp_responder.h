#pragma once

#include <cstddef>
#include <span>

#include "common/wire/ethernet.h"
#include "common/wire/ipv4.h"
#include "dataplane/frame.h"

namespace koi::dataplane {

/// Answers an ICMP echo request to an address of this box, in place (RFC 792, RFC 1122 §3.2.2.6):
/// to a shared address iff it was sent to the virtual MAC and the lease allows (L1), in a balanced
/// group to that of one of its slots, whose lease counts; to an own address iff it was sent to the
/// port's MAC. Never answers a broadcast or multicast.
///
/// ip: the header at frame[ethernet.payload], already parsed.
Fate answer_icmp_echo(std::span<std::byte> frame, const wire::EthernetHeader& ethernet,
                      const wire::Ipv4Header& ip, const BurstContext& burst);

}  // namespace koi::dataplane
