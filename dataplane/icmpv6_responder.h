#pragma once

#include <cstddef>
#include <span>

#include "common/wire/ethernet.h"
#include "common/wire/ipv6.h"
#include "dataplane/frame.h"

namespace koi::dataplane {

/// What becomes of an IPv6 packet that is no advertisement: Neighbor Discovery goes to its
/// responder, an echo request to an address of this box is answered in place (RFC 4443 §4.2): to a
/// shared address iff it was sent to the virtual MAC and the lease allows (L1), to an own address
/// iff it was sent to the port's MAC. An echo behind extension headers, and one to a group, is
/// never answered.
///
/// ip: the header at frame[ethernet.payload], already parsed. room: bytes of the buffer after the
/// frame.
Fate answer_icmpv6(std::span<std::byte> frame, std::size_t room,
                   const wire::EthernetHeader& ethernet, const wire::Ipv6Header& ip,
                   const BurstContext& burst);

}  // namespace koi::dataplane
