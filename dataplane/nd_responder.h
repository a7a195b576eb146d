#pragma once

#include <cstddef>
#include <span>

#include "common/wire/ethernet.h"
#include "common/wire/ipv6.h"
#include "dataplane/frame.h"

/// Neighbor Discovery for the addresses of this box (RFC 4861).
///
/// ip: the header at frame[ethernet.payload], already parsed, protocol ICMPv6 with at least one
/// byte of message.
namespace koi::dataplane {

/// Answers a Neighbor Solicitation in place: for a shared address iff the lease allows (L1), with
/// the virtual MAC as Ethernet source and target link-layer address, or those of balancing by
/// packet (see answer_arp()); for an own address always, with the port's MAC. From `::` it is
/// Duplicate Address Detection (RFC 4862 §5.4), answered to all nodes at most once a second. room:
/// bytes of the buffer after the frame; the answer to a solicitation without options is 8 bytes
/// longer.
Fate answer_solicitation(std::span<std::byte> frame, std::size_t room,
                         const wire::EthernetHeader& ethernet, const wire::Ipv6Header& ip,
                         const BurstContext& burst);

/// Looks whether a Neighbor Advertisement claims an address of this box. Never answers.
Fate judge_advertisement(std::span<const std::byte> frame, const wire::EthernetHeader& ethernet,
                         const wire::Ipv6Header& ip, const BurstContext& burst);

}  // namespace koi::dataplane
