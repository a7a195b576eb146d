// OpenSSL 3 deprecates SHA256_Init and its family, which are what does not allocate.
#define OPENSSL_SUPPRESS_DEPRECATED

#include "common/auth/hmac_sha256.h"

#include <algorithm>
#include <cassert>

#include <openssl/crypto.h>

namespace koi::auth {
namespace {

constexpr std::size_t kSha256Block = 64;

// RFC 2104 §2: the state after (key XOR pad).
SHA256_CTX start256(std::span<const std::byte> key, std::byte pad) {
  std::array<std::byte, kSha256Block> block;
  block.fill(pad);
  for (std::size_t i = 0; i < key.size(); ++i) block[i] ^= key[i];
  SHA256_CTX state;
  SHA256_Init(&state);
  SHA256_Update(&state, block.data(), block.size());
  OPENSSL_cleanse(block.data(), block.size());
  return state;
}

Sha256Digest close256(SHA256_CTX& state) {
  Sha256Digest digest;
  SHA256_Final(reinterpret_cast<unsigned char*>(digest.data()), &state);
  return digest;
}

}  // namespace

HmacSha256::HmacSha256(std::span<const std::byte> key) {
  assert(key.size() <= kSha256Block);
  inner_ = start256(key, std::byte{0x36});
  outer_ = start256(key, std::byte{0x5c});
}

HmacSha256::~HmacSha256() {
  OPENSSL_cleanse(&inner_, sizeof inner_);
  OPENSSL_cleanse(&outer_, sizeof outer_);
}

Sha256Digest HmacSha256::finish(std::initializer_list<std::span<const std::byte>> parts) const {
  SHA256_CTX inner = inner_;
  for (const std::span<const std::byte> part : parts) {
    SHA256_Update(&inner, part.data(), part.size());
  }
  const Sha256Digest message = close256(inner);
  SHA256_CTX outer = outer_;
  SHA256_Update(&outer, message.data(), message.size());
  return close256(outer);
}

}  // namespace koi::auth
