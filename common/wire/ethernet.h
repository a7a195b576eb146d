#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "common/drop_reason.h"
#include "common/net/mac_address.h"
#include "common/strong_types.h"
#include "common/wire/bytes.h"

/// Ethernet II with at most one 802.1Q tag.
namespace koi::wire {

inline constexpr std::size_t kEthernetLength = 14;
inline constexpr std::size_t kVlanTagLength = 4;
inline constexpr std::uint16_t kEtherIpv4 = 0x0800;
inline constexpr std::uint16_t kEtherArp = 0x0806;
inline constexpr std::uint16_t kEtherIpv6 = 0x86dd;
inline constexpr std::uint16_t kEtherVlan = 0x8100;
inline constexpr std::uint16_t kEtherQinQ = 0x88a8;

struct EthernetHeader {
  MacAddress destination;
  MacAddress source;
  VlanId vlan;                  // 0: untagged, or a priority tag
  std::uint16_t ethertype = 0;  // after the tag
  std::size_t payload = 0;      // offset of what follows: 14 or 18
};

/// Checks: long enough (kRunt), unicast non-zero source (kSourceMac), at most one tag
/// (kVlanStacked).
inline Parsed<EthernetHeader> parse_ethernet(std::span<const std::byte> frame);

/// Writes the header, with an 802.1Q tag iff vlan is not 0: of priority pcp (0..7), not drop
/// eligible. Returns its length: 14 or 18. REQUIRES: out holds 18 bytes.
inline std::size_t write_ethernet(std::span<std::byte> out, const MacAddress& destination,
                                  const MacAddress& source, VlanId vlan, std::uint16_t ethertype,
                                  std::uint8_t pcp = 0);

// The rest is how. Inline, because every frame of a worker passes through it.

inline Parsed<EthernetHeader> parse_ethernet(std::span<const std::byte> frame) {
  Parsed<EthernetHeader> parsed;
  EthernetHeader& header = parsed.value();
  if (frame.size() < kEthernetLength) {
    parsed.fail(DropReason::kRunt);
    return parsed;
  }
  get_mac(frame, 0, header.destination);
  get_mac(frame, 6, header.source);
  header.ethertype = get_be16(frame, 12);
  header.payload = kEthernetLength;
  if (header.ethertype == kEtherVlan) {
    header.payload = kEthernetLength + kVlanTagLength;
    if (frame.size() < header.payload) {
      parsed.fail(DropReason::kRunt);
      return parsed;
    }
    // IEEE 802.1Q §9.6: the VID is the low 12 bits, and 0 in a priority tag
    header.vlan = VlanId(get_be16(frame, 14) & 0x0fff);
    header.ethertype = get_be16(frame, 16);
  }
  // IEEE 802.3 §3.2.3: a source is never a group
  if (header.source.is_multicast() || header.source.is_zero()) {
    parsed.fail(DropReason::kSourceMac);
  } else if (header.ethertype == kEtherVlan || header.ethertype == kEtherQinQ) {
    // The outer tag of a QinQ frame, or whatever tag follows the first.
    parsed.fail(DropReason::kVlanStacked);
  }
  return parsed;
}

inline std::size_t write_ethernet(std::span<std::byte> out, const MacAddress& destination,
                                  const MacAddress& source, VlanId vlan, std::uint16_t ethertype,
                                  std::uint8_t pcp) {
  put_mac(out, 0, destination);
  put_mac(out, 6, source);
  if (vlan == VlanId(0)) {
    put_be16(out, 12, ethertype);
    return kEthernetLength;
  }
  put_be16(out, 12, kEtherVlan);
  put_be16(out, 14, static_cast<std::uint16_t>((pcp << 13) | vlan.value()));
  put_be16(out, 16, ethertype);
  return kEthernetLength + kVlanTagLength;
}

}  // namespace koi::wire
