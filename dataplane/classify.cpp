#include "dataplane/classify.h"

#include <algorithm>

#include "common/wire/carp.h"
#include "common/wire/ipv4.h"
#include "dataplane/arp_responder.h"
#include "dataplane/conflicts.h"
#include "dataplane/icmp_responder.h"

namespace koi::dataplane {
namespace {

/// A virtual MAC of anybody (protocol.md §2); which one exactly is the responder's to check.
bool is_virtual(const MacAddress& mac) {
  constexpr MacAddress kPrefix = virtual_mac(Vhid(0));
  return std::equal(mac.bytes.begin(), mac.bytes.end() - 1, kPrefix.bytes.begin());
}

}  // namespace

Fate classify(std::span<std::byte> frame, const BurstContext& burst, AdvertReceiver& adverts) {
  const Parsed<wire::EthernetHeader> ethernet = wire::parse_ethernet(frame);
  if (!ethernet) return Fate::drop(ethernet.reason());
  burst.conflicts.source(frame, *ethernet, burst);
  const MacAddress& to = ethernet->destination;
  if (!to.is_multicast() && to != burst.port_mac() && !is_virtual(to)) {
    return Fate::drop(DropReason::kNotOurMac);
  }
  if (ethernet->ethertype == wire::kEtherArp) return answer_arp(frame, *ethernet, burst);
  if (ethernet->ethertype != wire::kEtherIpv4) return Fate::drop(DropReason::kEthertype);

  const Parsed<wire::Ipv4Header> ip = wire::parse_ipv4(frame.subspan(ethernet->payload));
  if (!ip) return Fate::drop(ip.reason());
  if (ip->protocol == wire::kCarpProtocol) return adverts.receive(frame, *ethernet, *ip, burst);
  return answer_icmp_echo(frame, *ethernet, *ip, burst);
}

}  // namespace koi::dataplane
