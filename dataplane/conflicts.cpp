#include "dataplane/conflicts.h"

#include <optional>

#include "common/wire/arp.h"
#include "common/wire/bytes.h"
#include "common/wire/carp.h"
#include "common/wire/ipv4.h"
#include "dataplane/shared_slot.h"

namespace koi::dataplane {
namespace {

constexpr std::uint16_t kEthertypeIpv6 = 0x86dd;
constexpr std::size_t kIpv6Length = 40;
constexpr std::uint8_t kNextIcmp6 = 58;
constexpr std::uint8_t kNeighborAdvertisement = 136;

/// Who sent a frame from a virtual MAC; nothing iff it is CARP or an announcement from there. Looks
/// at no byte that is not there.
std::optional<IpAddress> stranger(std::span<const std::byte> frame,
                                  const wire::EthernetHeader& ethernet) {
  const std::span<const std::byte> packet = frame.subspan(ethernet.payload);
  if (ethernet.ethertype == wire::kEtherArp) {
    const auto arp = wire::parse_arp(packet);
    if (!arp) return IpAddress{};
    // protocol.md §9: sender and target are the address itself, from its virtual MAC
    if (arp->sender_ip == arp->target_ip && arp->sender_mac == ethernet.source) return std::nullopt;
    return arp->sender_ip;
  }
  if (ethernet.ethertype == wire::kEtherIpv4 && packet.size() >= wire::kIpv4Length) {
    if (wire::get_u8(packet, 9) == wire::kCarpProtocol) return std::nullopt;
    return wire::get_ipv4(packet, 12);
  }
  if (ethernet.ethertype == kEthertypeIpv6 && packet.size() >= kIpv6Length) {
    const std::uint8_t next = wire::get_u8(packet, 6);
    if (next == wire::kCarpProtocol) return std::nullopt;
    // protocol.md §9: the unsolicited one goes to all nodes
    if (next == kNextIcmp6 && ethernet.destination.is_multicast() && packet.size() > kIpv6Length &&
        wire::get_u8(packet, kIpv6Length) == kNeighborAdvertisement) {
      return std::nullopt;
    }
    Ipv6Address sender;
    std::memcpy(sender.bytes.data(), packet.data() + 8, sender.bytes.size());
    return sender;
  }
  return IpAddress{};
}

}  // namespace

void ConflictWatch::claim(const Topology& topology, const Entry& entry, const IpAddress& address,
                          const MacAddress& mac) {
  if (slot_of_mac(topology, entry, mac)) return;
  report(entry.slot, ConflictKind::address_claim, address, mac);
}

void ConflictWatch::virtual_source(std::span<const std::byte> frame,
                                   const wire::EthernetHeader& ethernet,
                                   const BurstContext& burst) {
  const Topology& topology = burst.topology();
  const Vhid vhid(std::to_integer<std::uint8_t>(ethernet.source.bytes[5]));
  const SlotView* slot = topology.find_slot(burst.port, ethernet.vlan, vhid);
  if (slot == nullptr) return;
  const SlotIndex index = topology.index_of(*slot);
  if (burst.view.terms[index.value()] == Term{}) return;
  // protocol.md §11: in `ip-unicast` an OpenBSD sends all of its share from the first one's.
  const bool of_all = slot->by_packet && index == slot->first && slot->sends_from == slot->mac;
  if (of_all) return;
  const std::optional<IpAddress> sender = stranger(frame, ethernet);
  if (sender) report(index, ConflictKind::virtual_mac, *sender, ethernet.source);
}

DropReason ConflictWatch::vrrp(const wire::VrrpHeader& vrrp, const IpAddress& sender,
                               const wire::EthernetHeader& ethernet, const BurstContext& burst) {
  const Topology& topology = burst.topology();
  const SlotView* slot = topology.find_slot(burst.port, ethernet.vlan, vrrp.number);
  if (slot == nullptr) return DropReason::kCarpVhid;
  report(topology.index_of(*slot), ConflictKind::vrrp, sender, ethernet.source);
  return DropReason::kVrrp;
}

void ConflictWatch::report(SlotIndex slot, ConflictKind kind, const IpAddress& who,
                           const MacAddress& mac) {
  Instant& next = next_[slot.value()][static_cast<std::size_t>(kind)];
  const Instant now = reporter_.now();
  if (now < next) return;
  if (reporter_.offer(Conflict{slot, kind, who, mac})) next = now + kInterval;
}

}  // namespace koi::dataplane
