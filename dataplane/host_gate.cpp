#include "dataplane/host_gate.h"

#include <optional>

#include "common/wire/arp.h"
#include "common/wire/bytes.h"
#include "common/wire/carp.h"
#include "common/wire/ipv4.h"
#include "common/wire/ipv6.h"
#include "dataplane/host_nd.h"
#include "dataplane/ip_share.h"
#include "dataplane/shared_slot.h"

namespace koi::dataplane {
namespace {

bool is_jumbo(std::size_t length, const wire::EthernetHeader& ethernet, const BurstContext& burst) {
  return length > ethernet.payload + burst.port_view().mtu;
}

std::optional<DropReason> check_link(std::size_t length, const wire::EthernetHeader& ethernet,
                                     const BurstContext& burst) {
  if (is_jumbo(length, ethernet, burst)) return DropReason::kJumbo;
  if (ethernet.source == burst.port_mac()) return std::nullopt;
  return is_virtual(ethernet.source) ? DropReason::kHostVirtualMac : DropReason::kHostSourceMac;
}

Fate arp_from_host(std::span<const std::byte> packet, const wire::EthernetHeader& ethernet,
                   const BurstContext& burst) {
  const Parsed<wire::ArpPacket> arp = wire::parse_arp(packet);
  if (!arp) return Fate::drop(arp.reason());
  const Entry* sender = burst.topology().find_address(burst.port, ethernet.vlan, arp->sender_ip);
  const bool claims = sender != nullptr && sender->kind == EntryKind::shared;
  return claims ? Fate::drop(DropReason::kHostClaim) : Fate::pass();
}

/// The slot as which a packet from a shared address leaves; nothing: as the port's own. The reason:
/// it may not leave.
Parsed<const SlotView*> sender_slot(const Entry* source, const wire::EthernetHeader& ethernet,
                                    const IpAddress& destination, std::span<const std::byte> packet,
                                    const BurstContext& burst) {
  if (source == nullptr || source->kind != EntryKind::shared) return nullptr;
  const Topology& topology = burst.topology();
  const SlotView& first = topology.slots[source->slot.value()];
  if (first.by_packet) return sender_of_packet(first, ethernet.ethertype, packet, burst);
  // In a balanced group the receiver's own member, for that is what it knows the address by.
  const Parsed<SlotIndex> slot = answering_slot(topology, *source,
                                                {.link_layer = ethernet.destination,
                                                 .ethernet = ethernet.destination,
                                                 .address = destination});
  if (!slot || burst.lease.refusal(burst.view, *slot)) return DropReason::kHostNotMaster;
  return &topology.slots[slot->value()];
}

Fate ipv4_from_host(std::span<std::byte> frame, const wire::EthernetHeader& ethernet,
                    const BurstContext& burst) {
  const std::span<const std::byte> packet = frame.subspan(ethernet.payload);
  if (packet.size() < wire::kIpv4Length) return Fate::drop(DropReason::kIpv4Length);
  if (wire::get_u8(packet, wire::kIpv4ProtocolAt) == wire::kCarpProtocol) {
    return Fate::drop(DropReason::kHostCarp);
  }
  const Entry* source = burst.topology().find_address(burst.port, ethernet.vlan,
                                                      wire::get_ipv4(packet, wire::kIpv4SourceAt));
  const auto slot = sender_slot(source, ethernet, wire::get_ipv4(packet, wire::kIpv4DestinationAt),
                                packet, burst);
  if (!slot) return Fate::drop(slot.reason());
  if (*slot != nullptr) wire::put_mac(frame, 6, (*slot)->sends_from);
  return Fate::pass();
}

/// Of a fragment whose header is the first after IPv6's. RFC 8200 §4.5: every one names the
/// protocol.
bool is_carp_fragment(std::span<const std::byte> packet) {
  return packet.size() > wire::kIpv6Length &&
         wire::get_u8(packet, wire::kIpv6NextAt) == wire::kNextFragment &&
         wire::get_u8(packet, wire::kIpv6Length) == wire::kCarpProtocol;
}

Fate ipv6_from_host(std::span<std::byte> frame, const wire::EthernetHeader& ethernet,
                    const BurstContext& burst) {
  const std::span<std::byte> packet = frame.subspan(ethernet.payload);
  const Parsed<wire::Ipv6Header> ip = wire::parse_ipv6(packet);
  if (!ip && ip.reason() != DropReason::kIpv6Fragment) return Fate::drop(ip.reason());
  if (ip ? ip->protocol == wire::kCarpProtocol : is_carp_fragment(packet)) {
    return Fate::drop(DropReason::kHostCarp);
  }
  const Entry* source = burst.topology().find_address(burst.port, ethernet.vlan,
                                                      wire::get_ipv6(packet, wire::kIpv6SourceAt));
  const auto slot = sender_slot(source, ethernet, wire::get_ipv6(packet, wire::kIpv6DestinationAt),
                                packet, burst);
  if (!slot) return Fate::drop(slot.reason());
  if (ip && ip->protocol == wire::kProtocolIcmpv6) {
    const auto reason = check_host_nd(packet, *ip, ethernet.vlan, *slot, burst);
    if (reason) return Fate::drop(*reason);
  }
  if (*slot != nullptr) wire::put_mac(frame, 6, (*slot)->sends_from);
  return Fate::pass();
}

/// IPv6's TCP, of which no more than the addresses are asked.
Fate tcp6_from_host(std::span<std::byte> frame, const wire::EthernetHeader& ethernet,
                    const BurstContext& burst) {
  const std::span<const std::byte> packet = frame.subspan(ethernet.payload);
  if (packet.size() < wire::kIpv6Length) return Fate::drop(DropReason::kIpv6Length);
  const Entry* source = burst.topology().find_address(burst.port, ethernet.vlan,
                                                      wire::get_ipv6(packet, wire::kIpv6SourceAt));
  const auto slot = sender_slot(source, ethernet, wire::get_ipv6(packet, wire::kIpv6DestinationAt),
                                packet, burst);
  if (!slot) return Fate::drop(slot.reason());
  if (*slot != nullptr) wire::put_mac(frame, 6, (*slot)->sends_from);
  return Fate::pass();
}

}  // namespace

Fate to_host(Fate fate, std::span<std::byte> frame, const wire::EthernetHeader& ethernet,
             const BurstContext& burst) {
  if (!burst.port_view().host) {
    return fate.kind() == Fate::Kind::noted ? Fate::taken() : Fate::drop(fate.reason());
  }
  if (is_jumbo(frame.size(), ethernet, burst)) return Fate::drop(DropReason::kJumbo);
  const MacAddress& to = ethernet.destination;
  const Topology& topology = burst.topology();
  if (const SlotView* group = group_by_packet(topology, burst.port, ethernet.vlan, to)) {
    return share_to_host(frame, ethernet, *group, burst);
  }
  if (to.is_multicast() || to == burst.port_mac()) return Fate::pass();
  const Vhid vhid(std::to_integer<std::uint8_t>(to.bytes[5]));
  const SlotView* slot = topology.find_slot(burst.port, ethernet.vlan, vhid);
  if (slot == nullptr || slot->mac != to) return Fate::drop(DropReason::kNotOurMac);
  if (const auto reason = burst.lease.refusal(burst.view, topology.index_of(*slot))) {
    return Fate::drop(*reason);
  }
  wire::put_mac(frame, 0, burst.port_mac());
  return Fate::pass();
}

Fate from_host(std::span<std::byte> frame, const BurstContext& burst) {
  const Parsed<wire::EthernetHeader> ethernet = wire::parse_ethernet(frame);
  if (!ethernet) return Fate::drop(ethernet.reason());
  if (const auto reason = check_link(frame.size(), *ethernet, burst)) return Fate::drop(*reason);
  if (ethernet->ethertype == wire::kEtherIpv4) return ipv4_from_host(frame, *ethernet, burst);
  if (ethernet->ethertype == wire::kEtherIpv6) return ipv6_from_host(frame, *ethernet, burst);
  if (ethernet->ethertype == wire::kEtherArp) {
    return arp_from_host(frame.subspan(ethernet->payload), *ethernet, burst);
  }
  return Fate::pass();
}

Fate segments_from_host(std::span<std::byte> frame, std::size_t longest,
                        const BurstContext& burst) {
  const Parsed<wire::EthernetHeader> ethernet = wire::parse_ethernet(frame);
  if (!ethernet) return Fate::drop(ethernet.reason());
  if (const auto reason = check_link(longest, *ethernet, burst)) return Fate::drop(*reason);
  if (ethernet->ethertype == wire::kEtherIpv4) return ipv4_from_host(frame, *ethernet, burst);
  return tcp6_from_host(frame, *ethernet, burst);
}

}  // namespace koi::dataplane
