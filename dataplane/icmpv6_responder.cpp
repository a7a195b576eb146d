#include "dataplane/icmpv6_responder.h"

#include "common/wire/bytes.h"
#include "common/wire/icmpv6.h"
#include "common/wire/ipv6.h"
#include "common/wire/udp.h"
#include "dataplane/hello_receiver.h"
#include "dataplane/nd_responder.h"
#include "dataplane/query_receiver.h"
#include "dataplane/shared_slot.h"

namespace koi::dataplane {
namespace {

constexpr std::uint8_t kEchoReplyHopLimit = 64;

Fate answer_echo(std::span<std::byte> frame, const wire::EthernetHeader& ethernet,
                 const wire::Ipv6Header& ip, const BurstContext& burst) {
  const Topology& topology = burst.topology();
  const Entry* entry = topology.find_address(burst.port, ethernet.vlan, ip.destination);
  if (entry == nullptr || entry->kind == EntryKind::peer) {
    return Fate::not_ours(DropReason::kIpv6NotOurs);
  }
  if (entry->kind == EntryKind::own && ip.protocol == wire::kProtocolUdp) {
    const Fate hello =
        receive_hello({.source = ip.source,
                       .ttl = ip.hop_limit,
                       .datagram = frame.subspan(ethernet.payload + ip.payload, ip.payload_length)},
                      ethernet, burst);
    if (hello.kind() != Fate::Kind::undecided) return hello;
  }
  if (entry->kind == EntryKind::own && entry->on_host) {
    return Fate::not_ours(DropReason::kIpv6NotOurs);
  }
  const std::span<std::byte> packet = frame.subspan(ethernet.payload);
  const Parsed<MacAddress> from = answering_mac(*entry, ethernet, packet, burst);
  if (!from) return Fate::drop(from.reason());
  if (ip.protocol != wire::kProtocolIcmpv6 || entry->on_host) {
    return Fate::not_ours(DropReason::kIpv6Protocol);
  }
  // RFC 4443 §2.4 (e): no answer to a source that is no one host's; one to ourselves would loop.
  const Entry* asker = topology.find_address(burst.port, ethernet.vlan, ip.source);
  if (!ip.source.is_host() || (asker != nullptr && asker->kind != EntryKind::peer)) {
    return Fate::drop(DropReason::kIpv6Source);
  }
  // Extension headers are the sender's, and are not sent back.
  if (ip.payload != wire::kIpv6Length) return Fate::not_ours(DropReason::kIpv6Extensions);

  const std::span<std::byte> message = packet.subspan(wire::kIpv6Length, ip.payload_length);
  const auto echo = wire::parse_icmpv6_echo_request(ip, message);
  if (!echo) {
    // An error about what the host sent from there is for the host.
    return echo.reason() == DropReason::kIcmp6NotEcho ? Fate::not_ours(echo.reason())
                                                      : Fate::drop(echo.reason());
  }

  wire::put_mac(frame, 0, ethernet.source);
  wire::put_mac(frame, 6, *from);
  packet[wire::kIpv6HopLimitAt] = std::byte{kEchoReplyHopLimit};
  wire::put_ipv6(packet, wire::kIpv6SourceAt, ip.destination);
  wire::put_ipv6(packet, wire::kIpv6DestinationAt, ip.source);
  wire::turn_into_icmpv6_echo_reply(message);
  return Fate::answer(AnswerKind::icmp, ethernet.payload + wire::kIpv6Length + ip.payload_length);
}

}  // namespace

Fate answer_icmpv6(std::span<std::byte> frame, std::size_t room,
                   const wire::EthernetHeader& ethernet, const wire::Ipv6Header& ip,
                   const BurstContext& burst) {
  if (ip.protocol == wire::kProtocolIcmpv6 && ip.payload_length != 0) {
    switch (wire::get_u8(frame, ethernet.payload + ip.payload)) {
      case wire::kNeighborSolicitation:
        return answer_solicitation(frame, room, ethernet, ip, burst);
      case wire::kNeighborAdvertisement:
        return judge_advertisement(frame, ethernet, ip, burst);
      case wire::kMldQuery:
        return receive_mld(frame, ethernet, ip, burst);
      default:
        break;
    }
  }
  return answer_echo(frame, ethernet, ip, burst);
}

}  // namespace koi::dataplane
