#include "common/wire/igmp.h"

#include <gtest/gtest.h>

#include "tests/unit/common/test_bytes.h"

namespace koi::wire::igmp_test {
namespace {

using test::Bytes;
using test::from_hex;
using test::prefix;
using test::set_checksum;
using test::verdict;

// Scapy's packets: from 192.0.2.254, TTL 1. Version 1 without, the others with a router alert.
constexpr auto kVersion1 = "45c0001c0001000001021620c00002fee00000011100eeff00000000";
constexpr auto kVersion2 = "46c000200001000001028117c00002fee0000001940400001164ee9b00000000";
constexpr auto kVersion2Group = "46c000200001000001028106c00002fee000001294040000110a0ee3e0000012";
constexpr auto kVersion3 =
    "46c000240001000001028113c00002fee0000001940400001164ec1e00000000027d0000";
// About 224.0.0.18 from two sources, maximum response code 0x9a: (16 + 10) << (1 + 3).
constexpr auto kVersion3Sources =
    "46c0002c00010000010280fac00002fee000001294040000119a87c3e0000012027d0002c0000207c0000208";
constexpr auto kReport =
    "46c0002800010000010280fac00002fee0000016940400002200fbeb0000000102000000e0000012";
constexpr std::size_t kHeader = 24;

/// The packet with a byte changed, its checksums made right again.
Bytes with_byte(std::size_t at, unsigned value, const char* hex = kVersion3) {
  Bytes packet = from_hex(hex);
  packet[at] = static_cast<std::byte>(value);
  set_checksum(packet, 10, kHeader);
  Bytes message(packet.begin() + kHeader, packet.end());
  set_checksum(message, 2, message.size());
  std::copy(message.begin(), message.end(), packet.begin() + kHeader);
  return packet;
}

// C13.10 kept
TEST(ParseIgmpQuery, EveryVersion) {
  const auto one = parse_igmp_query(from_hex(kVersion1));
  ASSERT_TRUE(one.ok());
  EXPECT_TRUE(one->older_version);
  EXPECT_EQ(one->max_response, 10s);
  EXPECT_TRUE(one->group.is_zero());

  const auto two = parse_igmp_query(from_hex(kVersion2));
  ASSERT_TRUE(two.ok());
  EXPECT_TRUE(two->older_version);
  EXPECT_EQ(two->max_response, 10s);
  const auto group = parse_igmp_query(from_hex(kVersion2Group));
  ASSERT_TRUE(group.ok());
  EXPECT_EQ(group->group.to_string(), "224.0.0.18");
  EXPECT_EQ(group->max_response, 1s);

  const auto three = parse_igmp_query(from_hex(kVersion3));
  ASSERT_TRUE(three.ok());
  EXPECT_FALSE(three->older_version);
  EXPECT_EQ(three->max_response, 10s);
  EXPECT_TRUE(three->group.is_zero());
  const auto sources = parse_igmp_query(from_hex(kVersion3Sources));
  ASSERT_TRUE(sources.ok());
  EXPECT_EQ(sources->group.to_string(), "224.0.0.18");
  EXPECT_EQ(sources->max_response, 416 * 100ms);
}

// RFC 3376 §4.1.1: the largest code is 31 << 10 tenths of a second.
TEST(ParseIgmpQuery, MaximumResponseCode) {
  EXPECT_EQ(parse_igmp_query(with_byte(kHeader + 1, 0))->max_response, 0s);
  EXPECT_EQ(parse_igmp_query(with_byte(kHeader + 1, 127))->max_response, 12700ms);
  EXPECT_EQ(parse_igmp_query(with_byte(kHeader + 1, 128))->max_response, 12800ms);
  EXPECT_EQ(parse_igmp_query(with_byte(kHeader + 1, 255))->max_response, 31744 * 100ms);
  // A version 2 code is a plain number.
  EXPECT_EQ(parse_igmp_query(with_byte(kHeader + 1, 255, kVersion2))->max_response, 25500ms);
}

TEST(ParseIgmpQuery, EveryTruncation) {
  const Bytes query = from_hex(kVersion3Sources);
  for (std::size_t n = 0; n < query.size(); ++n) {
    EXPECT_EQ(verdict(parse_igmp_query(prefix(query, n))), "ipv4_length") << n;
  }
  Bytes padded = query;  // Ethernet padding is not the message's
  padded.resize(60);
  EXPECT_EQ(verdict(parse_igmp_query(padded)), "ok");
}

// C13.10 refused
TEST(ParseIgmpQuery, EveryLengthOfTheMessage) {
  for (std::size_t n = 0; n <= 20; ++n) {
    Bytes packet = prefix(from_hex(kVersion3Sources), kHeader + n);
    packet[3] = static_cast<std::byte>(kHeader + n);
    set_checksum(packet, 10, kHeader);
    if (n >= 4) {
      Bytes message(packet.begin() + kHeader, packet.end());
      set_checksum(message, 2, n);
      std::copy(message.begin(), message.end(), packet.begin() + kHeader);
    }
    const bool ok = n == 8 || n == 20;
    EXPECT_EQ(verdict(parse_igmp_query(packet)), ok ? "ok" : "igmp_length") << n;
  }
}

// C13.10 refused
TEST(ParseIgmpQuery, ChecksumsCoverEveryBit) {
  const Bytes good = from_hex(kVersion3);
  for (std::size_t at = 1; at < good.size(); ++at) {
    if (at == 2 || at == 3) continue;  // the total length, above
    for (unsigned bit = 0; bit < 8; ++bit) {
      Bytes bad = good;
      bad[at] ^= static_cast<std::byte>(1U << bit);
      EXPECT_EQ(verdict(parse_igmp_query(bad)), at < kHeader ? "ipv4_checksum" : "igmp_checksum")
          << at << "." << bit;
    }
  }
}

TEST(ParseIgmpQuery, Header) {
  EXPECT_EQ(verdict(parse_igmp_query(with_byte(0, 0x66))), "ipv4_header");
  EXPECT_EQ(verdict(parse_igmp_query(with_byte(0, 0x44))), "ipv4_header");
  EXPECT_EQ(verdict(parse_igmp_query(with_byte(0, 0x4f))), "ipv4_length");  // 60 bytes of header
  EXPECT_EQ(verdict(parse_igmp_query(with_byte(6, 0x20))), "ipv4_fragment");
  EXPECT_EQ(verdict(parse_igmp_query(with_byte(7, 0x01))), "ipv4_fragment");
  EXPECT_EQ(verdict(parse_igmp_query(with_byte(12, 0xe0))), "ipv4_source");
  Bytes zero = with_byte(12, 0);  // a snooping switch's own querier
  zero[13] = zero[14] = zero[15] = std::byte{0};
  set_checksum(zero, 10, kHeader);
  EXPECT_EQ(verdict(parse_igmp_query(zero)), "ok");
}

// C13.10 refused
TEST(ParseIgmpQuery, QueriesOfThisLinkOnly) {
  EXPECT_EQ(verdict(parse_igmp_query(from_hex(kReport))), "igmp_not_query");
  EXPECT_EQ(verdict(parse_igmp_query(with_byte(kHeader, 0x16))), "igmp_not_query");
  EXPECT_EQ(verdict(parse_igmp_query(with_byte(8, 2))), "igmp_not_query");     // TTL
  EXPECT_EQ(verdict(parse_igmp_query(with_byte(16, 192))), "igmp_not_query");  // to a host
}

TEST(ParseIgmpQuery, NeverReadsPastWhatIsThere) {
  std::mt19937 random(1);
  for (int i = 0; i < 20000; ++i) {
    Bytes packet = test::random_bytes(random, random() % 64);
    if (packet.size() >= 20) {  // past the header's checks as often as not
      packet[0] = static_cast<std::byte>(0x45 + random() % 4);
      packet[2] = std::byte{0};
      packet[3] = static_cast<std::byte>(packet.size());
      packet[6] = packet[7] = std::byte{0};
      const std::size_t header = 4 * (std::to_integer<std::size_t>(packet[0]) & 15);
      if (header <= packet.size()) set_checksum(packet, 10, header);
    }
    parse_igmp_query(prefix(packet, packet.size()));
  }
}

TEST(IsIgmp, ByTheProtocol) {
  EXPECT_TRUE(is_igmp(from_hex(kVersion2)));
  EXPECT_FALSE(is_igmp(with_byte(9, 17)));
  EXPECT_FALSE(is_igmp(prefix(from_hex(kVersion2), 19)));
}

}  // namespace
}  // namespace koi::wire::igmp_test
