#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "common/drop_reason.h"

/// The signed trailer after a CARP header (or a VRRP message): protocol.md §14, the layout of
/// draft-cassen-vrrp-auth-hmac-00. It counts in the IP length.
namespace koi::wire {

inline constexpr std::size_t kTrailerLength = 28;
inline constexpr std::size_t kTrailerSignedHead = 12;  // bytes before the MAC
inline constexpr std::size_t kTrailerMacLength = 16;
inline constexpr std::uint8_t kTrailerHmacSha256 = 1;  // the one scheme there is

using TrailerMac = std::array<std::byte, kTrailerMacLength>;

/// Every field but the reserved one; integers in host order.
struct Trailer {
  std::uint8_t scheme = kTrailerHmacSha256;
  std::uint8_t key_id = 0;
  std::uint64_t sequence = 0;  // UTC: seconds (32 bits), binary fraction (16), counter (16)
  TrailerMac mac{};

  bool operator==(const Trailer&) const = default;
};

/// Checks, of the bytes that follow the message: exactly 28 of them (kTrailerMissing), scheme 1 and
/// the reserved bytes 0 (kTrailerScheme). The MAC is the caller's.
Parsed<Trailer> parse_trailer(std::span<const std::byte> after);

/// Writes it whole; the MAC as it is given.
void write_trailer(const Trailer& trailer, std::span<std::byte, kTrailerLength> out);

}  // namespace koi::wire
