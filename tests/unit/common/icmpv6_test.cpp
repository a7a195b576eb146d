#include "common/wire/icmpv6.h"

#include <gtest/gtest.h>

#include "tests/unit/common/test_bytes.h"

namespace koi::wire::icmpv6_test {
namespace {

using test::Bytes;
using test::from_hex;
using test::prefix;
using test::to_hex;
using test::verdict;

// Scapy's bytes: ICMPv6EchoRequest(id=0x1234, seq=7, data=b"koi answers!!") from 2001:db8::77 to
// 2001:db8::1, and the reply that goes back.
constexpr auto kRequest = "80006e81123400076b6f6920616e73776572732121";
constexpr auto kReply = "81006d81123400076b6f6920616e73776572732121";

Ipv6Header between(const char* source, const char* destination) {
  return {.source = *Ipv6Address::parse(source), .destination = *Ipv6Address::parse(destination)};
}
const Ipv6Header kIp = between("2001:db8::77", "2001:db8::1");
const Ipv6Header kBack = between("2001:db8::1", "2001:db8::77");

TEST(ParseIcmpv6Echo, Request) {
  const auto echo = parse_icmpv6_echo_request(kIp, from_hex(kRequest));
  ASSERT_TRUE(echo.ok());
  EXPECT_EQ(echo->identifier, 0x1234);
  EXPECT_EQ(echo->sequence, 7);
}

TEST(ParseIcmpv6Echo, OtherTypesAndCodes) {
  EXPECT_EQ(verdict(parse_icmpv6_echo_request(kBack, from_hex(kReply))), "icmp6_not_echo");
  // The request with code 1, its checksum one less.
  EXPECT_EQ(verdict(parse_icmpv6_echo_request(
                kIp, from_hex("80016e80123400076b6f6920616e73776572732121"))),
            "icmp6_not_echo");
}

TEST(ParseIcmpv6Echo, EveryTruncation) {
  const Bytes request = from_hex(kRequest);
  for (std::size_t n = 0; n < request.size(); ++n) {
    const char* expected = n < kIcmpv6EchoLength ? "icmp6_length" : "icmp6_checksum";
    EXPECT_EQ(verdict(parse_icmpv6_echo_request(kIp, prefix(request, n))), expected) << n;
  }
}

TEST(ParseIcmpv6Echo, ChecksumCoversEveryBitOfMessageAndAddresses) {
  for (std::size_t at = 0; at < 21 + 32; ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      const auto flip = static_cast<std::byte>(1U << bit);
      Bytes message = from_hex(kRequest);
      Ipv6Header ip = kIp;
      if (at < 21) {
        message[at] ^= flip;
      } else if (at < 21 + 16) {
        ip.source.bytes[at - 21] ^= flip;
      } else {
        ip.destination.bytes[at - 37] ^= flip;
      }
      EXPECT_EQ(verdict(parse_icmpv6_echo_request(ip, message)), "icmp6_checksum")
          << at << "." << bit;
    }
  }
}

TEST(Icmpv6EchoReply, ChangesTypeAndChecksumOnly) {
  Bytes message = from_hex(kRequest);
  turn_into_icmpv6_echo_reply(message);
  EXPECT_EQ(to_hex(message), kReply);
}

TEST(Icmpv6EchoReply, EveryIdentifierHasAValidChecksum) {
  // The pseudo-header by hand: both addresses, length 10, next header 58.
  const Bytes pseudo = from_hex(
      "20010db8000000000000000000000077 20010db8000000000000000000000001 0000000a 0000003a");
  for (std::uint32_t id = 0; id <= 0xffff; ++id) {
    Bytes all = pseudo;
    const Bytes message = from_hex("80000000000000000000");
    all.insert(all.end(), message.begin(), message.end());
    put_be16(all, 44, static_cast<std::uint16_t>(id));
    test::set_checksum(all, 42, all.size());
    const auto echo = std::span(all).subspan(40);
    ASSERT_EQ(verdict(parse_icmpv6_echo_request(kIp, echo)), "ok") << id;
    turn_into_icmpv6_echo_reply(echo);
    ASSERT_EQ(test::plain_checksum(all), 0) << id;
    ASSERT_EQ(get_be16(all, 44), id);
  }
}

}  // namespace
}  // namespace koi::wire::icmpv6_test
