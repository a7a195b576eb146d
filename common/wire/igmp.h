#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "common/drop_reason.h"
#include "common/net/ip_address.h"
#include "common/time.h"
#include "common/wire/bytes.h"
#include "common/wire/ipv4.h"

/// IGMP: queries of all versions (RFC 1112, 2236, 3376), and our reports (protocol.md §15).
namespace koi::wire {

inline constexpr std::uint8_t kProtocolIgmp = 2;
/// 224.0.0.22, where version 3 reports go (RFC 3376 §4.2.14).
inline constexpr Ipv4Address kIgmpReportGroup = Ipv4Address::from_u32(0xe0000016);
/// 224.0.0.2, where a version 2 leave goes (RFC 2236 §3).
inline constexpr Ipv4Address kIgmpRouters = Ipv4Address::from_u32(0xe0000002);
inline constexpr std::size_t kIpv4AlertLength = kIpv4Length + 4;  // with the router alert option
inline constexpr std::size_t kIgmpV2Length = 8;
inline constexpr std::size_t kIgmpV3ReportLength = 16;  // of one record without sources

struct IgmpQuery {
  Ipv4Address group;           // 0.0.0.0: a general query
  bool older_version = false;  // 1 or 2
  Duration max_response{};     // reports are due within
};

/// True iff an IPv4 packet carries IGMP. Its header has options, which parse_ipv4() refuses.
inline bool is_igmp(std::span<const std::byte> packet) {
  return packet.size() >= kIpv4Length && get_u8(packet, 9) == kProtocolIgmp;
}

/// Parses a whole IPv4 packet of protocol 2. Checks, in this order: 20 bytes (kIpv4Length), version
/// 4 and IHL >= 5 (kIpv4Header), header <= total length <= what is there (kIpv4Length), header
/// checksum, options included (kIpv4Checksum), not a fragment (kIpv4Fragment), a source that is not
/// a group or broadcast (kIpv4Source); 8 bytes (kIgmpLength), checksum of the message
/// (kIgmpChecksum), type 0x11, TTL 1 and to a group (kIgmpNotQuery), 8 or at least 12 bytes with
/// room for the sources (kIgmpLength; RFC 3376 §7.1). The options are passed over: a router alert
/// is for routers.
Parsed<IgmpQuery> parse_igmp_query(std::span<const std::byte> packet);

/// What a record of a version 3 report says of a group (RFC 3376 §4.2.12): that all sources are
/// wanted; that this is new; that none is wanted any more.
enum class GroupRecord : std::uint8_t { current = 2, change = 4, leave = 3 };

/// Writes an IPv4 header with the router alert option (RFC 2113) and TTL 1, DF set and id 0.
void write_ipv4_alert(std::uint8_t tos, const Ipv4Address& source, const Ipv4Address& destination,
                      std::size_t payload_length, std::span<std::byte, kIpv4AlertLength> out);
/// MODE_IS_EXCLUDE, CHANGE_TO_EXCLUDE_MODE or CHANGE_TO_INCLUDE_MODE with no sources.
void write_igmp_v3_report(GroupRecord record, const Ipv4Address& group,
                          std::span<std::byte, kIgmpV3ReportLength> out);
void write_igmp_v2_report(const Ipv4Address& group, std::span<std::byte, kIgmpV2Length> out);
/// Leave Group, for a packet to kIgmpRouters.
void write_igmp_v2_leave(const Ipv4Address& group, std::span<std::byte, kIgmpV2Length> out);

}  // namespace koi::wire
