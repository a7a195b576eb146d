#include "common/wire/icmp.h"

#include <gtest/gtest.h>

#include "tests/unit/common/test_bytes.h"

namespace koi::wire::icmp_test {
namespace {

using test::Bytes;
using test::from_hex;
using test::prefix;
using test::to_hex;
using test::verdict;

// Scapy's bytes: identifier 0x1234, sequence 7, an odd number of bytes of data.
constexpr auto kRequest = "080042ae123400076b6f6920616e73776572732e21";
constexpr auto kReply = "00004aae123400076b6f6920616e73776572732e21";
constexpr auto kCodeOne = "08011154123400076b6f69";
constexpr auto kUnreachable =
    "030166680000000078787878787878787878787878787878787878787878787878787878";

TEST(ParseIcmpEcho, Request) {
  const auto echo = parse_icmp_echo_request(from_hex(kRequest));
  ASSERT_TRUE(echo.ok());
  EXPECT_EQ(echo->identifier, 0x1234);
  EXPECT_EQ(echo->sequence, 7);
}

TEST(ParseIcmpEcho, OtherTypesAndCodes) {
  EXPECT_EQ(verdict(parse_icmp_echo_request(from_hex(kReply))), "icmp_not_echo");
  EXPECT_EQ(verdict(parse_icmp_echo_request(from_hex(kCodeOne))), "icmp_not_echo");
  EXPECT_EQ(verdict(parse_icmp_echo_request(from_hex(kUnreachable))), "icmp_not_echo");
}

TEST(ParseIcmpEcho, EveryTruncation) {
  const Bytes request = from_hex(kRequest);
  for (std::size_t n = 0; n < request.size(); ++n) {
    const char* expected = n < kIcmpEchoLength ? "icmp_length" : "icmp_checksum";
    EXPECT_EQ(verdict(parse_icmp_echo_request(prefix(request, n))), expected) << n;
  }
  // The shortest there is: no data.
  EXPECT_EQ(verdict(parse_icmp_echo_request(from_hex("0800e5c412340007"))), "ok");
}

TEST(ParseIcmpEcho, ChecksumCoversEveryBit) {
  const Bytes good = from_hex(kRequest);
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      Bytes bad = good;
      bad[at] ^= static_cast<std::byte>(1U << bit);
      EXPECT_EQ(verdict(parse_icmp_echo_request(bad)), "icmp_checksum") << at << "." << bit;
    }
  }
}

TEST(IcmpEchoReply, ChangesTypeAndChecksumOnly) {
  Bytes message = from_hex(kRequest);
  turn_into_echo_reply(message);
  EXPECT_EQ(to_hex(message), kReply);
}

TEST(IcmpEchoReply, EveryIdentifierHasAValidChecksum) {
  for (std::uint32_t id = 0; id <= 0xffff; ++id) {
    Bytes message = from_hex("08000000000000000000");
    put_be16(message, 4, static_cast<std::uint16_t>(id));
    test::set_checksum(message, 2, message.size());
    ASSERT_EQ(verdict(parse_icmp_echo_request(message)), "ok") << id;
    turn_into_echo_reply(message);
    // Judged as a receiver does: the sum over everything, complemented, is 0.
    ASSERT_EQ(test::plain_checksum(message), 0) << id;
    ASSERT_EQ(get_be16(message, 4), id);
  }
}

TEST(IcmpEchoReply, ZeroAllOver) {
  // Identifier, sequence and data 0: the reply's checksum is ffff, which RFC 1624's equation 3
  // alone would make 0.
  Bytes message = from_hex("0800f7ff00000000");
  turn_into_echo_reply(message);
  EXPECT_EQ(to_hex(message), "0000ffff00000000");
}

}  // namespace
}  // namespace koi::wire::icmp_test
