#pragma once

#include <cstdint>
#include <span>

#include "common/auth/hmac_sha1.h"
#include "common/net/ip_address.h"
#include "common/strong_types.h"

namespace koi::auth {

/// Which IPv6 link-local addresses the HMAC covers (protocol.md §4, OpenBSD's two contexts).
enum class LinkLocal : std::uint8_t { exclude, include };

/// In which order the addresses are absorbed: OpenBSD, UCarp and FreeBSD >= 10 sort; FreeBSD 5..9
/// take them as configured.
enum class AddressOrder : std::uint8_t { sorted, as_given };

/// Signs and verifies CARP advertisements of one vhid: protocol.md §4. Prepared once per key and
/// address list, by value, read-only afterwards; any thread.
class CarpAuth {
 public:
  /// key: 1..20 bytes, zero padded to 20 as the BSDs do. addresses: the shared addresses of both
  /// families; duplicates count once; 0.0.0.0 and all-ones are never included.
  static CarpAuth prepare(std::span<const std::byte> key, Vhid vhid,
                          std::span<const IpAddress> addresses,
                          LinkLocal link_local = LinkLocal::exclude,
                          AddressOrder order = AddressOrder::sorted);

  /// counter: as a host-order integer; it is absorbed big-endian, exactly as on the wire.
  Sha1Digest sign(std::uint64_t counter) const;

  /// Returns true iff digest is that of counter. Constant time in the digest.
  bool verify(std::uint64_t counter, std::span<const std::byte, 20> digest) const;

 private:
  explicit CarpAuth(const HmacSha1& prepared) : prepared_(prepared) {}
  HmacSha1 prepared_;
};

}  // namespace koi::auth
