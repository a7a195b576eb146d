#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "common/drop_reason.h"

/// ICMP echo (RFC 792).
namespace koi::wire {

inline constexpr std::size_t kIcmpChecksumAt = 2;
inline constexpr std::size_t kIcmpEchoLength = 8;
inline constexpr std::uint8_t kIcmpEchoReply = 0;
inline constexpr std::uint8_t kIcmpEchoRequest = 8;

struct IcmpEcho {
  std::uint16_t identifier = 0;
  std::uint16_t sequence = 0;
};

/// Checks: 8 bytes (kIcmpLength), checksum over all of it (kIcmpChecksum), type 8 and code 0
/// (kIcmpNotEcho).
Parsed<IcmpEcho> parse_icmp_echo_request(std::span<const std::byte> message);

/// Turns an echo request that parse_icmp_echo_request() accepted into its reply, in place: the type
/// changes, the checksum is updated (RFC 1624), nothing else.
void turn_into_echo_reply(std::span<std::byte> message);

}  // namespace koi::wire
