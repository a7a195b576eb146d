#include "dataplane/arp_responder.h"

#include "common/wire/arp.h"
#include "common/wire/bytes.h"
#include "dataplane/neighbor_receiver.h"

namespace koi::dataplane {

Fate answer_arp(std::span<std::byte> frame, const wire::EthernetHeader& ethernet,
                const BurstContext& burst) {
  const std::span<std::byte> payload = frame.subspan(ethernet.payload);
  const Parsed<wire::ArpPacket> request = wire::parse_arp(payload);
  if (!request) return Fate::drop(request.reason());
  if (request->operation != wire::kArpRequest) {
    return take_peer(request->sender_ip, request->sender_mac, ethernet, burst,
                     DropReason::kArpNotRequest);
  }

  const Topology& topology = burst.topology();
  const Entry* entry = topology.find_address(burst.port, ethernet.vlan, request->target_ip);
  if (entry == nullptr) return Fate::drop(DropReason::kArpNotOurs);
  if (entry->kind == EntryKind::peer) {
    // Its own gratuitous request, or somebody else's question.
    if (request->sender_ip != request->target_ip) return Fate::drop(DropReason::kArpNotOurs);
    return take_peer(request->sender_ip, request->sender_mac, ethernet, burst,
                     DropReason::kArpNotOurs);
  }
  const MacAddress* mac = &burst.port_mac();
  if (entry->kind == EntryKind::shared) mac = &topology.slots[entry->slot.value()].mac;
  // RFC 5227 §3: asking for one's own address announces it.
  if (request->sender_ip == request->target_ip) {
    return Fate::drop(request->sender_mac == *mac ? DropReason::kArpAnnouncement
                                                  : DropReason::kArpClaim);
  }
  if (entry->kind == EntryKind::shared) {
    if (const auto reason = burst.lease.refusal(burst.view, entry->slot)) {
      return Fate::drop(*reason);
    }
  }
  // The answer goes to the sender hardware address: no host has a group address, none has ours.
  const MacAddress& asker = request->sender_mac;
  if (asker.is_multicast() || asker.is_zero() || asker == *mac || asker == burst.port_mac()) {
    return Fate::drop(DropReason::kArpSender);
  }
  // RFC 826: who asks says where it is. For a shared address clients ask, who are no peers.
  if (entry->kind == EntryKind::own) hear_peer(request->sender_ip, asker, ethernet, burst);

  wire::put_mac(frame, 0, asker);
  wire::put_mac(frame, 6, *mac);
  wire::turn_into_arp_reply(payload, *request, *mac);
  return Fate::answer(AnswerKind::arp, ethernet.payload + wire::kArpLength);
}

}  // namespace koi::dataplane
