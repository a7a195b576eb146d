#include "common/wire/igmp.h"

#include "common/wire/checksum.h"
#include "common/wire/ipv4.h"
#include "common/wire/writer.h"

namespace koi::wire {
namespace {

constexpr std::uint8_t kQuery = 0x11;
constexpr std::uint8_t kIgmpV2Report = 0x16;
constexpr std::uint8_t kIgmpV2Leave = 0x17;
constexpr std::uint8_t kIgmpV3Report = 0x22;
constexpr std::size_t kV3QueryLength = 12;
constexpr std::uint32_t kRouterAlertIgmp = 0x94040000;  // RFC 2113 §2.1: copied, 20, length 4
constexpr Duration kTenth = 100ms;
constexpr Duration kVersion1Response = 10s;  // RFC 2236 §4: a version 1 query says 0, meaning this

/// RFC 3376 §4.1.1: from 128 on a floating-point number.
constexpr unsigned max_response_tenths(std::uint8_t code) {
  if (code < 128) return code;
  return ((code & 0x0fU) | 0x10U) << (((code >> 4) & 0x07U) + 3);
}

Parsed<IgmpQuery> parse_message(std::span<const std::byte> message, bool to_group, bool one_hop) {
  if (message.size() < kIgmpV2Length) return DropReason::kIgmpLength;
  if (!checksum_ok(message)) return DropReason::kIgmpChecksum;
  // RFC 3376 §4: TTL 1, which no router passes on; §9.1: to 224.0.0.1 or the group asked for
  if (get_u8(message, 0) != kQuery || !to_group || !one_hop) return DropReason::kIgmpNotQuery;
  const std::uint8_t code = get_u8(message, 1);
  IgmpQuery query{.group = get_ipv4(message, 4)};
  // RFC 3376 §7.1: the length and the code tell the version.
  if (message.size() == kIgmpV2Length) {
    query.older_version = true;
    query.max_response = code == 0 ? kVersion1Response : code * kTenth;
    return query;
  }
  if (message.size() < kV3QueryLength) return DropReason::kIgmpLength;
  const std::size_t sources = get_be16(message, 10);
  if (message.size() < kV3QueryLength + 4 * sources) return DropReason::kIgmpLength;
  query.max_response = max_response_tenths(code) * kTenth;
  return query;
}

void write_v2(std::uint8_t type, const Ipv4Address& group,
              std::span<std::byte, kIgmpV2Length> out) {
  Writer w(out);
  w.u8(type);
  w.u8(0);
  w.be16(0);  // checksum
  w.ipv4(group);
  put_be16(out, 2, internet_checksum(out));
}

}  // namespace

Parsed<IgmpQuery> parse_igmp_query(std::span<const std::byte> packet) {
  // RFC 791 §3.1, field by field, as parse_ipv4() but with options.
  if (packet.size() < kIpv4Length) return DropReason::kIpv4Length;
  const std::uint8_t version_ihl = get_u8(packet, 0);
  const std::size_t header = std::size_t{4} * (version_ihl & 0x0fU);
  if ((version_ihl >> 4) != 4 || header < kIpv4Length) return DropReason::kIpv4Header;
  const std::size_t total = get_be16(packet, 2);
  if (total < header || total > packet.size()) return DropReason::kIpv4Length;
  if (!checksum_ok(packet.first(header))) return DropReason::kIpv4Checksum;
  const std::uint16_t fragment = get_be16(packet, kIpv4FragmentAt);
  if ((fragment & kIpv4MoreOrOffset) != 0) return DropReason::kIpv4Fragment;
  const Ipv4Address source = get_ipv4(packet, 12);  // 0.0.0.0 is a snooping switch's (RFC 4541)
  if (source.is_multicast() || source.is_broadcast()) return DropReason::kIpv4Source;
  return parse_message(packet.subspan(header, total - header), get_ipv4(packet, 16).is_multicast(),
                       get_u8(packet, 8) == 1);
}

void write_ipv4_alert(std::uint8_t tos, const Ipv4Address& source, const Ipv4Address& destination,
                      std::size_t payload_length, std::span<std::byte, kIpv4AlertLength> out) {
  Writer w(out);
  w.u8(0x46);
  w.u8(tos);
  w.be16(static_cast<std::uint16_t>(kIpv4AlertLength + payload_length));
  w.be16(0);       // RFC 6864 §4.1: what is not fragmented needs no id
  w.be16(0x4000);  // DF
  w.u8(1);
  w.u8(kProtocolIgmp);
  w.be16(0);
  w.ipv4(source);
  w.ipv4(destination);
  w.be32(kRouterAlertIgmp);
  put_be16(out, 10, internet_checksum(out));
}

void write_igmp_v3_report(GroupRecord record, const Ipv4Address& group,
                          std::span<std::byte, kIgmpV3ReportLength> out) {
  Writer w(out);
  w.u8(kIgmpV3Report);
  w.u8(0);
  w.be16(0);  // checksum
  w.be16(0);
  w.be16(1);  // records
  w.u8(static_cast<std::uint8_t>(record));
  w.u8(0);    // auxiliary data
  w.be16(0);  // sources
  w.ipv4(group);
  put_be16(out, 2, internet_checksum(out));
}

void write_igmp_v2_report(const Ipv4Address& group, std::span<std::byte, kIgmpV2Length> out) {
  write_v2(kIgmpV2Report, group, out);
}

void write_igmp_v2_leave(const Ipv4Address& group, std::span<std::byte, kIgmpV2Length> out) {
  write_v2(kIgmpV2Leave, group, out);
}

}  // namespace koi::wire
