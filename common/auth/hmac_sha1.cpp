// OpenSSL 3 deprecates SHA1_Init and its family, which are what does not allocate.
#define OPENSSL_SUPPRESS_DEPRECATED

#include "common/auth/hmac_sha1.h"

#include <algorithm>
#include <cassert>

#include <openssl/crypto.h>

namespace koi::auth {
namespace {

constexpr std::size_t kSha1Block = 64;

// RFC 2104 §2: the state after (key XOR pad).
SHA_CTX start(std::span<const std::byte> key, std::byte pad) {
  std::array<std::byte, kSha1Block> block{};
  std::copy(key.begin(), key.end(), block.begin());
  for (std::byte& b : block) b ^= pad;
  SHA_CTX state;
  SHA1_Init(&state);
  SHA1_Update(&state, block.data(), block.size());
  OPENSSL_cleanse(block.data(), block.size());
  return state;
}

Sha1Digest close(SHA_CTX state, std::span<const std::byte> tail) {
  SHA1_Update(&state, tail.data(), tail.size());
  Sha1Digest digest;
  SHA1_Final(reinterpret_cast<unsigned char*>(digest.data()), &state);
  return digest;
}

}  // namespace

HmacSha1::HmacSha1(std::span<const std::byte> key) {
  assert(key.size() <= kSha1Block);
  inner_ = start(key, std::byte{0x36});
  outer_ = start(key, std::byte{0x5c});
}

HmacSha1::~HmacSha1() {
  OPENSSL_cleanse(&inner_, sizeof inner_);
  OPENSSL_cleanse(&outer_, sizeof outer_);
}

void HmacSha1::absorb(std::span<const std::byte> bytes) {
  SHA1_Update(&inner_, bytes.data(), bytes.size());
}

Sha1Digest HmacSha1::finish(std::span<const std::byte> tail) const {
  return close(outer_, close(inner_, tail));
}

bool digests_equal(std::span<const std::byte, 20> a, std::span<const std::byte, 20> b) {
  return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace koi::auth
