// The signed trailer: protocol.md §14. The MACs were computed by Python's hmac.
#include "common/wire/trailer.h"

#include <algorithm>
#include <random>

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "common/auth/trailer_auth.h"
#include "common/auth/trailer_sequence.h"
#include "tests/unit/common/test_bytes.h"

namespace koi::trailer_test {
namespace {

using auth::SequenceGuard;
using auth::TrailerAuth;
using auth::TrailerSubject;
using test::Bytes;
using test::from_hex;
using test::to_hex;
using test::verdict;

/// 00 01 02 …
Bytes counted(std::size_t n) {
  Bytes bytes(n);
  for (std::size_t i = 0; i < n; ++i) bytes[i] = static_cast<std::byte>(i);
  return bytes;
}

IpAddress address(std::string_view text) { return *IpAddress::parse(text); }

struct Vector {
  Bytes key;
  std::uint8_t version;
  Vhid vhid;
  IpAddress source;
  Bytes pdu;
  Bytes trailer;

  TrailerSubject subject() const { return {version, vhid, source, pdu}; }
};

std::vector<Vector> vectors() {
  return {// of the draft's appendix: VRRPv3
          {counted(32), 3, Vhid(51), address("198.51.100.10"), from_hex("3133c80100644402c0000264"),
           from_hex("010100006800000080000000"
                    "1b84bc4e8e43892dc6d98448f8ee2265")},
          // CARP's golden vectors A and B
          {counted(32), 0xc2, Vhid(1), address("192.0.2.2"),
           from_hex("210164070001e6a70123456789abcdef3d2cea66fce80320a8027400391063b414d100f4"),
           from_hex("010700006800000080000001"
                    "9c7890c78a1716d4f7051e20f95234da")},
          {counted(64), 0xc2, Vhid(7), address("fe80::2"),
           from_hex("210700070001ce1a0000000000000001e407652b360eed4f84db0ff61ecd4beab554ef65"),
           from_hex("01ff000068000000ffff0002"
                    "14247dcd4d04ea7f7b014b3e9dd4a254")}};
}

TEST(HmacSha256, AgreesWithOpenSslHoweverItIsCut) {
  std::mt19937 random(256);
  for (int i = 0; i < 500; ++i) {
    const Bytes key = test::random_bytes(random, random() % 65);
    const Bytes message = test::random_bytes(random, random() % 300);
    const std::size_t cut = random() % (message.size() + 1);
    auth::Sha256Digest expected{};
    unsigned length = 0;
    HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
         reinterpret_cast<const unsigned char*>(message.data()), message.size(),
         reinterpret_cast<unsigned char*>(expected.data()), &length);
    ASSERT_EQ(length, 32U);
    const auth::HmacSha256 hmac(key);
    const auto all = std::span<const std::byte>(message);
    ASSERT_EQ(to_hex(hmac.finish({all.first(cut), all.subspan(cut)})), to_hex(expected));
  }
}

// C19.1 kept, C19.2 kept
TEST(Trailer, GoldenVectors) {
  for (const Vector& v : vectors()) {
    const auto parsed = wire::parse_trailer(v.trailer);
    ASSERT_TRUE(parsed.ok());
    EXPECT_TRUE(TrailerAuth(v.key).verify(v.subject(), *parsed));
    wire::Trailer made{.key_id = parsed->key_id, .sequence = parsed->sequence};
    TrailerAuth(v.key).sign(v.subject(), made);
    Bytes out(wire::kTrailerLength);
    wire::write_trailer(made, std::span(out).first<wire::kTrailerLength>());
    EXPECT_EQ(to_hex(out), to_hex(v.trailer));
  }
  const auto first = wire::parse_trailer(vectors()[0].trailer);
  EXPECT_EQ(first->key_id, 1);
  EXPECT_EQ(first->sequence, 0x6800000080000000U);
}

TEST(Trailer, EveryOtherLengthIsNone) {
  const Bytes good = vectors()[1].trailer;
  for (std::size_t n = 0; n < good.size(); ++n) {
    EXPECT_EQ(verdict(wire::parse_trailer(test::prefix(good, n))), "trailer_missing") << n;
  }
  Bytes longer = good;
  longer.push_back(std::byte{0});
  EXPECT_EQ(verdict(wire::parse_trailer(longer)), "trailer_missing");
}

TEST(Trailer, OnlySchemeOneAndReservedZero) {
  for (std::size_t at : {0U, 2U, 3U}) {
    for (unsigned flip = 1; flip < 256; ++flip) {
      Bytes bytes = vectors()[1].trailer;
      bytes[at] ^= static_cast<std::byte>(flip);
      EXPECT_EQ(verdict(wire::parse_trailer(bytes)), "trailer_scheme") << at << " ^ " << flip;
    }
  }
}

// C19.2 refused
TEST(Trailer, CoversEverythingButTheChecksum) {
  for (const Vector& v : vectors()) {
    const TrailerAuth key(v.key);
    const auto verifies = [&key](const Vector& w) {
      const auto trailer = wire::parse_trailer(w.trailer);
      return trailer.ok() && key.verify(w.subject(), *trailer);
    };
    for (unsigned bit = 0; bit < v.pdu.size() * 8; ++bit) {
      Vector changed = v;
      changed.pdu[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
      EXPECT_EQ(verifies(changed), bit / 8 == 6 || bit / 8 == 7) << bit;
    }
    for (unsigned bit = 0; bit < v.trailer.size() * 8; ++bit) {
      Vector changed = v;
      changed.trailer[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
      EXPECT_FALSE(verifies(changed)) << bit;
    }
    Vector other = v;
    other.source = address("192.0.2.99");
    EXPECT_FALSE(verifies(other));
    other = v;
    other.version = 2;
    EXPECT_FALSE(verifies(other));
    other = v;
    other.vhid = Vhid(99);
    EXPECT_FALSE(verifies(other));
    Bytes another = v.key;
    another.back() ^= std::byte{1};
    EXPECT_FALSE(TrailerAuth(another).verify(v.subject(), *wire::parse_trailer(v.trailer)));
  }
}

// An IPv4 address and the IPv6 address that begins with it are different senders.
TEST(Trailer, TheFamilyIsCovered) {
  Vector v = vectors()[1];
  v.source = address("c000:202::");
  EXPECT_FALSE(TrailerAuth(v.key).verify(v.subject(), *wire::parse_trailer(v.trailer)));
}

// ---- the sequence ------------------------------------------------------------------------------

TEST(TrailerSequence, SecondsFractionCounter) {
  EXPECT_EQ(auth::trailer_sequence(Duration(-1)), 0U);
  EXPECT_EQ(auth::trailer_sequence(1s), 1ULL << 32);
  EXPECT_EQ(auth::trailer_sequence(500ms), 0x80000000U);
  EXPECT_EQ(auth::trailer_sequence(0x68000000 * 1s + 999'999'999ns), 0x68000000'ffff0000U);
}

// C19.3 kept
TEST(TrailerSequence, FollowsTheClockAndGrows) {
  auth::SequenceSource source(1, auth::trailer_sequence(100s));
  EXPECT_EQ(source.next(10s), auth::trailer_sequence(10s));
  EXPECT_EQ(source.next(10s), auth::trailer_sequence(10s) + 1);
  EXPECT_EQ(source.next(11s), auth::trailer_sequence(11s));
}

// C19.3 refused
TEST(TrailerSequence, NeverBackWithTheClockNorPastTheReserve) {
  const std::uint64_t ceiling = auth::trailer_sequence(100s);
  auth::SequenceSource source(auth::trailer_sequence(90s), ceiling);
  EXPECT_EQ(source.next(10s), auth::trailer_sequence(90s));  // the clock went back
  EXPECT_EQ(source.next(10s), auth::trailer_sequence(90s) + 1);
  EXPECT_EQ(source.next(200s), ceiling);      // it went ahead of what is reserved
  EXPECT_EQ(source.next(200s), ceiling + 1);  // and the reserve is not raised: the lesser evil
  source.reserve(auth::trailer_sequence(300s));
  EXPECT_EQ(source.next(200s), auth::trailer_sequence(200s));
}

using Result = SequenceGuard::Result;

// C19.6 kept, C19.6 refused
TEST(SequenceGuard, GrowsPerSender) {
  SequenceGuard guard;
  const IpAddress a = address("192.0.2.2");
  const IpAddress b = address("fe80::2");
  guard.remember(a, 100);
  EXPECT_EQ(guard.check(a, 101, 0), Result::fresh);
  EXPECT_EQ(guard.check(a, 100, 0), Result::old);
  EXPECT_EQ(guard.check(a, 99, 0), Result::old);
  EXPECT_EQ(guard.check(b, 1, 0), Result::fresh);
  guard.remember(a, 50);  // of another worker, late: nothing goes back
  EXPECT_EQ(guard.check(a, 100, 0), Result::old);
  // Known is known: its age means nothing then, ours may be the clock that is wrong.
  EXPECT_EQ(guard.check(a, 101, 1000), Result::fresh);
}

// C19.7 kept, C19.7 refused
TEST(SequenceGuard, OfAStrangerOnlyWhatIsYoung) {
  SequenceGuard guard;
  EXPECT_EQ(guard.check(address("192.0.2.2"), 999, 1000), Result::stale);
  EXPECT_EQ(guard.check(address("192.0.2.2"), 1000, 1000), Result::fresh);
  EXPECT_EQ(guard.check(address("192.0.2.2"), UINT64_MAX, 1000), Result::fresh);
  EXPECT_EQ(guard.check(address("192.0.2.2"), 0, 0), Result::stale);
}

TEST(SequenceGuard, TheSeventeenthSenderTakesTheLowestOnesPlace) {
  SequenceGuard guard;
  const auto sender = [](unsigned i) { return IpAddress(Ipv4Address::from_u32(0xc0000200 + i)); };
  for (unsigned i = 0; i < 16; ++i) guard.remember(sender(i), 100 + (i + 7) % 16);  // 9 has 100
  guard.remember(sender(16), 500);
  EXPECT_EQ(guard.check(sender(9), 100, 0), Result::fresh);  // forgotten
  EXPECT_EQ(guard.check(sender(8), 100, 0), Result::old);
  EXPECT_EQ(guard.check(sender(16), 500, 0), Result::old);
}

}  // namespace
}  // namespace koi::trailer_test
