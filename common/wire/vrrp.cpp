#include "common/wire/vrrp.h"

#include "common/wire/bytes.h"
#include "common/wire/carp.h"
#include "common/wire/checksum.h"

namespace koi::wire {
namespace {

constexpr std::size_t kHeader = 8;
constexpr std::size_t kV2Authentication = 8;
constexpr std::size_t kTrailer = 28;
constexpr std::uint8_t kV2First = 0x21;
constexpr std::uint8_t kV3First = 0x31;
constexpr std::uint8_t kLastAuthenticationType = 2;
constexpr std::uint8_t kCarpAuthlen = 7;

/// The message without a trailer; empty iff the payload is not as long as it says.
std::span<const std::byte> message_of(std::span<const std::byte> payload, std::size_t length) {
  if (payload.size() != length && payload.size() != length + kTrailer) return {};
  return payload.first(length);
}

std::uint32_t sum_of(std::span<const std::byte> bytes) {
  return static_cast<std::uint16_t>(~internet_checksum(bytes));
}

/// RFC 5798 §5.2.8: the message's checksum covers a pseudo header, that of RFC 2460 §8.1 in IPv6.
bool checksum_with_pseudo_header_ok(std::span<const std::byte> message, const IpAddress& source,
                                    const IpAddress& destination) {
  std::uint32_t sum = kCarpProtocol + static_cast<std::uint32_t>(message.size()) + sum_of(message);
  for (const IpAddress& address : {source, destination}) {
    sum += address.is_v4() ? sum_of(address.v4().bytes) : sum_of(address.v6().bytes);
  }
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return sum == 0xffff;
}

bool is_v2(std::span<const std::byte> payload) {
  const std::uint8_t count = get_u8(payload, 3);
  const auto message = message_of(payload, kHeader + std::size_t{count} * 4 + kV2Authentication);
  if (message.empty() || get_u8(payload, 4) > kLastAuthenticationType) return false;
  return checksum_ok(message);
}

bool is_v3(std::span<const std::byte> payload, const IpAddress& source,
           const IpAddress& destination) {
  const std::size_t address = source.is_v4() ? 4 : 16;
  const auto message = message_of(payload, kHeader + get_u8(payload, 3) * address);
  if (message.empty()) return false;
  if (source.is_v4() && checksum_ok(message)) return true;  // RFC 9568 §5.2.8
  return checksum_with_pseudo_header_ok(message, source, destination);
}

}  // namespace

std::optional<VrrpHeader> recognize_vrrp(std::span<const std::byte> payload,
                                         const IpAddress& source, const IpAddress& destination) {
  if (payload.size() < kHeader) return std::nullopt;
  const std::uint8_t first = get_u8(payload, 0);
  const bool recognized = first == kV2First   ? source.is_v4() && is_v2(payload)
                          : first == kV3First ? is_v3(payload, source, destination)
                                              : false;
  if (!recognized) return std::nullopt;
  const bool or_carp = first == kV2First && get_u8(payload, 3) == kCarpAuthlen &&
                       checksum_ok(payload.first(kCarpHeaderLength));
  return VrrpHeader{.version = static_cast<std::uint8_t>(first >> 4),
                    .number = Vhid(get_u8(payload, 1)),
                    .priority = get_u8(payload, 2),
                    .or_carp = or_carp};
}

}  // namespace koi::wire
