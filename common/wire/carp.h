#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "common/drop_reason.h"
#include "common/strong_types.h"

/// The CARP v2 header: protocol.md §1.
namespace koi::wire {

inline constexpr std::size_t kCarpHeaderLength = 36;
inline constexpr std::uint8_t kCarpProtocol = 112;  // IANA: VRRP, shared by CARP
inline constexpr std::uint8_t kCarpTtl = 255;

/// Every field of the header but the checksum, integers in host order.
struct CarpHeader {
  std::uint8_t version = 2;  // high nibble of byte 0
  std::uint8_t type = 1;     // low nibble of byte 0; nobody checks it
  Vhid vhid{};
  std::uint8_t advskew = 0;  // 1/256 s; 255 only in a bow-out
  std::uint8_t authlen = 7;  // 32-bit words of counter and digest; nobody checks it
  std::uint8_t demote = 0;   // OpenBSD: demotion count; pad elsewhere
  std::uint8_t advbase = 1;  // seconds; 255 only in a bow-out
  std::uint64_t counter = 0;
  std::array<std::byte, 20> digest{};

  bool operator==(const CarpHeader&) const = default;
  /// 255/255: the master resigns (protocol.md §8).
  bool is_bow_out() const { return advbase == 255 && advskew == 255; }
};

/// Checks, in the order of protocol.md §3: at least 36 bytes (kCarpLength), the one's complement
/// sum over exactly the first 36 is 0 (kCarpChecksum). Version, vhid and digest are the caller's,
/// for they come after the vhid lookup. Bytes after the 36th are not looked at.
Parsed<CarpHeader> parse_carp(std::span<const std::byte> payload);

/// Writes the header, its checksum computed last. out is written whole.
void write_carp(const CarpHeader& header, std::span<std::byte, kCarpHeaderLength> out);

}  // namespace koi::wire
