#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "common/net/ip_address.h"
#include "common/wire/ethernet.h"
#include "dataplane/frame.h"

/// Takes koi's hellos out of what is sent to this box's own addresses, checks them, and tells
/// control of those that are rightly signed (CARP.md §21). Workers.
namespace koi::dataplane {

/// A UDP packet to an own address whose IP header is right.
struct OwnDatagram {
  IpAddress source;
  std::uint8_t ttl = 0;                 // hop limit
  std::span<const std::byte> datagram;  // from the UDP header to the end of the packet
};

/// undecided: not to hello's port, or nobody exchanges hellos on this port, so it is not koi's.
/// Else taken or dropped, never for the host, which would answer that nobody listens there. The UDP
/// checksum is not looked at, for the HMAC covers more.
Fate receive_hello(const OwnDatagram& packet, const wire::EthernetHeader& ethernet,
                   const BurstContext& burst);

}  // namespace koi::dataplane
