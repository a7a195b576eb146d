#pragma once

#include <array>
#include <cstddef>
#include <initializer_list>
#include <span>

#include <openssl/sha.h>

namespace koi::auth {

using Sha256Digest = std::array<std::byte, 32>;

/// HMAC-SHA256 (RFC 2104) with the key absorbed: as HmacSha1, by value, allocates nothing,
/// read-only after it is made. Any thread.
class HmacSha256 {
 public:
  /// The key is zero padded to 64 bytes. REQUIRES: key.size() <= 64.
  explicit HmacSha256(std::span<const std::byte> key);
  HmacSha256(const HmacSha256&) = default;
  HmacSha256& operator=(const HmacSha256&) = default;
  ~HmacSha256();  // wipes: who has the states can sign

  /// The HMAC of the parts in their order.
  Sha256Digest finish(std::initializer_list<std::span<const std::byte>> parts) const;

 private:
  SHA256_CTX inner_;
  SHA256_CTX outer_;
};

}  // namespace koi::auth
