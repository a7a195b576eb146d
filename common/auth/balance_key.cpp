#include "common/auth/balance_key.h"

#include <algorithm>
#include <cassert>
#include <cstdlib>
#include <memory>
#include <string_view>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

namespace koi::auth {
namespace {

constexpr std::size_t kBlock = 64;

OSSL_PARAM octets(const char* name, std::span<const std::byte> bytes) {
  // OpenSSL's type has no const; it only reads.
  return OSSL_PARAM_construct_octet_string(name, const_cast<std::byte*>(bytes.data()),
                                           bytes.size());
}

}  // namespace

std::array<std::byte, 16> balance_key(std::span<const std::byte> key) {
  constexpr std::string_view kInfo = "koi arpbalance v1";
  char digest[] = "SHA256";
  const std::array<OSSL_PARAM, 4> parameters = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
      octets(OSSL_KDF_PARAM_KEY, key), octets(OSSL_KDF_PARAM_INFO, std::as_bytes(std::span(kInfo))),
      OSSL_PARAM_construct_end()};
  const std::unique_ptr<EVP_KDF, decltype(&EVP_KDF_free)> kdf(
      EVP_KDF_fetch(nullptr, OSSL_KDF_NAME_HKDF, nullptr), &EVP_KDF_free);
  const std::unique_ptr<EVP_KDF_CTX, decltype(&EVP_KDF_CTX_free)> context(
      EVP_KDF_CTX_new(kdf.get()), &EVP_KDF_CTX_free);
  std::array<std::byte, 16> out{};
  if (!context || EVP_KDF_derive(context.get(), reinterpret_cast<unsigned char*>(out.data()),
                                 out.size(), parameters.data()) != 1) {
    std::abort();
  }
  return out;
}

Sha1Digest openbsd_balance_digest(std::span<const std::byte> key) {
  assert(key.size() <= kBlock);
  std::array<std::byte, kBlock + 2> input{};
  std::copy(key.begin(), key.end(), input.begin());
  for (std::size_t i = 0; i < kBlock; ++i) input[i] ^= std::byte{0x36};
  input[kBlock] = std::byte{2};      // version
  input[kBlock + 1] = std::byte{1};  // type
  Sha1Digest digest;
  SHA1(reinterpret_cast<const unsigned char*>(input.data()), input.size(),
       reinterpret_cast<unsigned char*>(digest.data()));
  OPENSSL_cleanse(input.data(), input.size());
  return digest;
}

}  // namespace koi::auth
