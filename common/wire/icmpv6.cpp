#include "common/wire/icmpv6.h"

#include "common/wire/bytes.h"
#include "common/wire/checksum.h"

namespace koi::wire {
namespace {

constexpr std::uint16_t kEchoRequestWord6 = kIcmpv6EchoRequest << 8;  // type, code 0
constexpr std::uint16_t kEchoReplyWord6 = kIcmpv6EchoReply << 8;

}  // namespace

bool icmpv6_checksum_ok(const Ipv6Header& ip, std::span<const std::byte> message) {
  ChecksumSum sum = ipv6_pseudo_header(ip.source, ip.destination,
                                       static_cast<std::uint32_t>(message.size()), kProtocolIcmpv6);
  sum.add(message);
  return sum.folded() == 0xffff;
}

Parsed<IcmpEcho> parse_icmpv6_echo_request(const Ipv6Header& ip,
                                           std::span<const std::byte> message) {
  if (message.size() < kIcmpv6EchoLength) return DropReason::kIcmp6Length;
  if (!icmpv6_checksum_ok(ip, message)) return DropReason::kIcmp6Checksum;
  if (get_be16(message, 0) != kEchoRequestWord6) return DropReason::kIcmp6NotEcho;
  return IcmpEcho{.identifier = get_be16(message, 4), .sequence = get_be16(message, 6)};
}

void turn_into_icmpv6_echo_reply(std::span<std::byte> message) {
  put_be16(message, 0, kEchoReplyWord6);
  // Never the ffff that icmp.cpp has to mend: the pseudo-header is not zero all over.
  put_be16(
      message, kIcmpv6ChecksumAt,
      checksum_update(get_be16(message, kIcmpv6ChecksumAt), kEchoRequestWord6, kEchoReplyWord6));
}

}  // namespace koi::wire
