#include "common/wire/ipv4.h"

#include "common/wire/bytes.h"
#include "common/wire/checksum.h"
#include "common/wire/writer.h"

namespace koi::wire {
namespace {

constexpr std::uint16_t kDontFragment = 0x4000;

}  // namespace

Parsed<Ipv4Header> parse_ipv4(std::span<const std::byte> packet) {
  // RFC 791 §3.1, field by field.
  if (packet.size() < kIpv4Length) return DropReason::kIpv4Length;

  const std::uint8_t version_ihl = get_u8(packet, 0);
  if (version_ihl != 0x45) {
    const bool header_ok = (version_ihl >> 4) == 4 && (version_ihl & 0xf) > 5;
    return header_ok ? DropReason::kIpv4Options : DropReason::kIpv4Header;
  }

  const std::uint16_t total = get_be16(packet, 2);
  if (total < kIpv4Length || total > packet.size()) return DropReason::kIpv4Length;

  // RFC 1122 §3.2.1.2: verify the header checksum.
  if (!checksum_ok(packet.first(kIpv4Length))) return DropReason::kIpv4Checksum;

  const std::uint16_t flags_offset = get_be16(packet, 6);
  if ((flags_offset & kIpv4MoreOrOffset) != 0) return DropReason::kIpv4Fragment;

  return Ipv4Header{.tos = get_u8(packet, 1),
                    .id = get_be16(packet, 4),
                    .dont_fragment = (flags_offset & kDontFragment) != 0,
                    .ttl = get_u8(packet, 8),
                    .protocol = get_u8(packet, 9),
                    .source = get_ipv4(packet, 12),
                    .destination = get_ipv4(packet, 16),
                    .payload_length = static_cast<std::uint16_t>(total - kIpv4Length)};
}

void write_ipv4(const Ipv4Header& header, std::span<std::byte, kIpv4Length> out) {
  Writer w(out);
  w.u8(0x45);
  w.u8(header.tos);
  w.be16(static_cast<std::uint16_t>(kIpv4Length + header.payload_length));
  w.be16(header.id);
  w.be16(header.dont_fragment ? kDontFragment : 0);
  w.u8(header.ttl);
  w.u8(header.protocol);
  w.be16(0);
  w.ipv4(header.source);
  w.ipv4(header.destination);
  put_be16(out, kIpv4ChecksumAt, internet_checksum(out));
}

}  // namespace koi::wire
