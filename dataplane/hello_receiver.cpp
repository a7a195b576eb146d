#include "dataplane/hello_receiver.h"

#include <algorithm>

#include "common/wire/bytes.h"
#include "common/wire/hello.h"
#include "common/wire/trailer.h"
#include "common/wire/udp.h"

namespace koi::dataplane {
namespace {

Fate verify(const OwnDatagram& packet, std::span<const std::byte> signed_message,
            const wire::EthernetHeader& ethernet, const BurstContext& burst) {
  const auto message = signed_message.first(signed_message.size() - wire::kTrailerLength);
  const Parsed<wire::Hello> hello = wire::parse_hello(message);
  if (!hello) return Fate::drop(hello.reason());
  const Parsed<wire::Trailer> trailer = wire::parse_trailer(signed_message.subspan(message.size()));
  if (!trailer) return Fate::drop(DropReason::kHelloFormat);

  const Topology& topology = burst.topology();
  const SlotView* slot = topology.find_slot(burst.port, ethernet.vlan, hello->vhid);
  if (slot == nullptr || slot->trailer == TrailerRule::ignored ||
      topology.index_of(*slot) != slot->first || slot->first.value() >= topology.facts.size()) {
    return Fate::drop(DropReason::kHelloVhid);
  }
  if (!burst.reporter.admit_hello()) return Fate::drop(DropReason::kHelloLimit);
  const auto keys =
      std::span(topology.trailer_keys).subspan(slot->first_trailer_key, slot->trailer_key_count);
  const auto key = std::find_if(keys.begin(), keys.end(),
                                [&](const auth::TrailerKey& k) { return k.id == trailer->key_id; });
  if (key == keys.end()) return Fate::drop(DropReason::kHelloKey);
  const auth::TrailerSubject subject{.protocol_version = auth::kTrailerOfHello,
                                     .vhid = slot->vhid,
                                     .source = packet.source,
                                     .pdu = message};
  if (!key->auth.verify(subject, *trailer)) return Fate::drop(DropReason::kHelloMac);

  wire::MismatchSet differs = wire::differences(topology.facts[slot->first.value()], hello->facts);
  if (hello->node == topology.node_id) differs |= wire::mismatch_bit(wire::Mismatch::node_id);
  const bool told = burst.reporter.offer(HelloHeard{.slot = slot->first,
                                                    .key_id = trailer->key_id,
                                                    .differs = differs,
                                                    .node = hello->node,
                                                    .demotion = hello->demotion,
                                                    .asks = hello->asks,
                                                    .masters = hello->masters,
                                                    .backups = hello->backups,
                                                    .sequence = trailer->sequence,
                                                    .source = packet.source,
                                                    .source_mac = ethernet.source,
                                                    .version = hello->version});
  return told ? Fate::taken() : Fate::drop(DropReason::kHelloLimit);
}

}  // namespace

Fate receive_hello(const OwnDatagram& packet, const wire::EthernetHeader& ethernet,
                   const BurstContext& burst) {
  const std::span<const std::byte> datagram = packet.datagram;
  if (!burst.port_view().hello || datagram.size() < wire::kUdpLength ||
      wire::get_be16(datagram, wire::kUdpDestinationAt) != wire::kHelloPort) {
    return Fate::undecided();
  }
  if (packet.ttl != wire::kHelloTtl) return Fate::drop(DropReason::kHelloTtl);
  const std::span<const std::byte> message = datagram.subspan(wire::kUdpLength);
  if (wire::get_be16(datagram, wire::kUdpLengthAt) != datagram.size() ||
      message.size() < wire::kHelloLength + wire::kTrailerLength ||
      message.size() > wire::kHelloLongest + wire::kTrailerLength) {
    return Fate::drop(DropReason::kHelloSize);
  }
  return verify(packet, message, ethernet, burst);
}

}  // namespace koi::dataplane
