#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "common/drop_reason.h"
#include "common/net/ip_address.h"
#include "common/net/mac_address.h"
#include "common/wire/bytes.h"
#include "common/wire/ethernet.h"
#include "common/wire/writer.h"

/// ARP for IPv4 over Ethernet (RFC 826).
namespace koi::wire {

inline constexpr std::size_t kArpLength = 28;
inline constexpr std::uint16_t kArpRequest = 1;
inline constexpr std::uint16_t kArpReply = 2;

struct ArpPacket {
  std::uint16_t operation = kArpRequest;
  MacAddress sender_mac;  // sha
  Ipv4Address sender_ip;  // spa
  MacAddress target_mac;  // tha
  Ipv4Address target_ip;  // tpa
};

/// Checks: at least 28 bytes (kArpLength), Ethernet/IPv4 with lengths 6 and 4 (kArpFormat). What
/// the operation and the addresses mean is the caller's.
inline Parsed<ArpPacket> parse_arp(std::span<const std::byte> payload);

/// Writes all 28 bytes.
inline void write_arp(const ArpPacket& packet, std::span<std::byte, kArpLength> out);

/// Turns the bytes of a request into its reply, in place: mac has the address that was asked for
/// (RFC 826: swap the addresses, put in ours, set the operation). REQUIRES: request was parsed from
/// payload.
inline void turn_into_arp_reply(std::span<std::byte> payload, const ArpPacket& request,
                                const MacAddress& mac);

/// All that the replies of one MAC have in common, as it lies in an untagged frame: to be or-ed
/// over what changes from one to the next. (Answers to solicitations take its MACs from here.)
struct alignas(32) ArpReplyParts {
  std::array<std::byte, 16> start{};  // of the first sixteen bytes the middle six, the source
  std::array<std::byte, 16> arp{};    // from the protocol's type to the sender's address, that 0
};
/// from: the Ethernet source. mac: who has the addresses that are asked for.
inline ArpReplyParts arp_reply_parts(const MacAddress& from, const MacAddress& mac);

// The rest is how. Inline, because every request that a worker answers passes through it.

/// Hardware type 1, protocol type IPv4; then the lengths of a MAC and of an IPv4 address.
inline constexpr std::uint32_t kArpEthernetIpv4 = 0x00010800;
inline constexpr std::uint16_t kArpLengths = 0x0604;

inline Parsed<ArpPacket> parse_arp(std::span<const std::byte> payload) {
  Parsed<ArpPacket> parsed;
  if (payload.size() < kArpLength) {
    parsed.fail(DropReason::kArpLength);
  } else if (get_be32(payload, 0) != kArpEthernetIpv4 || get_be16(payload, 4) != kArpLengths) {
    // RFC 826, Packet Reception: the hardware type, the protocol, and the lengths of both
    parsed.fail(DropReason::kArpFormat);
  } else {
    ArpPacket& packet = parsed.value();
    packet.operation = get_be16(payload, 6);
    get_mac(payload, 8, packet.sender_mac);
    packet.sender_ip = get_ipv4(payload, 14);
    get_mac(payload, 18, packet.target_mac);
    packet.target_ip = get_ipv4(payload, 24);
  }
  return parsed;
}

inline void turn_into_arp_reply(std::span<std::byte> payload, const ArpPacket& request,
                                const MacAddress& mac) {
  put_be16(payload, 6, kArpReply);
  put_mac(payload, 8, mac);
  put_ipv4(payload, 14, request.target_ip);
  put_mac(payload, 18, request.sender_mac);
  put_ipv4(payload, 24, request.sender_ip);
}

inline ArpReplyParts arp_reply_parts(const MacAddress& from, const MacAddress& mac) {
  ArpReplyParts parts;
  put_mac(parts.start, sizeof(MacAddress), from);
  put_be16(parts.arp, 0, kEtherIpv4);
  put_be16(parts.arp, 2, kArpLengths);
  put_be16(parts.arp, 4, kArpReply);
  put_mac(parts.arp, 6, mac);
  return parts;
}

inline void write_arp(const ArpPacket& packet, std::span<std::byte, kArpLength> out) {
  Writer w(out);
  w.be32(kArpEthernetIpv4);
  w.be16(kArpLengths);
  w.be16(packet.operation);
  w.mac(packet.sender_mac);
  w.ipv4(packet.sender_ip);
  w.mac(packet.target_mac);
  w.ipv4(packet.target_ip);
}

}  // namespace koi::wire
