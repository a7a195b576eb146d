#include "common/auth/hmac_sha1.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <memory>
#include <type_traits>

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "tests/unit/common/test_bytes.h"

namespace koi::auth::hmac_sha1_test {
namespace {

using test::Bytes;
using test::from_hex;
using test::from_text;
using test::to_hex;

// OpenSSL's one-shot HMAC, which goes through EVP and shares no state with ours.
std::string openssl_hmac(const Bytes& key, const Bytes& message) {
  Sha1Digest digest{};
  unsigned length = 0;
  HMAC(EVP_sha1(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(message.data()), message.size(),
       reinterpret_cast<unsigned char*>(digest.data()), &length);
  EXPECT_EQ(length, 20u);
  return to_hex(digest);
}

// C5.1 kept
TEST(HmacSha1, Rfc2202) {
  // RFC 2202 §3, cases 1 to 5; 6 and 7 have keys of more than 64 bytes.
  struct Case {
    Bytes key;
    Bytes message;
    const char* digest;
  };
  const Case cases[] = {
      {Bytes(20, std::byte{0x0b}), from_text("Hi There"),
       "b617318655057264e28bc0b6fb378c8ef146be00"},
      {from_text("Jefe"), from_text("what do ya want for nothing?"),
       "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"},
      {Bytes(20, std::byte{0xaa}), Bytes(50, std::byte{0xdd}),
       "125d7342b9ac11cd91a39af48aa17b4f63f175d3"},
      {from_hex("0102030405060708090a0b0c0d0e0f10111213141516171819"), Bytes(50, std::byte{0xcd}),
       "4c9007f4026250c6bc8414f9bf50c86c2d7235da"},
      {Bytes(20, std::byte{0x0c}), from_text("Test With Truncation"),
       "4c1a03424b55e07fe7f27be1d58bb9324a9a5a04"},
  };
  for (const Case& c : cases) EXPECT_EQ(to_hex(HmacSha1(c.key).finish(c.message)), c.digest);
}

TEST(HmacSha1, AgreesWithOpenSsl) {
  std::mt19937 random(2104);
  for (int i = 0; i < 2000; ++i) {
    const Bytes key = test::random_bytes(random, random() % 65);
    const Bytes message = test::random_bytes(random, random() % 300);
    // The message split anywhere between what is absorbed, in up to three parts, and the tail.
    std::size_t cuts[3];
    for (std::size_t& cut : cuts) cut = random() % (message.size() + 1);
    std::sort(std::begin(cuts), std::end(cuts));
    HmacSha1 hmac(key);
    const std::span all(message);
    hmac.absorb(all.first(cuts[0]));
    hmac.absorb(all.subspan(cuts[0], cuts[1] - cuts[0]));
    hmac.absorb(all.subspan(cuts[1], cuts[2] - cuts[1]));
    ASSERT_EQ(to_hex(hmac.finish(all.subspan(cuts[2]))), openssl_hmac(key, message))
        << key.size() << " byte key, " << message.size() << " byte message";
  }
}

TEST(HmacSha1, KeysOfEveryLengthAndTheirZeroPadding) {
  for (std::size_t n = 0; n <= 64; ++n) {
    const Bytes key(n, std::byte{0x5a});
    const std::string digest = to_hex(HmacSha1(key).finish(from_text("koi")));
    EXPECT_EQ(digest, openssl_hmac(key, from_text("koi"))) << n;
    Bytes padded = key;
    padded.resize(64);
    EXPECT_EQ(to_hex(HmacSha1(padded).finish(from_text("koi"))), digest) << n;
  }
}

TEST(HmacSha1, FinishLeavesThePreparedStateAlone) {
  HmacSha1 hmac(from_text("Jefe"));
  hmac.absorb(from_text("what do ya want "));
  const HmacSha1 copy = hmac;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(to_hex(hmac.finish(from_text("for nothing?"))),
              "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
  }
  hmac.absorb(from_text("x"));
  EXPECT_EQ(to_hex(copy.finish(from_text("for nothing?"))),
            "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
  EXPECT_NE(hmac.finish(from_text("for nothing?")), copy.finish(from_text("for nothing?")));
}

TEST(HmacSha1, IsAValue) { EXPECT_TRUE(std::is_nothrow_copy_constructible_v<HmacSha1>); }

/// Who has the states can sign, and finds them in freed memory.
TEST(HmacSha1, LeavesNothingBehind) {
  alignas(HmacSha1) std::array<std::byte, sizeof(HmacSha1)> memory;
  std::destroy_at(new (memory.data()) HmacSha1(from_text("Jefe")));
  EXPECT_TRUE(
      std::all_of(memory.begin(), memory.end(), [](std::byte b) { return b == std::byte{}; }));
}

// C5.8 kept, C5.8 refused
TEST(DigestsEqual, EveryBitCounts) {
  const Sha1Digest digest = HmacSha1(from_text("Jefe")).finish({});
  EXPECT_TRUE(digests_equal(digest, digest));
  for (std::size_t at = 0; at < digest.size(); ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      Sha1Digest other = digest;
      other[at] ^= static_cast<std::byte>(1U << bit);
      EXPECT_FALSE(digests_equal(digest, other)) << at << "." << bit;
    }
  }
}

}  // namespace
}  // namespace koi::auth::hmac_sha1_test
