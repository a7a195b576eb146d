#include "controlplane/membership_frames.h"

#include "common/wire/ethernet.h"
#include "common/wire/mld.h"

namespace koi::controlplane {
namespace {

static_assert(wire::kEthernetLength + wire::kVlanTagLength + wire::kIpv6AlertLength +
                  wire::kMldV2ReportLength + kGroupsPerMldReport * wire::kMldRecordLength <=
              TransmitFrame::kMaxBytes);

/// A frame with its headers; what follows them is `message`.
struct Headed {
  TransmitFrame frame;
  std::size_t at = 0;

  std::span<std::byte> message() { return std::span(frame.bytes).subspan(at); }
  TransmitFrame& finish(std::size_t length) {
    frame.length = static_cast<std::uint16_t>(at + length);
    return frame;
  }
};

/// RFC 1112 §6.4: 01:00:5e and the group's last 23 bits.
MacAddress mac_of_group(const Ipv4Address& group) {
  MacAddress mac = mac_from({0x01, 0x00, 0x5e, 0, 0, 0});
  mac.bytes[3] = group.bytes[1] & std::byte{0x7f};
  mac.bytes[4] = group.bytes[2];
  mac.bytes[5] = group.bytes[3];
  return mac;
}

Headed begin(const Interface& from, const MacAddress& to, std::uint16_t ethertype) {
  Headed h;
  h.frame.kind = FrameKind::own;
  h.frame.port = from.port;
  h.at = wire::write_ethernet(h.frame.bytes, to, from.mac, from.vlan, ethertype, from.pcp);
  return h;
}

Headed begin_igmp(const Interface& from, const Ipv4Address& to, std::size_t length) {
  Headed h = begin(from, mac_of_group(to), wire::kEtherIpv4);
  h.frame.family = Family::ipv4;
  wire::write_ipv4_alert(from.traffic.ipv4, from.source, to, length,
                         h.message().first<wire::kIpv4AlertLength>());
  h.at += wire::kIpv4AlertLength;
  return h;
}

Headed begin_mld(const Interface& from, const Ipv6Address& to, std::size_t length) {
  Headed h = begin(from, multicast_mac(to), wire::kEtherIpv6);
  h.frame.family = Family::ipv6;
  wire::write_ipv6_alert(from.traffic.ipv6, from.link_local, to, length,
                         h.message().first<wire::kIpv6AlertLength>());
  h.at += wire::kIpv6AlertLength;
  return h;
}

}  // namespace

TransmitFrame igmp_v3_report(const Interface& from, wire::GroupRecord record,
                             const Ipv4Address& group) {
  Headed h = begin_igmp(from, wire::kIgmpReportGroup, wire::kIgmpV3ReportLength);
  wire::write_igmp_v3_report(record, group, h.message().first<wire::kIgmpV3ReportLength>());
  return h.finish(wire::kIgmpV3ReportLength);
}

TransmitFrame igmp_v2_report(const Interface& from, const Ipv4Address& group) {
  Headed h = begin_igmp(from, group, wire::kIgmpV2Length);
  wire::write_igmp_v2_report(group, h.message().first<wire::kIgmpV2Length>());
  return h.finish(wire::kIgmpV2Length);
}

TransmitFrame igmp_v2_leave(const Interface& from, const Ipv4Address& group) {
  Headed h = begin_igmp(from, wire::kIgmpRouters, wire::kIgmpV2Length);
  wire::write_igmp_v2_leave(group, h.message().first<wire::kIgmpV2Length>());
  return h.finish(wire::kIgmpV2Length);
}

TransmitFrame mld_v2_report(const Interface& from, wire::GroupRecord record,
                            std::span<const Ipv6Address> groups) {
  const std::size_t length = wire::kMldV2ReportLength + wire::kMldRecordLength * groups.size();
  Headed h = begin_mld(from, wire::kMldReportGroup, length);
  return h.finish(wire::write_mld_v2_report(record, groups, from.link_local, h.message()));
}

TransmitFrame mld_v1_report(const Interface& from, const Ipv6Address& group) {
  Headed h = begin_mld(from, group, wire::kMldV1Length);
  wire::write_mld_v1_report(group, from.link_local, h.message().first<wire::kMldV1Length>());
  return h.finish(wire::kMldV1Length);
}

TransmitFrame mld_v1_done(const Interface& from, const Ipv6Address& group) {
  Headed h = begin_mld(from, wire::kMldRouters, wire::kMldV1Length);
  wire::write_mld_v1_done(group, from.link_local, h.message().first<wire::kMldV1Length>());
  return h.finish(wire::kMldV1Length);
}

}  // namespace koi::controlplane
