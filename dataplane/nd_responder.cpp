#include "dataplane/nd_responder.h"

#include "common/wire/bytes.h"
#include "common/wire/nd.h"
#include "dataplane/conflicts.h"
#include "dataplane/dad_limit.h"
#include "dataplane/neighbor_receiver.h"
#include "dataplane/shared_slot.h"

namespace koi::dataplane {
namespace {

/// Somebody says that an address of ours is at a MAC: it is, or that is a claim.
Fate judge_claim(const Entry& entry, const IpAddress& address, const MacAddress& said,
                 const BurstContext& burst) {
  if (entry.kind == EntryKind::own) {
    return Fate::drop(said == burst.port_mac() ? DropReason::kNdAnnouncement
                                               : DropReason::kNdClaim);
  }
  burst.conflicts.claim(burst.topology(), entry, address, said);
  return Fate::drop(slot_of_mac(burst.topology(), entry, said) ? DropReason::kNdAnnouncement
                                                               : DropReason::kNdClaim);
}

/// Without the option it is at its sender's MAC; but a box of a group that is balanced by packet
/// sends from its own one, which says nothing.
bool says_no_mac(const wire::NeighborMessage& said, const Entry& entry, const BurstContext& burst) {
  return !said.link_layer && entry.kind == EntryKind::shared &&
         burst.topology().slots[entry.slot.value()].by_packet;
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
  if (entry == nullptr || entry->kind == EntryKind::peer ||
      (entry->kind == EntryKind::own && entry->on_host)) {
    return Fate::not_ours(DropReason::kNdNotOurs);
  }
  // RFC 4861 §7.2.2: to the target's solicited-node group, or to the target itself; and anybody may
  // ask all nodes.
  if (ip.destination != target && !is_solicited_node_of(ip.destination, target) &&
      ip.destination != kAllNodes) {
    return Fate::drop(DropReason::kIpv6NotOurs);
  }
  // RFC 4861 §7.2.4: the option says where the answer goes; without it, who sent the frame.
  const MacAddress& asker = solicitation->link_layer ? *solicitation->link_layer : ethernet.source;
  // As with ARP, who asks for its own address says where it is.
  if (ip.source == target) return judge_claim(*entry, target, asker, burst);
  const MacAddress* mac = &burst.port_mac();
  const MacAddress* from = mac;

  if (entry->kind == EntryKind::shared) {
    const Parsed<SlotIndex> slot = answering_slot(topology, *entry,
                                                  {.link_layer = solicitation->link_layer,
                                                   .ethernet = ethernet.source,
                                                   .address = ip.source});
    if (!slot) return Fate::drop(slot.reason());
    if (const auto reason = burst.lease.refusal(burst.view, *slot)) return Fate::drop(*reason);
    mac = &topology.slots[slot->value()].told;
    from = &topology.slots[slot->value()].sends_from;
  }
  const bool detection = ip.source.is_unspecified();
  if (!detection && !ip.source.is_host()) return Fate::drop(DropReason::kIpv6Source);
  if (asker.is_multicast() || asker.is_zero() || asker == *mac || asker == burst.port_mac()) {
    return Fate::drop(DropReason::kNdSender);
  }
  const std::size_t length = ethernet.payload + wire::kIpv6Length + wire::kNeighborAnswerLength;
  if (length > frame.size() + room) return Fate::drop(DropReason::kNdLength);
  if (detection && !burst.dad.allow(*entry, burst.reporter.now())) {
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
  wire::put_mac(out, 6, *from);
  wire::turn_into_advertisement(out.subspan(ethernet.payload), ip, *solicitation, answer);
  return Fate::answer(AnswerKind::nd, length);
}

Fate judge_advertisement(std::span<const std::byte> frame, const wire::EthernetHeader& ethernet,
                         const wire::Ipv6Header& ip, const BurstContext& burst) {
  const auto message = frame.subspan(ethernet.payload + ip.payload, ip.payload_length);
  const Parsed<wire::NeighborMessage> said = wire::parse_advertisement(ip, message);
  if (!said) return Fate::drop(said.reason());

  const Entry* entry = burst.topology().find_address(burst.port, ethernet.vlan, said->target);
  if (entry == nullptr) return Fate::not_ours(DropReason::kNdNotOurs);
  const MacAddress& mac = said->link_layer ? *said->link_layer : ethernet.source;
  if (entry->kind == EntryKind::peer) {
    return take_peer(said->target, mac, ethernet, burst, DropReason::kNdNotOurs);
  }
  const Fate fate = says_no_mac(*said, *entry, burst)
                        ? Fate::drop(DropReason::kNdAnnouncement)
                        : judge_claim(*entry, said->target, mac, burst);
  // What is said of the host's own addresses is for the host; of a shared one, the answer to it.
  const bool for_host = entry->kind == EntryKind::own || !ethernet.destination.is_multicast();
  return for_host ? Fate::not_ours(fate.reason()) : fate;
}

}  // namespace koi::dataplane
