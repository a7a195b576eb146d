#include "dataplane/icmp_responder.h"

#include "common/wire/bytes.h"
#include "common/wire/checksum.h"
#include "common/wire/icmp.h"
#include "common/wire/ipv4.h"
#include "common/wire/udp.h"
#include "dataplane/hello_receiver.h"
#include "dataplane/shared_slot.h"

namespace koi::dataplane {
namespace {

constexpr std::uint8_t kEchoReplyTtl = 64;

}  // namespace

Fate answer_icmp_echo(std::span<std::byte> frame, const wire::EthernetHeader& ethernet,
                      const wire::Ipv4Header& ip, const BurstContext& burst) {
  const Topology& topology = burst.topology();
  const Entry* entry = topology.find_address(burst.port, ethernet.vlan, ip.destination);
  if (entry == nullptr || entry->kind == EntryKind::peer) {
    return Fate::not_ours(DropReason::kIpv4NotOurs);
  }
  if (entry->kind == EntryKind::own && ip.protocol == wire::kProtocolUdp) {
    const Fate hello = receive_hello(
        {.source = ip.source,
         .ttl = ip.ttl,
         .datagram = frame.subspan(ethernet.payload + wire::kIpv4Length, ip.payload_length)},
        ethernet, burst);
    if (hello.kind() != Fate::Kind::undecided) return hello;
  }
  if (entry->kind == EntryKind::own && entry->on_host) {
    return Fate::not_ours(DropReason::kIpv4NotOurs);
  }
  const std::span<std::byte> packet = frame.subspan(ethernet.payload);
  const Parsed<MacAddress> from = answering_mac(*entry, ethernet, packet, burst);
  if (!from) return Fate::drop(from.reason());
  if (ip.protocol != wire::kProtocolIcmp || entry->on_host) {
    return Fate::not_ours(DropReason::kIpv4Protocol);
  }
  // RFC 1122 §3.2.1.3: these are never a source, and an answer to ourselves would loop.
  const Entry* asker = topology.find_address(burst.port, ethernet.vlan, ip.source);
  if (!ip.source.is_host() || (asker != nullptr && asker->kind != EntryKind::peer)) {
    return Fate::drop(DropReason::kIpv4Source);
  }

  const std::span<std::byte> message = packet.subspan(wire::kIpv4Length, ip.payload_length);
  const auto echo = wire::parse_icmp_echo_request(message);
  if (!echo) {
    // An error about what the host sent from there is for the host.
    return echo.reason() == DropReason::kIcmpNotEcho ? Fate::not_ours(echo.reason())
                                                     : Fate::drop(echo.reason());
  }

  wire::put_mac(frame, 0, ethernet.source);
  wire::put_mac(frame, 6, *from);
  wire::put_ipv4(packet, wire::kIpv4SourceAt, ip.destination);
  wire::put_ipv4(packet, wire::kIpv4DestinationAt, ip.source);
  const std::uint16_t old_word = wire::get_be16(packet, wire::kIpv4TtlAt);
  const auto new_word = static_cast<std::uint16_t>((kEchoReplyTtl << 8) | (old_word & 0xff));
  wire::put_be16(packet, wire::kIpv4TtlAt, new_word);
  wire::put_be16(
      packet, wire::kIpv4ChecksumAt,
      wire::checksum_update(wire::get_be16(packet, wire::kIpv4ChecksumAt), old_word, new_word));
  wire::turn_into_echo_reply(message);
  return Fate::answer(AnswerKind::icmp, ethernet.payload + wire::kIpv4Length + ip.payload_length);
}

}  // namespace koi::dataplane
