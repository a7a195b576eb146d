#include "dataplane/classify.h"

#include <algorithm>

#include "common/wire/carp.h"
#include "common/wire/igmp.h"
#include "common/wire/ipv4.h"
#include "common/wire/ipv6.h"
#include "dataplane/arp_responder.h"
#include "dataplane/conflicts.h"
#include "dataplane/host_gate.h"
#include "dataplane/icmp_responder.h"
#include "dataplane/icmpv6_responder.h"
#include "dataplane/query_receiver.h"

namespace koi::dataplane {
namespace {

/// A virtual MAC of CARP (protocol.md §2); which one exactly is the responder's to check.
bool is_carp_virtual(const MacAddress& mac) {
  constexpr MacAddress kPrefix = virtual_mac(Vhid(0));
  return std::equal(mac.bytes.begin(), mac.bytes.end() - 1, kPrefix.bytes.begin());
}

/// What only a host can make sense of, and is no advertisement: those come whole and without
/// options, and are for nobody else. protocol_at: where the protocol stands in the packet, if so
/// far it goes.
Fate for_host(std::span<const std::byte> packet, std::size_t protocol_at, DropReason reason) {
  const bool carp =
      packet.size() > protocol_at && wire::get_u8(packet, protocol_at) == wire::kCarpProtocol;
  return carp ? Fate::drop(reason) : Fate::not_ours(reason);
}

Fate classify_ipv4(std::span<std::byte> frame, const wire::EthernetHeader& ethernet,
                   const BurstContext& burst, AdvertReceiver& adverts) {
  const std::span<std::byte> packet = frame.subspan(ethernet.payload);
  if (wire::is_igmp(packet)) return receive_igmp(packet, ethernet, burst);
  const Parsed<wire::Ipv4Header> ip = wire::parse_ipv4(packet);
  if (!ip) {
    const bool sound =
        ip.reason() == DropReason::kIpv4Options || ip.reason() == DropReason::kIpv4Fragment;
    return sound ? for_host(packet, wire::kIpv4ProtocolAt, ip.reason()) : Fate::drop(ip.reason());
  }
  if (ip->protocol != wire::kCarpProtocol) return answer_icmp_echo(frame, ethernet, *ip, burst);
  return adverts.receive({.source = ip->source,
                          .destination = ip->destination,
                          .ttl = ip->ttl,
                          .payload = packet.subspan(wire::kIpv4Length, ip->payload_length)},
                         ethernet, burst);
}

Fate classify_ipv6(std::span<std::byte> frame, std::size_t room,
                   const wire::EthernetHeader& ethernet, const BurstContext& burst,
                   AdvertReceiver& adverts) {
  const std::span<std::byte> packet = frame.subspan(ethernet.payload);
  const Parsed<wire::Ipv6Header> ip = wire::parse_ipv6(packet);
  if (!ip) {
    if (ip.reason() != DropReason::kIpv6Fragment) return Fate::drop(ip.reason());
    const bool first = wire::get_u8(packet, wire::kIpv6NextAt) == wire::kNextFragment;
    return for_host(packet, first ? wire::kIpv6Length : wire::kIpv6NextAt, ip.reason());
  }
  if (ip->protocol != wire::kCarpProtocol) {
    return answer_icmpv6(frame, room, ethernet, *ip, burst);
  }
  return adverts.receive({.source = ip->source,
                          .destination = ip->destination,
                          .ttl = ip->hop_limit,
                          .payload = packet.subspan(ip->payload, ip->payload_length)},
                         ethernet, burst);
}

Fate respond(std::span<std::byte> frame, std::size_t room, const wire::EthernetHeader& ethernet,
             const BurstContext& burst, AdvertReceiver& adverts) {
  if (ethernet.ethertype == wire::kEtherArp) return answer_arp(frame, ethernet, burst);
  if (ethernet.ethertype == wire::kEtherIpv4) {
    return classify_ipv4(frame, ethernet, burst, adverts);
  }
  if (ethernet.ethertype == wire::kEtherIpv6) {
    return classify_ipv6(frame, room, ethernet, burst, adverts);
  }
  return Fate::not_ours(DropReason::kEthertype);
}

}  // namespace

Fate classify(std::span<std::byte> frame, std::size_t room, const BurstContext& burst,
              AdvertReceiver& adverts) {
  const Parsed<wire::EthernetHeader> ethernet = wire::parse_ethernet(frame);
  if (!ethernet) return Fate::drop(ethernet.reason());
  burst.conflicts.source(frame, *ethernet, burst);
  const MacAddress& to = ethernet->destination;
  if (!to.is_multicast() && to != burst.port_mac() && !is_carp_virtual(to)) {
    return Fate::drop(DropReason::kNotOurMac);
  }
  const Fate fate = respond(frame, room, *ethernet, burst, adverts);
  if (fate.kind() < Fate::Kind::not_ours) [[likely]]
    return fate;
  return to_host(fate, frame, *ethernet, burst);
}

}  // namespace koi::dataplane
