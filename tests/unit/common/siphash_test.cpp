#include "common/balance/siphash.h"

#include <numeric>
#include <random>

#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "common/auth/balance_key.h"
#include "test_bytes.h"

namespace koi::balance::siphash_test {
namespace {

using test::Bytes;
using test::from_hex;
using test::from_text;
using test::to_hex;

/// The paper's key: 00 01 .. 0f.
constexpr SipKey kPaperKey{0x0706050403020100, 0x0f0e0d0c0b0a0908};

Bytes counting(std::size_t n) {
  Bytes bytes(n);
  for (std::size_t i = 0; i < n; ++i) bytes[i] = static_cast<std::byte>(i);
  return bytes;
}

/// OpenSSL's own SipHash-2-4: the independent opinion.
std::uint64_t openssl_siphash(const Bytes& key, const Bytes& message) {
  EVP_MAC* mac = EVP_MAC_fetch(nullptr, "SIPHASH", nullptr);
  EVP_MAC_CTX* context = EVP_MAC_CTX_new(mac);
  std::size_t size = 8;
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
                                   OSSL_PARAM_construct_end()};
  unsigned char out[8] = {};
  std::size_t length = 0;
  EXPECT_EQ(EVP_MAC_init(context, reinterpret_cast<const unsigned char*>(key.data()), key.size(),
                         parameters),
            1);
  EXPECT_EQ(EVP_MAC_update(context, reinterpret_cast<const unsigned char*>(message.data()),
                           message.size()),
            1);
  EXPECT_EQ(EVP_MAC_final(context, out, &length, sizeof out), 1);
  EXPECT_EQ(length, sizeof out);
  EVP_MAC_CTX_free(context);
  EVP_MAC_free(mac);
  std::uint64_t value = 0;
  for (int i = 7; i >= 0; --i) value = value << 8 | out[i];
  return value;
}

TEST(SipHash, ThePapersVectors) {
  // Appendix A, and the first of the reference implementation's table.
  EXPECT_EQ(siphash24(kPaperKey, counting(15)), 0xa129ca6149be45e5);
  EXPECT_EQ(siphash24(kPaperKey, {}), 0x726fdb47dd0e0e31);
}

TEST(SipHash, AgreesWithOpenSslAtEveryLength) {
  std::mt19937 random(24);
  for (std::size_t n = 0; n < 64; ++n) {
    const Bytes key = test::random_bytes(random, 16);
    const Bytes message = test::random_bytes(random, n);
    SipKey halves;
    for (std::size_t i = 8; i-- > 0;) {
      halves.k0 = halves.k0 << 8 | std::to_integer<std::uint64_t>(key[i]);
      halves.k1 = halves.k1 << 8 | std::to_integer<std::uint64_t>(key[8 + i]);
    }
    EXPECT_EQ(siphash24(halves, message), openssl_siphash(key, message)) << n;
  }
}

// C12.6 kept
TEST(BalanceKey, IsHkdfSha256OfTheKey) {
  // RFC 5869 with Python's hmac, no salt, info "koi arpbalance v1".
  EXPECT_EQ(to_hex(auth::balance_key(from_text("secret"))), "95871dc780b219d5621795d8a07a5ab8");
  EXPECT_EQ(to_hex(auth::balance_key(from_text("correct horse"))),
            "987aabc0ae2d730435d1a2ad99e571bc");
  EXPECT_EQ(to_hex(auth::balance_key(counting(20))), "66d206ecaa56747f5752cf6cddab0850");
}

TEST(BalanceKey, OpenbsdsDigest) {  // protocol.md §10
  EXPECT_EQ(to_hex(auth::openbsd_balance_digest(from_text("secret"))),
            "d827ec73e49ec07be97de532ef318abd6b2f8b19");
}

}  // namespace
}  // namespace koi::balance::siphash_test
