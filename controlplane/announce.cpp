#include "controlplane/announce.h"

#include "common/wire/arp.h"
#include "common/wire/bytes.h"
#include "common/wire/carp.h"
#include "common/wire/ethernet.h"
#include "common/wire/ipv4.h"

namespace koi::controlplane {
namespace {

constexpr std::uint8_t kLowDelay = 0x10;  // ToS of OpenBSD, NetBSD and UCarp (protocol.md §2)

}  // namespace

TransmitFrame FrameMaker::advertisement(const AdvertFields& fields) const {
  TransmitFrame frame;
  frame.kind = FrameKind::advertisement;
  frame.family = Family::ipv4;
  frame.port = port_;
  const std::span<std::byte> out(frame.bytes);
  const std::size_t ip_at =
      wire::write_ethernet(out, kCarpIpv4Mac, virtual_mac(vhid_), vlan_, wire::kEtherIpv4);
  wire::CarpHeader carp{.vhid = vhid_,
                        .advskew = fields.advskew,
                        .demote = fields.demote,
                        .advbase = fields.advbase,
                        .counter = fields.counter,
                        .digest = auth_.sign(fields.counter)};
  const wire::Ipv4Header ip{.tos = kLowDelay,
                            // A random id, as the BSDs have it: the digest is as good as random.
                            .id = wire::get_be16(carp.digest, 0),
                            .dont_fragment = true,
                            .ttl = wire::kCarpTtl,
                            .protocol = wire::kCarpProtocol,
                            .source = source_,
                            .destination = kCarpIpv4Group,
                            .payload_length = wire::kCarpHeaderLength};
  wire::write_ipv4(ip, out.subspan(ip_at).first<wire::kIpv4Length>());
  const std::size_t carp_at = ip_at + wire::kIpv4Length;
  wire::write_carp(carp, out.subspan(carp_at).first<wire::kCarpHeaderLength>());
  frame.length = static_cast<std::uint16_t>(carp_at + wire::kCarpHeaderLength);
  return frame;
}

TransmitFrame FrameMaker::bow_out(std::uint8_t demote, std::uint64_t counter) const {
  TransmitFrame frame =
      advertisement({.advbase = 255, .advskew = 255, .demote = demote, .counter = counter});
  frame.kind = FrameKind::bow_out;
  return frame;
}

TransmitFrame FrameMaker::gratuitous_arp(std::size_t at) const {
  TransmitFrame frame;
  frame.kind = FrameKind::announcement;
  frame.family = Family::ipv4;
  frame.port = port_;
  const std::span<std::byte> out(frame.bytes);
  const MacAddress mac = virtual_mac(vhid_);
  const std::size_t arp_at = wire::write_ethernet(out, kBroadcastMac, mac, vlan_, wire::kEtherArp);
  // protocol.md §9: a request, sender and target the shared address, target hardware address 0.
  const wire::ArpPacket arp{.operation = wire::kArpRequest,
                            .sender_mac = mac,
                            .sender_ip = shared_[at],
                            .target_mac = {},
                            .target_ip = shared_[at]};
  wire::write_arp(arp, out.subspan(arp_at).first<wire::kArpLength>());
  frame.length = static_cast<std::uint16_t>(arp_at + wire::kArpLength);
  return frame;
}

}  // namespace koi::controlplane
