#include "common/wire/mld.h"

#include "common/wire/bytes.h"
#include "common/wire/checksum.h"
#include "common/wire/icmpv6.h"
#include "common/wire/writer.h"

namespace koi::wire {
namespace {

constexpr std::uint8_t kMldV1Report = 131;
constexpr std::uint8_t kMldV1Done = 132;
constexpr std::uint8_t kMldV2Report = 143;
constexpr std::size_t kV2QueryLength = 28;
constexpr std::uint32_t kRouterAlertMld = 0x05020000;  // RFC 2711 §2.1: option 5, value 0
constexpr std::uint16_t kPadTwo = 0x0100;              // RFC 8200 §4.2: PadN of two bytes

/// RFC 3810 §5.1.3: from 32768 on a floating-point number.
constexpr unsigned max_response_ms(std::uint16_t code) {
  if (code < 0x8000) return code;
  return ((code & 0x0fffU) | 0x1000U) << (((code >> 12) & 0x07U) + 3);
}

void set_checksum(const Ipv6Address& source, const Ipv6Address& destination,
                  std::span<std::byte> message) {
  ChecksumSum sum = ipv6_pseudo_header(source, destination,
                                       static_cast<std::uint32_t>(message.size()), kProtocolIcmpv6);
  sum.add(message);
  put_be16(message, 2, sum.checksum());
}

void write_v1(std::uint8_t type, const Ipv6Address& group, const Ipv6Address& source,
              const Ipv6Address& destination, std::span<std::byte, kMldV1Length> out) {
  Writer w(out);
  w.u8(type);
  w.u8(0);
  w.be16(0);  // checksum
  w.be32(0);  // maximum response delay, reserved
  w.ipv6(group);
  set_checksum(source, destination, out);
}

}  // namespace

Parsed<MldQuery> parse_mld_query(std::span<const std::byte> message, const Ipv6Address& source,
                                 std::uint8_t hop_limit) {
  if (message.size() < kMldV1Length) return DropReason::kMldLength;
  if (get_u8(message, 0) != kMldQuery || hop_limit != 1 || !source.is_link_local()) {
    return DropReason::kMldNotQuery;
  }
  MldQuery query{.group = get_ipv6(message, 8)};
  const std::uint16_t code = get_be16(message, 4);
  // RFC 3810 §8.1: the length tells the version.
  if (message.size() == kMldV1Length) {
    query.older_version = true;
    query.max_response = code * Duration(1ms);  // RFC 2710 §3.4
    return query;
  }
  if (message.size() < kV2QueryLength) return DropReason::kMldLength;
  const std::size_t sources = get_be16(message, 26);
  if (message.size() < kV2QueryLength + 16 * sources) return DropReason::kMldLength;
  query.max_response = max_response_ms(code) * Duration(1ms);
  return query;
}

void write_ipv6_alert(std::uint8_t traffic_class, const Ipv6Address& source,
                      const Ipv6Address& destination, std::size_t payload_length,
                      std::span<std::byte, kIpv6AlertLength> out) {
  const auto hop_by_hop = out.subspan<kIpv6Length>();
  write_ipv6({.traffic_class = traffic_class,
              .hop_limit = 1,
              .protocol = kNextHopByHop,
              .source = source,
              .destination = destination,
              .payload_length = static_cast<std::uint16_t>(hop_by_hop.size() + payload_length)},
             out.first<kIpv6Length>());
  Writer w(hop_by_hop);
  w.u8(kProtocolIcmpv6);
  w.u8(0);  // in units of 8 bytes, the first not counted
  w.be32(kRouterAlertMld);
  w.be16(kPadTwo);
}

std::size_t write_mld_v2_report(GroupRecord record, std::span<const Ipv6Address> groups,
                                const Ipv6Address& source, std::span<std::byte> out) {
  Writer w(out);
  w.u8(kMldV2Report);
  w.u8(0);
  w.be16(0);  // checksum
  w.be16(0);
  w.be16(static_cast<std::uint16_t>(groups.size()));
  for (const Ipv6Address& group : groups) {
    w.u8(static_cast<std::uint8_t>(record));
    w.u8(0);    // auxiliary data
    w.be16(0);  // sources
    w.ipv6(group);
  }
  set_checksum(source, kMldReportGroup, out.first(w.written()));
  return w.written();
}

void write_mld_v1_report(const Ipv6Address& group, const Ipv6Address& source,
                         std::span<std::byte, kMldV1Length> out) {
  write_v1(kMldV1Report, group, source, group, out);
}

void write_mld_v1_done(const Ipv6Address& group, const Ipv6Address& source,
                       std::span<std::byte, kMldV1Length> out) {
  write_v1(kMldV1Done, group, source, kMldRouters, out);
}

}  // namespace koi::wire
