#include "controlplane/announce.h"

#include "common/wire/arp.h"
#include "common/wire/bytes.h"
#include "common/wire/carp.h"
#include "common/wire/ethernet.h"
#include "common/wire/ipv4.h"
#include "common/wire/nd.h"
#include "common/wire/trailer.h"

namespace koi::controlplane {
namespace {

constexpr std::uint8_t kBowOut = 255;  // advbase and advskew (protocol.md §8)
// RFC 4861 §4.4, protocol.md §9. Router: the boxes forward, that is what they are for.
constexpr std::uint8_t kRouterOverride = wire::kNdRouter | wire::kNdOverride;

// The longest there is fits: tagged, over IPv6, signed.
static_assert(wire::kEthernetLength + wire::kVlanTagLength + wire::kIpv6Length +
                  wire::kCarpHeaderLength + wire::kTrailerLength <=
              TransmitFrame::kMaxBytes);

AdvertFields bow_out_fields(std::uint8_t demote, std::uint64_t counter) {
  return {.advbase = kBowOut, .advskew = kBowOut, .demote = demote, .counter = counter};
}

}  // namespace

TransmitFrame FrameMaker::advertisement(Family family, const AdvertFields& fields) const {
  if (family == Family::ipv4) {
    return advertisement_between(setup_.source, kCarpIpv4Group, kCarpIpv4Mac, fields);
  }
  return advertisement_between(setup_.source6, kCarpIpv6Group, kCarpIpv6Mac, fields);
}

TransmitFrame FrameMaker::bow_out(Family family, std::uint8_t demote, std::uint64_t counter) const {
  TransmitFrame frame = advertisement(family, bow_out_fields(demote, counter));
  frame.kind = FrameKind::bow_out;
  return frame;
}

TransmitFrame FrameMaker::advertisement_to(const IpAddress& peer,
                                           const std::optional<MacAddress>& mac,
                                           const AdvertFields& fields) const {
  if (!mac) return begin(FrameKind::advertisement, peer.family());
  if (peer.is_v4()) return advertisement_between(setup_.source, peer, *mac, fields);
  // The peer knows us by the address that it has in its list: of the same scope as its own.
  const bool global = !peer.v6().is_link_local() && setup_.global_source6 != Ipv6Address{};
  return advertisement_between(global ? setup_.global_source6 : setup_.source6, peer, *mac, fields);
}

TransmitFrame FrameMaker::bow_out_to(const IpAddress& peer, const std::optional<MacAddress>& mac,
                                     std::uint8_t demote, std::uint64_t counter) const {
  TransmitFrame frame = advertisement_to(peer, mac, bow_out_fields(demote, counter));
  frame.kind = FrameKind::bow_out;
  return frame;
}

TransmitFrame FrameMaker::announcement(std::size_t at) const {
  const IpAddress& shared = setup_.shared[at];
  return shared.is_v4() ? gratuitous_arp(shared.v4()) : unsolicited_advertisement(shared.v6());
}

TransmitFrame FrameMaker::advertisement_between(const IpAddress& source,
                                                const IpAddress& destination, const MacAddress& mac,
                                                const AdvertFields& fields) const {
  TransmitFrame frame = begin(FrameKind::advertisement, destination.family());
  const std::span<std::byte> out(frame.bytes);
  const wire::CarpHeader carp{.vhid = setup_.vhid,
                              .advskew = fields.advskew,
                              .demote = fields.demote,
                              .advbase = fields.advbase,
                              .counter = fields.counter,
                              .digest = auth_.sign(fields.counter)};
  const std::size_t length = wire::kCarpHeaderLength + (signer_ ? wire::kTrailerLength : 0);
  std::size_t at = 0;
  if (destination.is_v4()) {
    at = ethernet(frame, mac, wire::kEtherIpv4);
    const wire::Ipv4Header ip{.tos = setup_.traffic.ipv4,
                              // A random id, as the BSDs have it: the digest is as good as random.
                              .id = wire::get_be16(carp.digest, 0),
                              .dont_fragment = true,
                              .ttl = wire::kCarpTtl,
                              .protocol = wire::kCarpProtocol,
                              .source = source.v4(),
                              .destination = destination.v4(),
                              .payload_length = static_cast<std::uint16_t>(length)};
    wire::write_ipv4(ip, out.subspan(at).first<wire::kIpv4Length>());
    at += wire::kIpv4Length;
  } else {
    at = ethernet(frame, mac, wire::kEtherIpv6);
    const wire::Ipv6Header ip{.traffic_class = setup_.traffic.ipv6,
                              .hop_limit = wire::kCarpTtl,
                              .protocol = wire::kCarpProtocol,
                              .source = source.v6(),
                              .destination = destination.v6(),
                              .payload_length = static_cast<std::uint16_t>(length)};
    wire::write_ipv6(ip, out.subspan(at).first<wire::kIpv6Length>());
    at += wire::kIpv6Length;
  }
  // protocol.md §1: the checksum has no pseudo-header in either family.
  const auto pdu = out.subspan(at).first<wire::kCarpHeaderLength>();
  wire::write_carp(carp, pdu);
  if (signer_) write_trailer(source, fields.sequence, pdu, out.subspan(at + pdu.size()));
  frame.length = static_cast<std::uint16_t>(at + length);
  return frame;
}

/// Behind the message, and under the IP length (protocol.md §14).
void FrameMaker::write_trailer(const IpAddress& source, std::uint64_t sequence,
                               std::span<std::byte> pdu, std::span<std::byte> out) const {
  wire::Trailer trailer{.key_id = signer_->id, .sequence = sequence};
  signer_->auth.sign(
      {.protocol_version = auth::kTrailerOfCarp, .vhid = setup_.vhid, .source = source, .pdu = pdu},
      trailer);
  wire::write_trailer(trailer, out.first<wire::kTrailerLength>());
}

TransmitFrame FrameMaker::gratuitous_arp(const Ipv4Address& shared) const {
  TransmitFrame frame = begin(FrameKind::announcement, Family::ipv4);
  const std::size_t at = ethernet(frame, kBroadcastMac, wire::kEtherArp);
  // protocol.md §9: a request, sender and target the shared address, target hardware address 0.
  const wire::ArpPacket arp{.operation = wire::kArpRequest,
                            .sender_mac = virtual_mac(setup_.vhid),
                            .sender_ip = shared,
                            .target_mac = {},
                            .target_ip = shared};
  wire::write_arp(arp, std::span(frame.bytes).subspan(at).first<wire::kArpLength>());
  frame.length = static_cast<std::uint16_t>(at + wire::kArpLength);
  return frame;
}

TransmitFrame FrameMaker::unsolicited_advertisement(const Ipv6Address& shared) const {
  TransmitFrame frame = begin(FrameKind::announcement, Family::ipv6);
  const std::size_t at = ethernet(frame, multicast_mac(kAllNodes), wire::kEtherIpv6);
  const auto packet =
      std::span(frame.bytes).subspan(at).first<wire::kIpv6Length + wire::kNeighborAnswerLength>();
  wire::write_advertisement(
      shared, {.destination = kAllNodes, .mac = virtual_mac(setup_.vhid), .flags = kRouterOverride},
      packet);
  wire::set_traffic_class(packet, setup_.traffic.ipv6);
  frame.length = static_cast<std::uint16_t>(at + packet.size());
  return frame;
}

TransmitFrame FrameMaker::begin(FrameKind kind, Family family) const {
  TransmitFrame frame;
  frame.kind = kind;
  frame.family = family;
  frame.port = setup_.port;
  return frame;
}

std::size_t FrameMaker::ethernet(TransmitFrame& frame, const MacAddress& to,
                                 std::uint16_t ethertype) const {
  return wire::write_ethernet(frame.bytes, to, setup_.sends_from, setup_.vlan, ethertype,
                              setup_.pcp);
}

}  // namespace koi::controlplane
