#include "dataplane/arp_responder.h"

#include "common/wire/arp.h"
#include "common/wire/bytes.h"
#include "dataplane/conflicts.h"
#include "dataplane/neighbor_receiver.h"
#include "dataplane/shared_slot.h"

namespace koi::dataplane {
namespace {

/// What note_sender() does of those few that the filter lets through. Apart, so that the others pay
/// nothing.
[[gnu::noinline]] bool note_known_sender(const wire::ArpPacket& packet,
                                         const wire::EthernetHeader& ethernet,
                                         const BurstContext& burst) {
  const Topology& topology = burst.topology();
  const Entry* entry = topology.find_address(burst.port, ethernet.vlan, packet.sender_ip);
  if (entry == nullptr) return false;
  if (entry->kind == EntryKind::shared) {
    burst.conflicts.claim(topology, *entry, packet.sender_ip, packet.sender_mac);
  }
  return entry->kind == EntryKind::peer &&
         hear_peer(packet.sender_ip, packet.sender_mac, ethernet, burst);
}

/// The sender says that its address is at its MAC. Returns true iff it is a unicast peer's.
bool note_sender(const wire::ArpPacket& packet, const wire::EthernetHeader& ethernet,
                 const BurstContext& burst) {
  // Nearly everybody who asks is none of these.
  return burst.topology().addresses.may_have(
             Topology::address_key(burst.port, ethernet.vlan, packet.sender_ip)) &&
         note_known_sender(packet, ethernet, burst);
}

/// The asker's slot of a balanced group. Apart, so that who asks for another address pays nothing.
[[gnu::noinline]] Parsed<SlotIndex> share_of(const Topology& topology, const Entry& entry,
                                             const wire::ArpPacket& request,
                                             const wire::EthernetHeader& ethernet) {
  // protocol.md §10: the hash is over the sender hardware address, not the Ethernet source
  return answering_slot(topology, entry,
                        {.link_layer = request.sender_mac,
                         .ethernet = ethernet.source,
                         .address = request.sender_ip});
}

/// A reply is for the host, which may have asked; but what is said to a shared address is not.
Fate not_a_request(bool of_peer, const Entry* target) {
  if (target != nullptr && target->kind == EntryKind::shared) {
    return of_peer ? Fate::taken() : Fate::drop(DropReason::kArpNotRequest);
  }
  return of_peer ? Fate::noted() : Fate::not_ours(DropReason::kArpNotRequest);
}

/// RFC 5227 §3: who asks for its own address announces it.
Fate announcement(const wire::ArpPacket& packet, const Entry& entry, const BurstContext& burst) {
  const bool is_ours = entry.kind == EntryKind::shared
                           ? slot_of_mac(burst.topology(), entry, packet.sender_mac).has_value()
                           : packet.sender_mac == burst.port_mac();
  const DropReason reason = is_ours ? DropReason::kArpAnnouncement : DropReason::kArpClaim;
  // A conflict with an address of the host's own is for the host to notice.
  return entry.kind == EntryKind::own ? Fate::not_ours(reason) : Fate::drop(reason);
}

}  // namespace

Fate answer_arp(std::span<std::byte> frame, const wire::EthernetHeader& ethernet,
                const BurstContext& burst) {
  const std::span<std::byte> payload = frame.subspan(ethernet.payload);
  const Parsed<wire::ArpPacket> request = wire::parse_arp(payload);
  if (!request) return Fate::drop(request.reason());
  const bool is_request = request->operation == wire::kArpRequest;
  const bool is_reply = request->operation == wire::kArpReply;
  const bool of_peer = (is_request || is_reply) && note_sender(*request, ethernet, burst);
  const Topology& topology = burst.topology();
  const Entry* entry = topology.find_address(burst.port, ethernet.vlan, request->target_ip);
  if (!is_request) return not_a_request(of_peer, entry);
  if (entry == nullptr || entry->kind == EntryKind::peer) {
    return of_peer ? Fate::noted() : Fate::not_ours(DropReason::kArpNotOurs);
  }
  if (request->sender_ip == request->target_ip) {
    return announcement(*request, *entry, burst);
  }
  const MacAddress& asker = request->sender_mac;
  const MacAddress* mac = &burst.port_mac();
  const MacAddress* from = mac;
  if (entry->kind == EntryKind::shared) {
    SlotIndex slot = entry->slot;
    if (entry->is_balanced()) {
      const Parsed<SlotIndex> share = share_of(topology, *entry, *request, ethernet);
      if (!share) return Fate::drop(share.reason());
      slot = *share;
    }
    if (const auto reason = burst.lease.refusal(burst.view, slot)) return Fate::drop(*reason);
    mac = &topology.slots[slot.value()].told;
    from = &topology.slots[slot.value()].sends_from;
  } else if (entry->on_host) {
    return of_peer ? Fate::noted() : Fate::not_ours(DropReason::kArpNotOurs);
  }
  // The answer goes to the sender hardware address: no host has a group address, none has ours.
  if (asker.is_multicast() || asker.is_zero() || asker == *mac || asker == burst.port_mac()) {
    return Fate::drop(DropReason::kArpSender);
  }
  // RFC 826: who asks says where it is. For a shared address clients ask, who are no peers.
  if (entry->kind == EntryKind::own) hear_peer(request->sender_ip, asker, ethernet, burst);

  wire::put_mac(frame, 0, asker);
  wire::put_mac(frame, 6, *from);
  wire::turn_into_arp_reply(payload, *request, *mac);
  return Fate::answer(AnswerKind::arp, ethernet.payload + wire::kArpLength);
}

}  // namespace koi::dataplane
