#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "common/net/ip_address.h"
#include "common/strong_types.h"

/// VRRP as a neighbor of CARP: both are protocol 112 to the same group, and their virtual MACs are
/// the same for the same number (protocol.md §12, §13).
namespace koi::wire {

struct VrrpHeader {
  std::uint8_t version = 0;  // 2 or 3
  Vhid number;               // the VRID, which is a vhid to the switches
  std::uint8_t priority = 0;
  bool or_carp = false;  // it may as well be CARP: the HMAC decides
};

/// Returns the header iff the IP payload is a VRRP advertisement. protocol.md §13:
///  - VRRPv2 (RFC 3768, IPv4): first byte 0x21, authentication type 0..2, length 8 + 4·count + 8,
///    checksum over that. With count 7 it begins as CARP does, and the checksum decides; without
///    authentication the last 8 bytes are zero, and it is right over CARP's 36 bytes too (or_carp).
///  - VRRPv3: first byte 0x31, length 8 + count addresses, checksum with RFC 5798's pseudo header
///    or, in IPv4, over the message alone (RFC 9568).
/// 28 bytes more, a signed trailer (§14), are allowed in both. source, destination: of the IP
/// header.
std::optional<VrrpHeader> recognize_vrrp(std::span<const std::byte> payload,
                                         const IpAddress& source, const IpAddress& destination);

}  // namespace koi::wire
