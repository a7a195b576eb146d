#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "common/net/ip_address.h"

/// UDP header (RFC 768), of which koi needs no more than its hellos do.
namespace koi::wire {

inline constexpr std::uint8_t kProtocolUdp = 17;
inline constexpr std::size_t kUdpLength = 8;
inline constexpr std::size_t kUdpDestinationAt = 2;
inline constexpr std::size_t kUdpLengthAt = 4;

/// Writes the header in front of the data that follows it, checksum computed (RFC 768; over IPv6
/// RFC 8200 §8.1). datagram: header and data. REQUIRES: at least 8 bytes; both addresses are of one
/// family.
void write_udp(const IpAddress& source, const IpAddress& destination, std::uint16_t source_port,
               std::uint16_t destination_port, std::span<std::byte> datagram);

}  // namespace koi::wire
