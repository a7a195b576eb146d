#include "common/wire/ipv6.h"

#include <array>

#include <gtest/gtest.h>

#include "tests/unit/common/test_bytes.h"

namespace koi::wire::ipv6_test {
namespace {

using test::Bytes;
using test::from_hex;
using test::prefix;
using test::to_hex;
using test::verdict;

// Scapy's bytes: IPv6(src="fe80::2", dst="ff02::12", hlim=255, nh=112, plen=36), and
// IPv6(src="2001:db8::77", dst="2001:db8::1", hlim=61, tc=0xb8, fl=0x12345) of an echo request.
constexpr auto kAdvertisement =
    "60000000002470fffe800000000000000000000000000002ff020000000000000000000000000012";
constexpr auto kPing =
    "6b81234500153a3d20010db800000000000000000000007720010db8000000000000000000000001";

/// A header whose payload is these extension headers and then 24 bytes of ICMPv6.
Bytes packet(std::uint8_t first, const char* extensions, std::size_t message = 24) {
  Bytes bytes = from_hex(kPing);
  bytes[6] = std::byte{first};
  const Bytes more = from_hex(extensions);
  bytes.insert(bytes.end(), more.begin(), more.end());
  bytes.resize(bytes.size() + message, std::byte{0x87});
  put_be16(bytes, 4, static_cast<std::uint16_t>(bytes.size() - kIpv6Length));
  return bytes;
}

TEST(ParseIpv6, Advertisement) {
  Bytes bytes = from_hex(kAdvertisement);
  bytes.resize(kIpv6Length + 36);
  const auto header = parse_ipv6(bytes);
  ASSERT_TRUE(header.ok());
  EXPECT_EQ(header->traffic_class, 0);
  EXPECT_EQ(header->hop_limit, 255);
  EXPECT_EQ(header->protocol, 112);
  EXPECT_EQ(header->source, *Ipv6Address::parse("fe80::2"));
  EXPECT_EQ(header->destination, kCarpIpv6Group);
  EXPECT_EQ(header->payload, 40);
  EXPECT_EQ(header->payload_length, 36);
}

TEST(ParseIpv6, TrafficClassAndPadding) {
  Bytes bytes = from_hex(kPing);
  bytes.resize(kIpv6Length + 21 + 6);
  const auto header = parse_ipv6(bytes);
  ASSERT_TRUE(header.ok());
  EXPECT_EQ(header->traffic_class, 0xb8);
  EXPECT_EQ(header->hop_limit, 61);
  EXPECT_EQ(header->protocol, kProtocolIcmpv6);
  EXPECT_EQ(header->payload_length, 21);
}

TEST(ParseIpv6, EveryTruncation) {
  const Bytes whole = packet(0, "3c00050200000100 3a00010400000000");
  for (std::size_t n = 0; n < whole.size(); ++n) {
    EXPECT_EQ(verdict(parse_ipv6(prefix(whole, n))), "ipv6_length") << n;
  }
  EXPECT_EQ(verdict(parse_ipv6(whole)), "ok");
}

TEST(ParseIpv6, EveryVersion) {
  Bytes bytes = packet(58, "");
  for (unsigned first = 0; first < 256; ++first) {
    bytes[0] = static_cast<std::byte>(first);
    EXPECT_EQ(verdict(parse_ipv6(bytes)), first >> 4 == 6 ? "ok" : "ipv6_header") << first;
  }
}

TEST(ParseIpv6, EveryPayloadLengthAgainstTheRealOne) {
  for (const std::size_t real : {40u, 41u, 64u, 1500u, 65575u}) {
    Bytes bytes = from_hex(kPing);
    bytes.resize(real);
    for (std::uint32_t length = 0; length <= 0xffff; ++length) {
      put_be16(bytes, 4, static_cast<std::uint16_t>(length));
      const auto header = parse_ipv6(bytes);
      ASSERT_EQ(verdict(header), length + 40 <= real ? "ok" : "ipv6_length") << length;
      if (header.ok()) {
        ASSERT_EQ(header->payload_length, length);
      }
    }
  }
}

// Scapy's: IPv6ExtHdrHopByHop(options=[RouterAlert()]) / IPv6ExtHdrDestOpt() before ICMPv6.
// C4.4 kept
TEST(ParseIpv6, ExtensionHeadersArePassedOver) {
  const auto header = parse_ipv6(packet(0, "3c00050200000100 3a00010400000000"));
  ASSERT_TRUE(header.ok());
  EXPECT_EQ(header->protocol, kProtocolIcmpv6);
  EXPECT_EQ(header->payload, 56);
  EXPECT_EQ(header->payload_length, 24);
}

TEST(ParseIpv6, LongExtensionHeader) {
  // Destination options of 24 bytes: PadN of 20, then Pad1 twice.
  const auto header = parse_ipv6(packet(60, "3a02 0112 000000000000000000000000000000000000 0000"));
  ASSERT_TRUE(header.ok());
  EXPECT_EQ(header->payload, 64);
}

TEST(ParseIpv6, EveryNextHeader) {
  for (unsigned next = 0; next < 256; ++next) {
    const auto header = parse_ipv6(packet(static_cast<std::uint8_t>(next), ""));
    const bool walked = next == 0 || next == 43 || next == 60;  // 87 87 … is no extension header
    ASSERT_EQ(verdict(header), next == 44 ? "ipv6_fragment"
                               : walked   ? "ipv6_extensions"
                                          : "ok")
        << next;
    if (header.ok()) {
      EXPECT_EQ(header->protocol, next);
    }
  }
}

// C4.4 kept, C4.4 refused
TEST(ParseIpv6, EightExtensionHeadersAtMost) {
  std::string chain;
  for (int i = 0; i < 7; ++i) chain += "3c00010400000000";
  EXPECT_EQ(verdict(parse_ipv6(packet(60, (chain + "3a00010400000000").c_str()))), "ok");
  chain += "3c00010400000000";
  EXPECT_EQ(verdict(parse_ipv6(packet(60, (chain + "3a00010400000000").c_str()))),
            "ipv6_extensions");
}

// C4.4 refused
TEST(ParseIpv6, HopByHopComesFirst) {  // RFC 8200 §4.1
  EXPECT_EQ(verdict(parse_ipv6(packet(60, "0000010400000000 3a00010400000000"))),
            "ipv6_extensions");
  EXPECT_EQ(verdict(parse_ipv6(packet(0, "0000010400000000 3a00010400000000"))), "ipv6_extensions");
}

// C4.3 refused
TEST(ParseIpv6, FragmentAnywhere) {
  EXPECT_EQ(verdict(parse_ipv6(packet(44, "3a00000000000001"))), "ipv6_fragment");  // atomic
  EXPECT_EQ(verdict(parse_ipv6(packet(0, "2c00010400000000 3a00000100000001"))), "ipv6_fragment");
  EXPECT_EQ(verdict(parse_ipv6(packet(44, "", 0))), "ipv6_fragment");
}

// C4.4 refused
TEST(ParseIpv6, RoutingWithSegmentsLeftIsForAnother) {  // RFC 8200 §4.4
  for (unsigned left = 0; left < 256; ++left) {
    Bytes bytes = packet(43, "3a00000000000000");
    bytes[43] = static_cast<std::byte>(left);
    EXPECT_EQ(verdict(parse_ipv6(bytes)), left == 0 ? "ok" : "ipv6_extensions") << left;
  }
}

// C4.4 kept, C4.4 refused
TEST(ParseIpv6, ExtensionHeaderPastTheEnd) {
  for (unsigned length = 0; length < 256; ++length) {  // 8 + 24 bytes are there
    Bytes bytes = packet(43, "3a00000000000000");
    bytes[41] = static_cast<std::byte>(length);
    EXPECT_EQ(verdict(parse_ipv6(bytes)), length <= 3 ? "ok" : "ipv6_extensions") << length;
  }
  for (std::size_t there = 0; there < 8; ++there) {
    Bytes bytes = packet(60, "", there);
    std::fill(bytes.begin() + 40, bytes.end(), std::byte{0});
    EXPECT_EQ(verdict(parse_ipv6(bytes)), "ipv6_extensions") << there;
    // The bytes after the payload are padding and no part of the header.
    bytes.resize(64);
    EXPECT_EQ(verdict(parse_ipv6(bytes)), "ipv6_extensions") << there;
  }
}

// C4.4 refused
TEST(ParseIpv6, OptionsThatSayDiscard) {  // RFC 8200 §4.2: the two highest bits of the type
  for (unsigned type = 1; type < 256; ++type) {
    Bytes bytes = packet(60, "3a00 0104 00000000");
    bytes[42] = static_cast<std::byte>(type);
    EXPECT_EQ(verdict(parse_ipv6(bytes)), type < 64 ? "ok" : "ipv6_extensions") << type;
  }
}

TEST(ParseIpv6, OptionPastItsHeader) {
  for (unsigned length = 0; length < 256; ++length) {
    Bytes bytes = packet(60, "3a00 0100 00000000");
    bytes[43] = static_cast<std::byte>(length);
    EXPECT_EQ(verdict(parse_ipv6(bytes)), length <= 4 ? "ok" : "ipv6_extensions") << length;
  }
  // A type whose length is no longer there.
  EXPECT_EQ(verdict(parse_ipv6(packet(60, "3a00 0103 000000 01"))), "ipv6_extensions");
}

TEST(WriteIpv6, Advertisement) {
  std::array<std::byte, kIpv6Length> out;
  out.fill(std::byte{0xee});
  write_ipv6({.protocol = 112,
              .source = *Ipv6Address::parse("fe80::2"),
              .destination = kCarpIpv6Group,
              .payload_length = 36},
             out);
  EXPECT_EQ(to_hex(out), kAdvertisement);
}

TEST(WriteIpv6, TrafficClass) {
  std::array<std::byte, kIpv6Length> out;
  out.fill(std::byte{0xee});
  write_ipv6({.traffic_class = 0xb8,
              .hop_limit = 61,
              .protocol = 58,
              .source = *Ipv6Address::parse("2001:db8::77"),
              .destination = *Ipv6Address::parse("2001:db8::1"),
              .payload_length = 21},
             out);
  std::string expected = kPing;
  expected.replace(3, 5, "00000");  // flow label 0
  EXPECT_EQ(to_hex(out), expected);
}

}  // namespace
}  // namespace koi::wire::ipv6_test
