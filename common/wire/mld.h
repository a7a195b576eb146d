#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "common/drop_reason.h"
#include "common/net/ip_address.h"
#include "common/time.h"
#include "common/wire/igmp.h"
#include "common/wire/ipv6.h"

/// MLD: queries of both versions (RFC 2710, 3810), and our reports (protocol.md §15).
namespace koi::wire {

/// ff02::16, where version 2 reports go (RFC 3810 §5.2.14).
inline constexpr Ipv6Address kMldReportGroup = ipv6_from({0xff02, 0, 0, 0, 0, 0, 0, 0x16});
/// ff02::2, where a version 1 done goes (RFC 2710 §4).
inline constexpr Ipv6Address kMldRouters = ipv6_from({0xff02, 0, 0, 0, 0, 0, 0, 2});
/// IPv6 header and a hop-by-hop header with the router alert option (RFC 2711).
inline constexpr std::size_t kIpv6AlertLength = kIpv6Length + 8;
inline constexpr std::size_t kMldV1Length = 24;
inline constexpr std::size_t kMldV2ReportLength = 8;  // without records
inline constexpr std::size_t kMldRecordLength = 20;   // of one without sources

struct MldQuery {
  Ipv6Address group;           // all zero: a general query
  bool older_version = false;  // 1
  Duration max_response{};     // reports are due within
};

/// Parses an ICMPv6 message whose checksum was verified. Checks, in this order: 24 bytes
/// (kMldLength), type 130, hop limit 1 and a link-local source (kMldNotQuery; RFC 3810 §5.1.14), 24
/// or at least 28 bytes with room for the sources (kMldLength; §8.1).
Parsed<MldQuery> parse_mld_query(std::span<const std::byte> message, const Ipv6Address& source,
                                 std::uint8_t hop_limit);

/// Writes both headers, hop limit 1. payload_length: of the ICMPv6 message.
void write_ipv6_alert(std::uint8_t traffic_class, const Ipv6Address& source,
                      const Ipv6Address& destination, std::size_t payload_length,
                      std::span<std::byte, kIpv6AlertLength> out);
/// Writes a report on several groups and returns its length; the pseudo-header is that of a packet
/// from source to kMldReportGroup. REQUIRES: out holds 8 bytes and 20 for each group.
std::size_t write_mld_v2_report(GroupRecord record, std::span<const Ipv6Address> groups,
                                const Ipv6Address& source, std::span<std::byte> out);
/// The same for a packet from source to the group.
void write_mld_v1_report(const Ipv6Address& group, const Ipv6Address& source,
                         std::span<std::byte, kMldV1Length> out);
/// The same of a done, for a packet to kMldRouters.
void write_mld_v1_done(const Ipv6Address& group, const Ipv6Address& source,
                       std::span<std::byte, kMldV1Length> out);

}  // namespace koi::wire
