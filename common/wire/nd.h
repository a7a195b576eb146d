#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "common/drop_reason.h"
#include "common/net/ip_address.h"
#include "common/net/mac_address.h"
#include "common/wire/icmpv6.h"
#include "common/wire/ipv6.h"

/// Neighbor Discovery (RFC 4861): solicitations, advertisements and their answers, over Ethernet.
namespace koi::wire {

inline constexpr std::size_t kNeighborLength = 24;        // of a message without options
inline constexpr std::size_t kLinkLayerOptionLength = 8;  // type, length, MAC (RFC 2464 §6)
/// What we send: always with a target link-layer address option.
inline constexpr std::size_t kNeighborAnswerLength = kNeighborLength + kLinkLayerOptionLength;
inline constexpr std::uint8_t kSourceLinkLayer = 1;
inline constexpr std::uint8_t kTargetLinkLayer = 2;

/// Flags of an advertisement (RFC 4861 §4.4), as they are in the byte after the checksum.
inline constexpr std::uint8_t kNdRouter = 0x80;
inline constexpr std::uint8_t kNdSolicited = 0x40;
inline constexpr std::uint8_t kNdOverride = 0x20;

/// A solicitation or an advertisement.
struct NeighborMessage {
  Ipv6Address target;
  std::uint16_t checksum = 0;
  std::uint8_t flags = 0;  // of an advertisement
  std::optional<MacAddress>
      link_layer;  // a solicitation's source option, an advertisement's target
};

/// Checks of RFC 4861 §7.1.1, in this order: hop limit 255 (kNdHopLimit), 24 bytes (kNdLength),
/// code 0 (kNdCode), checksum (kIcmp6Checksum), a target that a host can have (kNdTarget), every
/// option longer than 0 and within the message, a source link-layer option of 8 bytes (kNdOptions);
/// from `::` only to a solicited-node group and without that option (kNdSource). REQUIRES: type
/// 135.
Parsed<NeighborMessage> parse_solicitation(const Ipv6Header& ip,
                                           std::span<const std::byte> message);

/// The same of RFC 4861 §7.1.2. What goes to a group is not solicited (kNdSource). REQUIRES: type
/// 136.
Parsed<NeighborMessage> parse_advertisement(const Ipv6Header& ip,
                                            std::span<const std::byte> message);

/// What an answer says beside the target that was asked for.
struct NeighborAnswer {
  Ipv6Address destination;
  MacAddress mac;  // target link-layer address
  std::uint8_t flags = 0;
};

/// Turns the packet of a solicitation into its answer, in place (RFC 4861 §7.2.4): source is the
/// target, hop limit 255, the one option is the target's link-layer address; the checksum is
/// updated (RFC 1624). The answer has 72 bytes, which may be 8 more than the solicitation had.
/// REQUIRES: both were parsed from the packet, which holds 72 bytes.
void turn_into_advertisement(std::span<std::byte> packet, const Ipv6Header& ip,
                             const NeighborMessage& solicitation, const NeighborAnswer& answer);

/// Writes a whole advertisement: IPv6 header from the target, message, option: 72 bytes.
/// Unsolicited ones go to ff02::1.
void write_advertisement(const Ipv6Address& target, const NeighborAnswer& answer,
                         std::span<std::byte, kIpv6Length + kNeighborAnswerLength> out);

/// Writes a whole solicitation with a source link-layer address option: 72 bytes. To the target's
/// solicited-node group, or to the target itself (RFC 4861 §7.2.2, §7.3.3).
void write_solicitation(const Ipv6Address& source, const Ipv6Address& destination,
                        const Ipv6Address& target, const MacAddress& mac,
                        std::span<std::byte, kIpv6Length + kNeighborAnswerLength> out);

}  // namespace koi::wire
