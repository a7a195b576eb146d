#include "common/wire/checksum.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "tests/unit/common/test_bytes.h"

namespace koi::wire::checksum_test {
namespace {

using test::Bytes;
using test::from_hex;
using test::plain_checksum;

TEST(Checksum, Rfc1071Example) {
  // RFC 1071 §3: the words 0001 f203 f4f5 f6f7 sum to ddf2.
  EXPECT_EQ(internet_checksum(from_hex("0001f203f4f5f6f7")), 0x220d);
  EXPECT_TRUE(checksum_ok(from_hex("0001f203f4f5f6f7220d")));
}

TEST(Checksum, Ipv4HeaderWithKnownChecksum) {
  const auto header = from_hex("45000073000040004011b861c0a80001c0a800c7");
  EXPECT_TRUE(checksum_ok(header));
  EXPECT_EQ(internet_checksum(from_hex("450000730000400040110000c0a80001c0a800c7")), 0xb861);
}

TEST(Checksum, OddLastByteIsTheHighOne) {
  EXPECT_EQ(internet_checksum(from_hex("ab")), 0x54ff);
  EXPECT_EQ(internet_checksum(from_hex("000102")), internet_checksum(from_hex("00010200")));
  EXPECT_NE(internet_checksum(from_hex("000102")), internet_checksum(from_hex("00010002")));
}

TEST(Checksum, NothingAndZeros) {
  EXPECT_EQ(internet_checksum({}), 0xffff);
  EXPECT_EQ(internet_checksum(Bytes(7)), 0xffff);
  // Zero all over, checksum included, is what an idle wire delivers and no valid message.
  EXPECT_FALSE(checksum_ok(Bytes(20)));
  EXPECT_TRUE(checksum_ok(from_hex("00000000ffff")));
}

TEST(Checksum, EveryLengthAgreesWithTheDefinition) {
  std::mt19937 random(1071);
  for (std::size_t n = 0; n <= 1600; ++n) {
    const Bytes bytes = test::random_bytes(random, n);
    ASSERT_EQ(internet_checksum(bytes), plain_checksum(bytes)) << n << " bytes";
  }
}

TEST(Checksum, CarriesOfALongMessage) {
  for (const std::size_t n : {65534u, 65535u}) {
    const Bytes bytes(n, std::byte{0xff});
    EXPECT_EQ(internet_checksum(bytes), plain_checksum(bytes)) << n << " bytes";
  }
}

TEST(Checksum, OkExactlyForTheRightChecksum) {
  std::mt19937 random(1624);
  Bytes bytes = test::random_bytes(random, 36);
  test::set_checksum(bytes, 6, 36);
  const std::uint16_t right = get_be16(bytes, 6);
  for (std::uint32_t c = 0; c <= 0xffff; ++c) {
    put_be16(bytes, 6, static_cast<std::uint16_t>(c));
    ASSERT_EQ(checksum_ok(bytes), c == right) << c;
  }
}

TEST(ChecksumSum, PiecesAddUpToTheWhole) {
  std::mt19937 random(8200);
  for (int i = 0; i < 10000; ++i) {
    const Bytes bytes = test::random_bytes(random, 64 + random() % 3);
    const std::size_t first = 2 * (random() % 20);
    const std::size_t second = first + 2 * (random() % 10);
    const std::span<const std::byte> all(bytes);
    ChecksumSum sum;
    sum.add(all.subspan(first, second - first));
    sum.add(all.first(first));
    sum.add(all.subspan(second));
    ASSERT_EQ(sum.checksum(), plain_checksum(bytes)) << i;
  }
}

TEST(ChecksumSum, UpdateOfSeveralWordsAgreesWithComputingAfresh) {
  std::mt19937 random(4861);
  for (int i = 0; i < 100000; ++i) {
    Bytes bytes = test::random_bytes(random, 40);
    const std::size_t at = 2 * (random() % 10);
    const std::size_t length = 2 * (random() % 9);
    Bytes fresh = test::random_bytes(random, length);
    // Where carries go wrong.
    if (i % 4 == 0) std::fill(fresh.begin(), fresh.end(), std::byte{0xff});
    if (i % 4 == 1) std::fill(fresh.begin(), fresh.end(), std::byte{0});
    ChecksumSum sum = ChecksumSum::of_checksum(plain_checksum(bytes));
    sum.subtract(std::span(bytes).subspan(at, length));
    sum.add(fresh);
    std::copy(fresh.begin(), fresh.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at));
    sum.subtract_word(get_be16(bytes, 38));
    sum.add_word(0x8800);
    put_be16(bytes, 38, 0x8800);
    ASSERT_EQ(sum.checksum(), plain_checksum(bytes)) << i;
  }
}

TEST(ChecksumSum, Ipv6PseudoHeader) {
  // Scapy: in6_chksum(58, IPv6(src="2001:db8::77", dst="2001:db8::1"),
  //                   80 00 00 00 12 34 00 07 "abc") is 19762.
  const auto message = from_hex("8000000012340007616263");
  const auto sum_of = [&](std::uint32_t length) {
    ChecksumSum sum = ipv6_pseudo_header(*Ipv6Address::parse("2001:db8::77"),
                                         *Ipv6Address::parse("2001:db8::1"), length, 58);
    sum.add(message);
    return sum.checksum();
  };
  EXPECT_EQ(sum_of(11), 19762);
  EXPECT_EQ(sum_of(0x1000b), 19761);  // the length has 32 bits
}

TEST(ChecksumUpdate, Rfc1624Example) {
  // RFC 1624 §4: HC = dd2f, m = 5555, m' = 3285 gives 0000, not ffff.
  EXPECT_EQ(checksum_update(0xdd2f, 0x5555, 0x3285), 0x0000);
}

TEST(ChecksumUpdate, WordsAtTheEndsOfTheRange) {
  const std::uint16_t words[] = {0, 1, 2, 0x7fff, 0x8000, 0xfffe, 0xffff};
  for (const std::uint16_t other : words) {
    for (const std::uint16_t old_word : words) {
      for (const std::uint16_t new_word : words) {
        if (other == 0 && new_word == 0) continue;  // RFC 1624 §3 excludes zero all over
        Bytes bytes(4);
        put_be16(bytes, 0, other);
        put_be16(bytes, 2, old_word);
        const std::uint16_t before = plain_checksum(bytes);
        put_be16(bytes, 2, new_word);
        EXPECT_EQ(checksum_update(before, old_word, new_word), plain_checksum(bytes))
            << other << ": " << old_word << " -> " << new_word;
      }
    }
  }
}

TEST(ChecksumUpdate, AgreesWithComputingAfresh) {
  std::mt19937 random(1141);
  for (int i = 0; i < 100000; ++i) {
    Bytes bytes = test::random_bytes(random, 20);
    // Words at the ends of the range are where carries go wrong.
    if (i % 4 == 0) put_be16(bytes, 8, i % 8 == 0 ? 0 : 0xffff);
    const std::uint16_t old_word = get_be16(bytes, 8);
    const std::uint16_t before = plain_checksum(bytes);
    const std::uint16_t edge = i % 2 == 0 ? 0 : 0xffff;
    const std::uint16_t new_word = i % 3 == 0 ? edge : static_cast<std::uint16_t>(random());
    put_be16(bytes, 8, new_word);
    ASSERT_EQ(checksum_update(before, old_word, new_word), plain_checksum(bytes))
        << old_word << " -> " << new_word;
  }
}

}  // namespace
}  // namespace koi::wire::checksum_test
