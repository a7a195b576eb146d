#pragma once

#include <cstddef>
#include <cstdint>

#include "common/net/ip_address.h"

/// Balancing `ip`, `ip-stealth` and `ip-unicast` (protocol.md §11): the members are numbered by
/// ascending vhid, and a packet belongs to member fold(source, destination) % members. Both ways of
/// a conversation give the same. OpenBSD's carp_lsdrop().
namespace koi::balance {

constexpr std::uint32_t fold(const Ipv4Address& a, const Ipv4Address& b) {
  return a.to_u32() ^ b.to_u32();
}

/// All eight words, four of each address.
constexpr std::uint32_t fold(const Ipv6Address& a, const Ipv6Address& b) {
  Ipv4Address folded;
  for (std::size_t i = 0; i < a.bytes.size(); ++i) folded.bytes[i % 4] ^= a.bytes[i] ^ b.bytes[i];
  return folded.to_u32();
}

/// REQUIRES: both are of one family.
constexpr std::uint32_t fold(const IpAddress& a, const IpAddress& b) {
  return a.is_v4() ? fold(a.v4(), b.v4()) : fold(a.v6(), b.v6());
}

}  // namespace koi::balance
