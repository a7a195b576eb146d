#include "dataplane/ip_share.h"

#include "common/balance/fold.h"
#include "common/wire/bytes.h"
#include "common/wire/ethernet.h"
#include "common/wire/ipv4.h"
#include "common/wire/ipv6.h"

namespace koi::dataplane {
namespace {

constexpr std::uint16_t kIpv4OffsetMask = 0x1fff;

/// RFC 792, RFC 4443 §3: behind these bytes of an error is the packet that it is about.
constexpr std::size_t kErrorLength = 8;
constexpr std::uint8_t kLastIcmpv6Error = 127;

/// RFC 792: destination unreachable, source quench, time exceeded, parameter problem.
bool is_icmp_error(std::uint8_t type) { return type == 3 || type == 4 || type == 11 || type == 12; }

template <class Address>
bool is_of_group(const Topology& topology, const SlotView& group, const Address& address) {
  const Entry* entry = topology.find_address(group.port, group.vlan, address);
  return entry != nullptr && entry->kind == EntryKind::shared && entry->slot == group.first;
}

/// The source, or of an error the destination of what it is about. REQUIRES: 20 bytes.
Ipv4Address other_end(std::span<const std::byte> packet) {
  const Ipv4Address source = wire::get_ipv4(packet, wire::kIpv4SourceAt);
  const std::size_t header = std::size_t{4} * (wire::get_u8(packet, 0) & 0xf);
  const bool later = (wire::get_be16(packet, wire::kIpv4FragmentAt) & kIpv4OffsetMask) != 0;
  if (wire::get_u8(packet, wire::kIpv4ProtocolAt) != wire::kProtocolIcmp || later ||
      header < wire::kIpv4Length || packet.size() < header + kErrorLength + wire::kIpv4Length ||
      !is_icmp_error(wire::get_u8(packet, header))) {
    return source;
  }
  return wire::get_ipv4(packet, header + kErrorLength + wire::kIpv4DestinationAt);
}

/// The same. REQUIRES: 40 bytes.
Ipv6Address other_end6(std::span<const std::byte> packet) {
  const Parsed<wire::Ipv6Header> ip = wire::parse_ipv6(packet);
  if (!ip || ip->protocol != wire::kProtocolIcmpv6 ||
      ip->payload_length < kErrorLength + wire::kIpv6Length ||
      wire::get_u8(packet, ip->payload) > kLastIcmpv6Error) {
    return wire::get_ipv6(packet, wire::kIpv6SourceAt);
  }
  return wire::get_ipv6(packet, ip->payload + kErrorLength + wire::kIpv6DestinationAt);
}

SlotIndex member(const SlotView& group, std::uint32_t fold) {
  return SlotIndex(static_cast<std::uint16_t>(group.first.value() + fold % group.members));
}

/// IP to a multicast address or to all, which is no box's share.
bool is_to_many(std::uint16_t ethertype, std::span<const std::byte> packet) {
  if (ethertype == wire::kEtherIpv4 && packet.size() >= wire::kIpv4Length) {
    const Ipv4Address to = wire::get_ipv4(packet, wire::kIpv4DestinationAt);
    return to.is_multicast() || to.is_broadcast();
  }
  return ethertype == wire::kEtherIpv6 && packet.size() >= wire::kIpv6Length &&
         wire::get_ipv6(packet, wire::kIpv6DestinationAt).is_multicast();
}

}  // namespace

const SlotView* group_by_packet(const Topology& topology, PortIndex port, VlanId vlan,
                                const MacAddress& to) {
  const Vhid vhid(std::to_integer<std::uint8_t>(to.bytes[5]));
  if (to != virtual_mac(vhid) && to != multicast_virtual_mac(vhid)) return nullptr;
  const SlotView* slot = topology.find_slot(port, vlan, vhid);
  if (slot == nullptr || !slot->by_packet) return nullptr;
  return to == slot->mac || to == slot->told ? &topology.first_of(*slot) : nullptr;
}

Parsed<SlotIndex> slot_of_packet(const Topology& topology, const SlotView& group,
                                 std::uint16_t ethertype, std::span<const std::byte> packet) {
  if (ethertype == wire::kEtherIpv4) {
    if (packet.size() < wire::kIpv4Length) return DropReason::kIpv4Length;
    const Ipv4Address to = wire::get_ipv4(packet, wire::kIpv4DestinationAt);
    const bool ours = is_of_group(topology, group, to);
    const Ipv4Address from = ours ? other_end(packet) : wire::get_ipv4(packet, wire::kIpv4SourceAt);
    return member(group, balance::fold(from, to));
  }
  if (ethertype == wire::kEtherIpv6) {
    if (packet.size() < wire::kIpv6Length) return DropReason::kIpv6Length;
    const Ipv6Address to = wire::get_ipv6(packet, wire::kIpv6DestinationAt);
    const bool ours = is_of_group(topology, group, to);
    const Ipv6Address from =
        ours ? other_end6(packet) : wire::get_ipv6(packet, wire::kIpv6SourceAt);
    return member(group, balance::fold(from, to));
  }
  return group.first;
}

Fate share_to_host(std::span<std::byte> frame, const wire::EthernetHeader& ethernet,
                   const SlotView& group, const BurstContext& burst) {
  const std::span<const std::byte> packet = frame.subspan(ethernet.payload);
  if (is_to_many(ethernet.ethertype, packet)) return Fate::pass();
  const auto slot = slot_of_packet(burst.topology(), group, ethernet.ethertype, packet);
  if (!slot) return Fate::drop(slot.reason());
  if (const auto reason = burst.lease.refusal(burst.view, *slot)) return Fate::drop(*reason);
  wire::put_mac(frame, 0, burst.port_mac());
  return Fate::pass();
}

Parsed<const SlotView*> sender_of_packet(const SlotView& group, std::uint16_t ethertype,
                                         std::span<const std::byte> packet,
                                         const BurstContext& burst) {
  const Topology& topology = burst.topology();
  const auto allowed = [&](SlotIndex slot) { return !burst.lease.refusal(burst.view, slot); };
  if (!is_to_many(ethertype, packet)) {
    const auto slot = slot_of_packet(topology, group, ethertype, packet);
    if (!slot) return slot.reason();
    if (allowed(*slot)) return &topology.slots[slot->value()];
    return DropReason::kHostNotMaster;
  }
  for (std::uint32_t m = 0; m < group.members; ++m) {
    const SlotIndex slot = member(group, m);
    if (allowed(slot)) return &topology.slots[slot.value()];
  }
  return DropReason::kHostNotMaster;
}

}  // namespace koi::dataplane
