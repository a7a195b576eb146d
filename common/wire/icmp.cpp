#include "common/wire/icmp.h"

#include "common/wire/bytes.h"
#include "common/wire/checksum.h"

namespace koi::wire {
namespace {

constexpr std::uint16_t kEchoRequestWord = kIcmpEchoRequest << 8;  // type, code 0
constexpr std::uint16_t kEchoReplyWord = kIcmpEchoReply << 8;

}  // namespace

Parsed<IcmpEcho> parse_icmp_echo_request(std::span<const std::byte> message) {
  if (message.size() < kIcmpEchoLength) return DropReason::kIcmpLength;
  // RFC 792: the checksum starts with the type and covers the whole message.
  if (!checksum_ok(message)) return DropReason::kIcmpChecksum;
  if (get_be16(message, 0) != kEchoRequestWord) return DropReason::kIcmpNotEcho;
  return IcmpEcho{.identifier = get_be16(message, 4), .sequence = get_be16(message, 6)};
}

void turn_into_echo_reply(std::span<std::byte> message) {
  const std::uint16_t updated =
      checksum_update(get_be16(message, kIcmpChecksumAt), kEchoRequestWord, kEchoReplyWord);
  put_be16(message, 0, kEchoReplyWord);
  // RFC 1624 §3 takes for granted that some word is not 0. A reply may be zero all over, and then
  // its checksum is 0xffff; where 0 would be right, 0xffff sums to the same.
  put_be16(message, kIcmpChecksumAt, updated == 0 ? std::uint16_t{0xffff} : updated);
}

}  // namespace koi::wire
