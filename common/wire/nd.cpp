#include "common/wire/nd.h"

#include <algorithm>

#include "common/wire/bytes.h"
#include "common/wire/checksum.h"
#include "common/wire/reader.h"
#include "common/wire/writer.h"

namespace koi::wire {
namespace {

constexpr std::uint8_t kHopLimit = 255;
constexpr std::size_t kFlagsAt = 4;  // flags and reserved, 4 bytes
constexpr std::size_t kTargetAt = 8;
constexpr std::uint16_t kAdvertisementWord = kNeighborAdvertisement << 8;  // type, code 0
constexpr std::uint16_t kSolicitationWord = kNeighborSolicitation << 8;
constexpr std::uint16_t kSourceOptionWord = (kSourceLinkLayer << 8) | 1;  // type, length 1
constexpr std::uint16_t kTargetOptionWord = (kTargetLinkLayer << 8) | 1;  // type, length 1
constexpr std::uint32_t kVersionWord = 0x60000000;

/// RFC 4861 §4.6: every option has its length in units of 8 bytes; those that we do not know are
/// passed over. Of several of the wanted kind the first counts. Returns false iff one is broken.
bool find_link_layer(std::span<const std::byte> options, std::uint8_t wanted,
                     std::optional<MacAddress>& found) {
  // What nearly every solicitation has, without a loop.
  if (options.size() == kLinkLayerOptionLength && get_u8(options, 0) == wanted &&
      get_u8(options, 1) == 1) {
    found = get_mac(options, 2);
    return true;
  }
  for (Reader r(options); r.remaining() != 0;) {
    const std::uint8_t type = r.u8();
    const std::size_t length = std::size_t{8} * r.u8();
    if (!r.ok() || length == 0 || length - 2 > r.remaining()) return false;
    if (type != wanted || found) {
      r.skip(length - 2);
      continue;
    }
    if (length != kLinkLayerOptionLength) return false;
    found = r.mac();
  }
  return true;
}

/// What §7.1.1 and §7.1.2 have in common.
Parsed<NeighborMessage> parse_neighbor(const Ipv6Header& ip, std::span<const std::byte> message,
                                       std::uint8_t wanted) {
  Parsed<NeighborMessage> parsed;
  NeighborMessage& neighbor = parsed.value();
  if (ip.hop_limit != kHopLimit) {
    parsed.fail(DropReason::kNdHopLimit);
  } else if (message.size() < kNeighborLength) {
    parsed.fail(DropReason::kNdLength);
  } else if (get_u8(message, 1) != 0) {
    parsed.fail(DropReason::kNdCode);
  } else if (!icmpv6_checksum_ok(ip, message)) {
    parsed.fail(DropReason::kIcmp6Checksum);
  } else {
    neighbor.checksum = get_be16(message, kIcmpv6ChecksumAt);
    neighbor.flags = get_u8(message, kFlagsAt);
    neighbor.target = get_ipv6(message, kTargetAt);
    if (!neighbor.target.is_host()) {
      parsed.fail(DropReason::kNdTarget);
    } else if (!find_link_layer(message.subspan(kNeighborLength), wanted, neighbor.link_layer)) {
      parsed.fail(DropReason::kNdOptions);
    }
  }
  return parsed;
}

/// RFC 4291 §2.7.1: ff02::1:ff00:0/104.
bool is_solicited_node(const Ipv6Address& group) {
  constexpr Ipv6Address kPrefix = solicited_node({});
  return std::equal(group.bytes.begin(), group.bytes.begin() + 13, kPrefix.bytes.begin());
}

/// A whole packet with one option, as both kinds have it.
struct NeighborPacket {
  std::uint16_t type = 0;  // and code 0
  std::uint8_t flags = 0;
  Ipv6Address source;
  Ipv6Address destination;
  Ipv6Address target;
  std::uint16_t option = 0;  // type and length
  MacAddress mac;
};

void write_neighbor(const NeighborPacket& packet,
                    std::span<std::byte, kIpv6Length + kNeighborAnswerLength> out) {
  write_ipv6({.hop_limit = kHopLimit,
              .protocol = kProtocolIcmpv6,
              .source = packet.source,
              .destination = packet.destination,
              .payload_length = kNeighborAnswerLength},
             out.first<kIpv6Length>());
  const std::span<std::byte> message = out.subspan(kIpv6Length);
  Writer w(message);
  w.be16(packet.type);
  w.be16(0);
  w.be32(std::uint32_t{packet.flags} << 24);
  w.ipv6(packet.target);
  w.be16(packet.option);
  w.mac(packet.mac);
  ChecksumSum sum =
      ipv6_pseudo_header(packet.source, packet.destination, kNeighborAnswerLength, kProtocolIcmpv6);
  sum.add(message);
  put_be16(message, kIcmpv6ChecksumAt, sum.checksum());
}

}  // namespace

Parsed<NeighborMessage> parse_solicitation(const Ipv6Header& ip,
                                           std::span<const std::byte> message) {
  Parsed<NeighborMessage> parsed = parse_neighbor(ip, message, kSourceLinkLayer);
  if (parsed && ip.source.is_unspecified() &&
      (!is_solicited_node(ip.destination) || parsed->link_layer)) {
    parsed.fail(DropReason::kNdSource);
  }
  return parsed;
}

Parsed<NeighborMessage> parse_advertisement(const Ipv6Header& ip,
                                            std::span<const std::byte> message) {
  Parsed<NeighborMessage> parsed = parse_neighbor(ip, message, kTargetLinkLayer);
  if (parsed && (ip.source.is_unspecified() ||
                 (ip.destination.is_multicast() && (parsed->flags & kNdSolicited) != 0))) {
    parsed.fail(DropReason::kNdSource);
  }
  return parsed;
}

void turn_into_advertisement(std::span<std::byte> packet, const Ipv6Header& ip,
                             const NeighborMessage& solicitation, const NeighborAnswer& answer) {
  const std::span<const std::byte> old = packet.subspan(ip.payload, ip.payload_length);
  // The target stays where it is and becomes the source; the answer's destination was the source
  // unless that was `::`. What is left is what changes.
  ChecksumSum sum = ChecksumSum::of_checksum(solicitation.checksum);
  sum.subtract(ip.source.bytes);
  sum.subtract(ip.destination.bytes);
  sum.add(solicitation.target.bytes);
  sum.add(answer.destination.bytes);
  sum.subtract_word(ip.payload_length);
  sum.add_word(kNeighborAnswerLength);
  sum.subtract_word(kNeighborSolicitation << 8);
  sum.add_word(kAdvertisementWord);
  sum.subtract(old.subspan(kFlagsAt, 4));
  sum.add_word(static_cast<std::uint16_t>(answer.flags << 8));
  sum.subtract(old.subspan(kNeighborLength));
  sum.add_word(kTargetOptionWord);
  sum.add(answer.mac.bytes);

  put_be32(packet, 0, kVersionWord);
  put_be32(packet, 4, (kNeighborAnswerLength << 16) | (kProtocolIcmpv6 << 8) | kHopLimit);
  put_ipv6(packet, 8, solicitation.target);
  put_ipv6(packet, 24, answer.destination);
  const std::span<std::byte> message = packet.subspan(kIpv6Length);
  put_be16(message, 0, kAdvertisementWord);
  put_be16(message, kIcmpv6ChecksumAt, sum.checksum());
  put_be32(message, kFlagsAt, std::uint32_t{answer.flags} << 24);
  put_ipv6(message, kTargetAt, solicitation.target);
  put_be16(message, kNeighborLength, kTargetOptionWord);
  put_mac(message, kNeighborLength + 2, answer.mac);
}

void write_advertisement(const Ipv6Address& target, const NeighborAnswer& answer,
                         std::span<std::byte, kIpv6Length + kNeighborAnswerLength> out) {
  write_neighbor({.type = kAdvertisementWord,
                  .flags = answer.flags,
                  .source = target,
                  .destination = answer.destination,
                  .target = target,
                  .option = kTargetOptionWord,
                  .mac = answer.mac},
                 out);
}

void write_solicitation(const Ipv6Address& source, const Ipv6Address& destination,
                        const Ipv6Address& target, const MacAddress& mac,
                        std::span<std::byte, kIpv6Length + kNeighborAnswerLength> out) {
  write_neighbor({.type = kSolicitationWord,
                  .flags = 0,
                  .source = source,
                  .destination = destination,
                  .target = target,
                  .option = kSourceOptionWord,
                  .mac = mac},
                 out);
}

}  // namespace koi::wire
