#pragma once

#include <array>
#include <cstddef>
#include <span>

#include <openssl/sha.h>

namespace koi::auth {

using Sha1Digest = std::array<std::byte, 20>;

/// HMAC-SHA1 (RFC 2104) with its states prepared: the key and whatever precedes the varying tail
/// are absorbed once, a message costs the tail's compression only. Copied by value, allocates
/// nothing, safe to use from several threads at once as long as nobody calls absorb().
///
/// OpenSSL's SHA_CTX is used because its EVP interface allocates per copy (design.md,
/// Dependencies); it stays inside this class.
class HmacSha1 {
 public:
  /// The key is zero padded to 64 bytes. REQUIRES: key.size() <= 64.
  explicit HmacSha1(std::span<const std::byte> key);
  HmacSha1(const HmacSha1&) = default;
  HmacSha1& operator=(const HmacSha1&) = default;
  ~HmacSha1();  // wipes: who has the states can sign

  /// Appends to what every later message begins with. Set-up only, not on a worker.
  void absorb(std::span<const std::byte> bytes);

  /// The HMAC of everything absorbed followed by tail. Any thread.
  Sha1Digest finish(std::span<const std::byte> tail) const;

 private:
  SHA_CTX inner_;
  SHA_CTX outer_;
};

/// Compares in constant time (CRYPTO_memcmp).
bool digests_equal(std::span<const std::byte, 20> a, std::span<const std::byte, 20> b);

}  // namespace koi::auth
