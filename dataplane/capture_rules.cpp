#include "dataplane/capture_rules.h"

#include <algorithm>
#include <cstring>

#include "common/wire/arp.h"
#include "common/wire/bytes.h"
#include "common/wire/carp.h"
#include "common/wire/ethernet.h"
#include "common/wire/icmpv6.h"
#include "common/wire/ipv4.h"
#include "common/wire/ipv6.h"

namespace koi::dataplane {
namespace {

using Bytes = std::span<const std::byte>;

/// protocol.md §2: 00:00:5e:00:01:vhid, and 01:… of balancing by packet. REQUIRES: six bytes.
bool is_of(const CaptureFilter& filter, Bytes mac) {
  return (wire::get_be32(mac, 0) & 0xfeffffff) == 0x00005e00 && wire::get_u8(mac, 4) == 1 &&
         filter.vhids[wire::get_u8(mac, 5)];
}

bool has(const CaptureFilter& filter, const Ipv4Address& address) {
  // The order of <=>, which goes byte by byte.
  const auto less = [](const Ipv4Address& a, const Ipv4Address& b) {
    return a.to_u32() < b.to_u32();
  };
  return std::binary_search(filter.ipv4.begin(), filter.ipv4.end(), address, less);
}
bool has(const CaptureFilter& filter, const Ipv6Address& address) {
  const auto less = [](const Ipv6Address& a, const Ipv6Address& b) {
    return std::memcmp(a.bytes.data(), b.bytes.data(), sizeof a.bytes) < 0;
  };
  return std::binary_search(filter.ipv6.begin(), filter.ipv6.end(), address, less);
}

/// The vhid is the second byte, of VRRP's too.
bool is_advertisement_of(const CaptureFilter& filter, Bytes payload) {
  return payload.size() >= 2 && filter.vhids[wire::get_u8(payload, 1)];
}

/// RFC 826
bool arp_matches(const CaptureFilter& filter, Bytes arp) {
  return arp.size() >= wire::kArpLength &&
         (has(filter, wire::get_ipv4(arp, 24)) || has(filter, wire::get_ipv4(arp, 14)));
}

/// RFC 791 §3.1
bool ipv4_matches(const CaptureFilter& filter, Bytes ip) {
  if (ip.size() < wire::kIpv4Length) return false;
  if (has(filter, wire::get_ipv4(ip, 16)) || has(filter, wire::get_ipv4(ip, 12))) return true;
  const std::size_t header = (wire::get_u8(ip, 0) & 0x0fU) * 4;
  return wire::get_u8(ip, 9) == wire::kCarpProtocol && header >= wire::kIpv4Length &&
         header <= ip.size() && is_advertisement_of(filter, ip.subspan(header));
}

/// RFC 8200 §3, RFC 4861 §4.3, §4.4
bool ipv6_matches(const CaptureFilter& filter, Bytes ip) {
  if (ip.size() < wire::kIpv6Length) return false;
  if (has(filter, wire::get_ipv6(ip, 24)) || has(filter, wire::get_ipv6(ip, 8))) return true;
  const std::uint8_t next = wire::get_u8(ip, 6);
  const Bytes payload = ip.subspan(wire::kIpv6Length);
  if (next == wire::kCarpProtocol) return is_advertisement_of(filter, payload);
  if (next != wire::kProtocolIcmpv6 || payload.size() < 24) return false;
  const std::uint8_t type = wire::get_u8(payload, 0);
  return (type == wire::kNeighborSolicitation || type == wire::kNeighborAdvertisement) &&
         has(filter, wire::get_ipv6(payload, 8));
}

}  // namespace

bool matches(const CaptureFilter& filter, std::span<const std::byte> frame) {
  if (filter.all) return true;
  std::size_t header = wire::kEthernetLength;
  if (frame.size() < header) return false;
  std::uint16_t type = wire::get_be16(frame, 12);
  VlanId vlan;
  if (type == wire::kEtherVlan) {
    header += wire::kVlanTagLength;
    if (frame.size() < header) return false;
    vlan = VlanId(wire::get_be16(frame, 14) & 0x0fff);
    type = wire::get_be16(frame, 16);
  }
  if (vlan != filter.vlan) return false;
  if (is_of(filter, frame) || is_of(filter, frame.subspan(6))) return true;
  const Bytes packet = frame.subspan(header);
  switch (type) {
    case wire::kEtherArp:
      return arp_matches(filter, packet);
    case wire::kEtherIpv4:
      return ipv4_matches(filter, packet);
    case wire::kEtherIpv6:
      return ipv6_matches(filter, packet);
    default:
      return false;
  }
}

}  // namespace koi::dataplane
