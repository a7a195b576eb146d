#include "common/wire/ipv6.h"

#include "common/wire/reader.h"
#include "common/wire/writer.h"

namespace koi::wire {
namespace {

constexpr std::uint8_t kPad1 = 0;         // RFC 8200 §4.2: the one option without a length
constexpr std::uint8_t kRouterAlert = 5;  // RFC 2711, its action bits are 00
constexpr std::uint8_t kActionBits = 0xc0;

/// RFC 8200 §4.2: an option that we do not know and whose two highest bits are not 0 says to
/// discard the packet. Padding and router alert have them 0, so what it is need not be asked.
bool options_allow(Reader options) {
  static_assert((kRouterAlert & kActionBits) == 0);
  while (options.remaining() != 0) {
    const std::uint8_t type = options.u8();
    if (type == kPad1) continue;
    options.skip(options.u8());
    if (!options.ok() || (type & kActionBits) != 0) return false;
  }
  return true;
}

}  // namespace

bool detail::walk_extensions(std::span<const std::byte> packet, Ipv6Header& header,
                             DropReason& reason) {
  std::size_t at = kIpv6Length;
  const std::size_t end = kIpv6Length + header.payload_length;
  reason = DropReason::kIpv6Extensions;
  for (unsigned count = 0; is_extension(header.protocol); ++count) {
    const std::uint8_t kind = header.protocol;
    if (kind == kNextFragment) {
      reason = DropReason::kIpv6Fragment;
      return false;
    }
    // RFC 8200 §4.1: hop-by-hop options come right after the IPv6 header, or not at all
    if (count == kMostExtensions || (kind == kNextHopByHop && count != 0)) return false;
    if (end - at < 8) return false;
    // §4.3, §4.4, §4.6: the length is in units of 8 bytes, without the first
    const std::size_t length = 8 + std::size_t{8} * get_u8(packet, at + 1);
    if (length > end - at) return false;
    if (kind == kNextRouting) {
      // §4.4: with segments left it is for another node, and a type we do not know
      if (get_u8(packet, at + 3) != 0) return false;
    } else if (!options_allow(Reader(packet.subspan(at + 2, length - 2)))) {
      return false;
    }
    header.protocol = get_u8(packet, at);
    at += length;
  }
  header.payload = static_cast<std::uint16_t>(at);
  header.payload_length = static_cast<std::uint16_t>(end - at);
  return true;
}

void write_ipv6(const Ipv6Header& header, std::span<std::byte, kIpv6Length> out) {
  Writer w(out);
  w.be32(0x60000000U | (std::uint32_t{header.traffic_class} << 20));
  w.be16(header.payload_length);
  w.u8(header.protocol);
  w.u8(header.hop_limit);
  w.ipv6(header.source);
  w.ipv6(header.destination);
}

}  // namespace koi::wire
