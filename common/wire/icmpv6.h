#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "common/drop_reason.h"
#include "common/wire/icmp.h"
#include "common/wire/ipv6.h"

/// ICMPv6 (RFC 4443): what every message has, and echo.
namespace koi::wire {

inline constexpr std::size_t kIcmpv6ChecksumAt = 2;
inline constexpr std::size_t kIcmpv6EchoLength = 8;
inline constexpr std::uint8_t kIcmpv6EchoRequest = 128;
inline constexpr std::uint8_t kIcmpv6EchoReply = 129;
inline constexpr std::uint8_t kMldQuery = 130;  // RFC 3810
inline constexpr std::uint8_t kNeighborSolicitation = 135;
inline constexpr std::uint8_t kNeighborAdvertisement = 136;

/// True iff the message's checksum is right (RFC 4443 §2.3): with the pseudo-header of its packet.
bool icmpv6_checksum_ok(const Ipv6Header& ip, std::span<const std::byte> message);

/// Checks: 8 bytes (kIcmp6Length), checksum (kIcmp6Checksum), type 128 and code 0 (kIcmp6NotEcho).
Parsed<IcmpEcho> parse_icmpv6_echo_request(const Ipv6Header& ip,
                                           std::span<const std::byte> message);

/// Turns an echo request that parse_icmpv6_echo_request() accepted into its reply, in place: the
/// type changes, the checksum is updated (RFC 1624). Exchanging source and destination leaves the
/// sum as it is; both are to be exchanged by the caller.
void turn_into_icmpv6_echo_reply(std::span<std::byte> message);

}  // namespace koi::wire
