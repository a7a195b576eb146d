#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "common/drop_reason.h"
#include "common/net/ip_address.h"

/// IPv4 header (RFC 791).
namespace koi::wire {

inline constexpr std::size_t kIpv4Length = 20;  // without options
inline constexpr std::size_t kIpv4FragmentAt = 6;
inline constexpr std::uint16_t kIpv4MoreOrOffset = 0x3fff;  // a fragment, whichever
inline constexpr std::size_t kIpv4TtlAt = 8;  // shares a word of the checksum with the protocol
inline constexpr std::size_t kIpv4ProtocolAt = 9;
inline constexpr std::size_t kIpv4ChecksumAt = 10;
inline constexpr std::size_t kIpv4SourceAt = 12;
inline constexpr std::size_t kIpv4DestinationAt = 16;
inline constexpr std::uint8_t kProtocolIcmp = 1;
inline constexpr std::uint8_t kProtocolTcp = 6;

struct Ipv4Header {
  std::uint8_t tos = 0;
  std::uint16_t id = 0;
  bool dont_fragment = true;
  std::uint8_t ttl = 255;
  std::uint8_t protocol = 0;
  Ipv4Address source;
  Ipv4Address destination;
  std::uint16_t payload_length = 0;  // total length less the header
};

/// Checks, in this order: 20 bytes there (kIpv4Length), version 4 and IHL >= 5 (kIpv4Header), no
/// options (kIpv4Options), 20 <= total length <= what is there (kIpv4Length), header checksum
/// (kIpv4Checksum), not a fragment: MF 0 and offset 0 (kIpv4Fragment). The payload is
/// packet[20, 20 + payload_length); what follows it is Ethernet padding.
Parsed<Ipv4Header> parse_ipv4(std::span<const std::byte> packet);

/// Writes 20 bytes without options, checksum computed.
void write_ipv4(const Ipv4Header& header, std::span<std::byte, kIpv4Length> out);

}  // namespace koi::wire
