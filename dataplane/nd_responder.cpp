#include "dataplane/nd_responder.h"

#include <optional>

#include "common/wire/bytes.h"
#include "common/wire/nd.h"
#include "dataplane/dad_limit.h"

namespace koi::dataplane {
namespace {

/// Which slot of a shared address answers this solicitation, if any does: of a group without
/// balancing its only one.
std::optional<SlotIndex> slot_for(const Topology& /*topology*/, const Entry& entry,
                                  const wire::NeighborMessage& /*solicitation*/) {
  return entry.slot;
}

/// The hardware address that answers for an address of no balanced group.
const MacAddress& mac_of(const BurstContext& burst, const Entry& entry) {
  return entry.kind == EntryKind::shared ? burst.topology().slots[entry.slot.value()].mac
                                         : burst.port_mac();
}

/// Somebody says that an address of ours is at a MAC: it is, or that is a claim.
Fate judge_claim(const MacAddress& said, const MacAddress& right) {
  return Fate::drop(said == right ? DropReason::kNdAnnouncement : DropReason::kNdClaim);
}

}  // namespace

Fate answer_solicitation(std::span<std::byte> frame, std::size_t room,
                         const wire::EthernetHeader& ethernet, const wire::Ipv6Header& ip,
                         const BurstContext& burst) {
  const std::span<std::byte> packet = frame.subspan(ethernet.payload);
  const auto message = packet.subspan(ip.payload, ip.payload_length);
  const Parsed<wire::NeighborMessage> solicitation = wire::parse_solicitation(ip, message);
  if (!solicitation) return Fate::drop(solicitation.reason());

  const Ipv6Address& target = solicitation->target;
  const Topology& topology = burst.topology();
  const Entry* entry = topology.find_address(burst.port, ethernet.vlan, target);
  if (entry == nullptr || entry->kind == EntryKind::peer) {
    return Fate::drop(DropReason::kNdNotOurs);
  }
  // RFC 4861 §7.2.2: to the target's solicited-node group, or to the target itself; and anybody may
  // ask all nodes.
  if (ip.destination != target && !is_solicited_node_of(ip.destination, target) &&
      ip.destination != kAllNodes) {
    return Fate::drop(DropReason::kIpv6NotOurs);
  }
  // RFC 4861 §7.2.4: the option says where the answer goes; without it, who sent the frame.
  const MacAddress& asker = solicitation->link_layer ? *solicitation->link_layer : ethernet.source;
  const MacAddress* mac = &mac_of(burst, *entry);
  // As with ARP, who asks for its own address says where it is.
  if (ip.source == target) return judge_claim(asker, *mac);

  if (entry->kind == EntryKind::shared) {
    const std::optional<SlotIndex> slot = slot_for(topology, *entry, *solicitation);
    if (!slot) return Fate::drop(DropReason::kNotMaster);
    if (const auto reason = burst.lease.refusal(burst.view, *slot)) return Fate::drop(*reason);
    mac = &topology.slots[slot->value()].mac;
  }
  const bool detection = ip.source.is_unspecified();
  if (!detection && !ip.source.is_host()) return Fate::drop(DropReason::kIpv6Source);
  if (asker.is_multicast() || asker.is_zero() || asker == *mac || asker == burst.port_mac()) {
    return Fate::drop(DropReason::kNdSender);
  }
  const std::size_t length = ethernet.payload + wire::kIpv6Length + wire::kNeighborAnswerLength;
  if (length > frame.size() + room) return Fate::drop(DropReason::kNdLength);
  if (detection && !burst.dad.allow(topology, *entry, burst.reporter.now())) {
    return Fate::drop(DropReason::kNdDad);
  }

  // RFC 4861 §7.2.4: Override, for a shared address is no anycast address; Solicited unless it goes
  // to all nodes. RFC 9568 §6.4.1: who answers for a shared address is a router.
  wire::NeighborAnswer answer{.destination = ip.source, .mac = *mac, .flags = wire::kNdOverride};
  MacAddress to = asker;
  if (detection) {
    answer.destination = kAllNodes;
    to = multicast_mac(kAllNodes);
  } else {
    answer.flags |= wire::kNdSolicited;
  }
  if (entry->kind == EntryKind::shared) answer.flags |= wire::kNdRouter;
  const std::span<std::byte> out(frame.data(), length);  // into the room, if it has to be
  wire::put_mac(out, 0, to);
  wire::put_mac(out, 6, *mac);
  wire::turn_into_advertisement(out.subspan(ethernet.payload), ip, *solicitation, answer);
  return Fate::answer(AnswerKind::nd, length);
}

Fate judge_advertisement(std::span<const std::byte> frame, const wire::EthernetHeader& ethernet,
                         const wire::Ipv6Header& ip, const BurstContext& burst) {
  const auto message = frame.subspan(ethernet.payload + ip.payload, ip.payload_length);
  const Parsed<wire::NeighborMessage> said = wire::parse_advertisement(ip, message);
  if (!said) return Fate::drop(said.reason());

  const Entry* entry = burst.topology().find_address(burst.port, ethernet.vlan, said->target);
  if (entry == nullptr) return Fate::drop(DropReason::kNdNotOurs);
  switch (entry->kind) {
    case EntryKind::peer:  // what a unicast peer says of itself: nobody is told yet
      return Fate::drop(DropReason::kNdNotOurs);
    case EntryKind::own:
    case EntryKind::shared:
      break;
  }
  return judge_claim(said->link_layer ? *said->link_layer : ethernet.source, mac_of(burst, *entry));
}

}  // namespace koi::dataplane
