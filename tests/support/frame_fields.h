#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <vector>

#include "common/contract/messages.h"

/// What stands in an untagged frame that the loop made, read at its offset by hand (RFC 894, RFC
/// 2464, protocol.md §1 and §2) and by none of koi's parsers.
namespace koi::test {

inline unsigned byte_at(const TransmitFrame& frame, std::size_t at) {
  return at < frame.length ? std::to_integer<unsigned>(frame.bytes[at]) : 0x100U;
}

inline MacAddress mac_at(const TransmitFrame& frame, std::size_t at) {
  std::array<std::uint8_t, 6> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<std::uint8_t>(byte_at(frame, at + i));
  }
  return mac_from(bytes);
}
inline MacAddress to_mac(const TransmitFrame& frame) { return mac_at(frame, 0); }
inline MacAddress from_mac(const TransmitFrame& frame) { return mac_at(frame, 6); }

inline bool is_ipv6(const TransmitFrame& frame) {
  return byte_at(frame, 12) == 0x86 && byte_at(frame, 13) == 0xdd;
}
inline bool is_arp(const TransmitFrame& frame) {
  return byte_at(frame, 12) == 0x08 && byte_at(frame, 13) == 0x06;
}

inline Ipv4Address ip4_at(const TransmitFrame& frame, std::size_t at) {
  return Ipv4Address::from_u32(byte_at(frame, at) << 24 | byte_at(frame, at + 1) << 16 |
                               byte_at(frame, at + 2) << 8 | byte_at(frame, at + 3));
}
inline Ipv6Address ip6_at(const TransmitFrame& frame, std::size_t at) {
  Ipv6Address address;
  std::copy_n(frame.bytes.begin() + static_cast<std::ptrdiff_t>(at), 16, address.bytes.begin());
  return address;
}

/// Whom an IP packet goes to; whom an ARP packet or a Neighbor Advertisement is about.
inline IpAddress ip_destination(const TransmitFrame& frame) {
  if (is_ipv6(frame)) return ip6_at(frame, 38);
  return ip4_at(frame, 30);
}
inline IpAddress arp_target(const TransmitFrame& frame) { return ip4_at(frame, 38); }
inline IpAddress nd_target(const TransmitFrame& frame) { return ip6_at(frame, 62); }

/// Of an advertisement: where its CARP header begins.
inline std::size_t carp_at(const TransmitFrame& frame) { return is_ipv6(frame) ? 54 : 34; }
inline unsigned advskew_of(const TransmitFrame& frame) {
  return byte_at(frame, carp_at(frame) + 2);
}
inline unsigned advbase_of(const TransmitFrame& frame) {
  return byte_at(frame, carp_at(frame) + 5);
}
inline std::uint64_t counter_of(const TransmitFrame& frame) {
  std::uint64_t counter = 0;
  for (std::size_t i = 8; i < 16; ++i) counter = counter << 8 | byte_at(frame, carp_at(frame) + i);
  return counter;
}

/// Of these frames, in their order.
inline std::vector<TransmitFrame> of_kind(FrameKind kind,
                                          const std::vector<TransmitFrame>& frames) {
  std::vector<TransmitFrame> some;
  std::copy_if(frames.begin(), frames.end(), std::back_inserter(some),
               [&](const TransmitFrame& frame) { return frame.kind == kind; });
  return some;
}

}  // namespace koi::test
