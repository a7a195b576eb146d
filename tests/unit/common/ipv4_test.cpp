#include "common/wire/ipv4.h"

#include <array>

#include <gtest/gtest.h>

#include "tests/unit/common/test_bytes.h"

namespace koi::wire::ipv4_test {
namespace {

using test::Bytes;
using test::from_hex;
using test::prefix;
using test::to_hex;
using test::verdict;

// Scapy's bytes: an advertisement's header (56 bytes in all), and a ping's without DF (60 bytes).
constexpr auto kAdvertisement = "45100038beef4000ff701a41c0000202e0000012";
constexpr auto kPing = "4500003c0001000040018e79c6336409c000020a";

// A packet of real bytes whose header is valid but for what the test changes.
Bytes packet(std::size_t real) {
  Bytes bytes = from_hex(kAdvertisement);
  bytes.resize(real, std::byte{0xee});
  return bytes;
}

void set_header_checksum(Bytes& bytes) { test::set_checksum(bytes, 10, kIpv4Length); }

TEST(ParseIpv4, Advertisement) {
  const auto header = parse_ipv4(packet(56));
  ASSERT_TRUE(header.ok());
  EXPECT_EQ(header->tos, 0x10);
  EXPECT_EQ(header->id, 0xbeef);
  EXPECT_TRUE(header->dont_fragment);
  EXPECT_EQ(header->ttl, 255);
  EXPECT_EQ(header->protocol, 112);
  EXPECT_EQ(header->source, Ipv4Address::from_u32(0xc0000202));
  EXPECT_EQ(header->destination, kCarpIpv4Group);
  EXPECT_EQ(header->payload_length, 36);
}

TEST(ParseIpv4, PingWithoutDontFragment) {
  Bytes ping = from_hex(kPing);
  ping.resize(60);
  const auto header = parse_ipv4(ping);
  ASSERT_TRUE(header.ok());
  EXPECT_EQ(header->tos, 0);
  EXPECT_EQ(header->id, 1);
  EXPECT_FALSE(header->dont_fragment);
  EXPECT_EQ(header->ttl, 64);
  EXPECT_EQ(header->protocol, kProtocolIcmp);
  EXPECT_EQ(header->source, Ipv4Address::from_u32(0xc6336409));
  EXPECT_EQ(header->destination, Ipv4Address::from_u32(0xc000020a));
  EXPECT_EQ(header->payload_length, 40);
}

TEST(ParseIpv4, EveryTruncation) {
  const Bytes whole = packet(56);
  for (std::size_t n = 0; n < whole.size(); ++n) {
    EXPECT_EQ(verdict(parse_ipv4(prefix(whole, n))), "ipv4_length") << n;
  }
  EXPECT_EQ(verdict(parse_ipv4(whole)), "ok");
}

// C4.3 kept, C4.3 refused
TEST(ParseIpv4, EveryVersionAndIhl) {
  Bytes bytes = packet(60 + 36);  // room for the longest header
  for (unsigned first = 0; first < 256; ++first) {
    bytes[0] = static_cast<std::byte>(first);
    set_header_checksum(bytes);
    const unsigned version = first >> 4;
    const unsigned ihl = first & 15;
    const char* expected = version != 4 || ihl < 5 ? "ipv4_header"
                           : ihl > 5               ? "ipv4_options"
                                                   : "ok";
    EXPECT_EQ(verdict(parse_ipv4(bytes)), expected) << "version " << version << " IHL " << ihl;
  }
}

TEST(ParseIpv4, EveryTotalLengthAgainstTheRealOne) {
  for (const std::size_t real : {20u, 21u, 56u, 60u, 1500u, 65535u}) {
    Bytes bytes = packet(real);
    for (std::uint32_t total = 0; total <= 0xffff; ++total) {
      put_be16(bytes, 2, static_cast<std::uint16_t>(total));
      set_header_checksum(bytes);
      const auto header = parse_ipv4(bytes);
      const bool fits = total >= 20 && total <= real;
      ASSERT_EQ(verdict(header), fits ? "ok" : "ipv4_length") << total << " of " << real;
      if (fits) {
        ASSERT_EQ(header->payload_length, total - 20);
      }
    }
  }
}

TEST(ParseIpv4, ChecksumCoversEveryBit) {
  const Bytes good = packet(56);
  for (std::size_t at = 0; at < kIpv4Length; ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      Bytes bad = good;
      bad[at] ^= static_cast<std::byte>(1U << bit);
      const std::string got = verdict(parse_ipv4(bad));
      if (at == 0 || at == 2 || at == 3) {  // judged before the checksum
        EXPECT_NE(got, "ok") << at << "." << bit;
      } else {
        EXPECT_EQ(got, "ipv4_checksum") << at << "." << bit;
      }
    }
  }
}

TEST(ParseIpv4, ChecksumEndsWithTheHeader) {
  Bytes bytes = packet(56);
  bytes[20] ^= std::byte{0xff};
  EXPECT_EQ(verdict(parse_ipv4(bytes)), "ok");
}

// C4.3 kept, C4.3 refused
TEST(ParseIpv4, EveryFlagAndOffset) {
  Bytes bytes = packet(56);
  for (std::uint32_t word = 0; word <= 0xffff; ++word) {
    put_be16(bytes, 6, static_cast<std::uint16_t>(word));
    set_header_checksum(bytes);
    const auto header = parse_ipv4(bytes);
    const bool more = (word & 0x2000) != 0;
    const bool offset = word % 0x2000 != 0;
    ASSERT_EQ(verdict(header), more || offset ? "ipv4_fragment" : "ok") << word;
    if (header.ok()) {
      ASSERT_EQ(header->dont_fragment, (word & 0x4000) != 0) << word;
    }
  }
}

TEST(ParseIpv4, ChecksInTheOrderOfTheHeaderFile) {
  Bytes bytes = packet(56);
  bytes[0] = std::byte{0x66};
  EXPECT_EQ(verdict(parse_ipv4(prefix(bytes, 19))), "ipv4_length");
  EXPECT_EQ(verdict(parse_ipv4(prefix(bytes, 20))), "ipv4_header");
  bytes[0] = std::byte{0x46};
  put_be16(bytes, 2, 57);
  put_be16(bytes, 6, 0x2000);
  put_be16(bytes, 10, 0);
  EXPECT_EQ(verdict(parse_ipv4(bytes)), "ipv4_options");
  bytes[0] = std::byte{0x45};
  EXPECT_EQ(verdict(parse_ipv4(bytes)), "ipv4_length");
  put_be16(bytes, 2, 56);
  EXPECT_EQ(verdict(parse_ipv4(bytes)), "ipv4_checksum");
  set_header_checksum(bytes);
  EXPECT_EQ(verdict(parse_ipv4(bytes)), "ipv4_fragment");
}

TEST(WriteIpv4, Advertisement) {
  std::array<std::byte, kIpv4Length> out;
  out.fill(std::byte{0xee});
  write_ipv4({.tos = 0x10,
              .id = 0xbeef,
              .ttl = 255,
              .protocol = 112,
              .source = Ipv4Address::from_u32(0xc0000202),
              .destination = kCarpIpv4Group,
              .payload_length = 36},
             out);
  EXPECT_EQ(to_hex(out), kAdvertisement);
}

TEST(WriteIpv4, WithoutDontFragment) {
  std::array<std::byte, kIpv4Length> out;
  out.fill(std::byte{0xee});
  write_ipv4({.tos = 0,
              .id = 1,
              .dont_fragment = false,
              .ttl = 64,
              .protocol = kProtocolIcmp,
              .source = Ipv4Address::from_u32(0xc6336409),
              .destination = Ipv4Address::from_u32(0xc000020a),
              .payload_length = 40},
             out);
  EXPECT_EQ(to_hex(out), kPing);
}

}  // namespace
}  // namespace koi::wire::ipv4_test
