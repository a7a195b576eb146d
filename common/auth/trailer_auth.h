#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "common/auth/hmac_sha256.h"
#include "common/net/ip_address.h"
#include "common/strong_types.h"
#include "common/wire/trailer.h"

namespace koi::auth {

/// What a trailer signs besides itself (protocol.md §14).
struct TrailerSubject {
  std::uint8_t protocol_version;   // kTrailerOfCarp, kTrailerOfHello; VRRP: 2 or 3
  Vhid vhid;                       // or VRID
  IpAddress source;                // of the IP header
  std::span<const std::byte> pdu;  // at least 8 bytes; 6-7 are its checksum, which reads as 0
};
inline constexpr std::uint8_t kTrailerOfCarp = 0xc2;
inline constexpr std::uint8_t kTrailerOfHello = 0xc3;  // so that neither passes for the other

/// Signs and verifies trailers with one key: HMAC-SHA256 cut to 128 bits. Prepared once per key, by
/// value, read-only afterwards; any thread.
class TrailerAuth {
 public:
  static constexpr std::size_t kMinKey = 32;
  static constexpr std::size_t kMaxKey = 64;

  /// REQUIRES: kMinKey <= key.size() <= kMaxKey.
  explicit TrailerAuth(std::span<const std::byte> key);

  /// Fills in the MAC.
  void sign(const TrailerSubject& subject, wire::Trailer& trailer) const;

  /// Returns true iff the trailer's MAC is that of the rest. Constant time in the MAC.
  bool verify(const TrailerSubject& subject, const wire::Trailer& trailer) const;

 private:
  wire::TrailerMac mac_of(const TrailerSubject& subject, const wire::Trailer& trailer) const;
  HmacSha256 prepared_;
};

/// A key by the number that a trailer names it with.
struct TrailerKey {
  std::uint8_t id = 0;
  TrailerAuth auth;
};

}  // namespace koi::auth
