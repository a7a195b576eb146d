#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "common/drop_reason.h"
#include "common/net/ip_address.h"
#include "common/wire/bytes.h"

/// IPv6 header and its extension headers (RFC 8200).
namespace koi::wire {

inline constexpr std::size_t kIpv6Length = 40;
inline constexpr std::size_t kIpv6NextAt = 6;
inline constexpr std::size_t kIpv6HopLimitAt = 7;
inline constexpr std::size_t kIpv6SourceAt = 8;
inline constexpr std::size_t kIpv6DestinationAt = 24;
inline constexpr unsigned kMostExtensions = 8;
inline constexpr std::uint8_t kProtocolIcmpv6 = 58;
inline constexpr std::uint8_t kNextHopByHop = 0;
inline constexpr std::uint8_t kNextRouting = 43;
inline constexpr std::uint8_t kNextFragment = 44;
inline constexpr std::uint8_t kNextDestinationOptions = 60;

struct Ipv6Header {
  std::uint8_t traffic_class = 0;
  std::uint8_t hop_limit = 255;
  std::uint8_t protocol = 0;  // the next header after the last extension header
  Ipv6Address source;
  Ipv6Address destination;
  std::uint16_t payload = kIpv6Length;  // offset of the upper layer's message
  std::uint16_t payload_length = 0;     // of that message: extension headers are not in it
};

/// Checks, in this order: 40 bytes there (kIpv6Length), version 6 (kIpv6Header), the payload length
/// not more than what is there (kIpv6Length); then at most 8 extension headers (kIpv6Extensions):
/// hop-by-hop options only first, routing with no segment left, destination options, each within
/// the packet and without an option that says to discard the packet. A fragment header is
/// kIpv6Fragment, whatever is in it (RFC 6980 §5). Any other next header is the protocol. The
/// message is packet[payload, payload + payload_length); what follows it is Ethernet padding.
inline Parsed<Ipv6Header> parse_ipv6(std::span<const std::byte> packet);

/// Writes 40 bytes, flow label 0. REQUIRES: no extension headers (payload is 40).
void write_ipv6(const Ipv6Header& header, std::span<std::byte, kIpv6Length> out);

/// Gives a packet that was written another traffic class; no checksum covers it.
inline void set_traffic_class(std::span<std::byte> packet, std::uint8_t traffic_class) {
  put_be16(packet, 0, static_cast<std::uint16_t>(0x6000U | (std::uint32_t{traffic_class} << 4)));
}

// The rest is how. Inline, because every Neighbor Solicitation passes through it.

namespace detail {
/// Passes over the extension headers. The header holds what follows byte 40, protocol being the
/// first of them. Returns false and the reason iff parse_ipv6() is to fail.
bool walk_extensions(std::span<const std::byte> packet, Ipv6Header& header, DropReason& reason);

constexpr bool is_extension(std::uint8_t next) {
  return next == kNextHopByHop || next == kNextRouting || next == kNextFragment ||
         next == kNextDestinationOptions;
}
}  // namespace detail

inline Parsed<Ipv6Header> parse_ipv6(std::span<const std::byte> packet) {
  Parsed<Ipv6Header> parsed;
  // RFC 8200 §3, field by field.
  if (packet.size() < kIpv6Length) {
    parsed.fail(DropReason::kIpv6Length);
    return parsed;
  }
  const std::uint16_t first = get_be16(packet, 0);
  if ((first >> 12) != 6) {
    parsed.fail(DropReason::kIpv6Header);
    return parsed;
  }
  Ipv6Header& header = parsed.value();
  header.payload_length = get_be16(packet, 4);
  if (header.payload_length > packet.size() - kIpv6Length) {
    parsed.fail(DropReason::kIpv6Length);
    return parsed;
  }
  header.traffic_class = static_cast<std::uint8_t>((first >> 4) & 0xff);
  header.protocol = get_u8(packet, 6);
  header.hop_limit = get_u8(packet, 7);
  header.source = get_ipv6(packet, 8);
  header.destination = get_ipv6(packet, 24);
  if (detail::is_extension(header.protocol)) [[unlikely]] {
    DropReason reason{};
    if (!detail::walk_extensions(packet, header, reason)) parsed.fail(reason);
  }
  return parsed;
}

}  // namespace koi::wire
