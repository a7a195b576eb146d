#include "common/wire/ethernet.h"

#include <array>

#include <gtest/gtest.h>

#include "tests/unit/common/test_bytes.h"

namespace koi::wire::ethernet_test {
namespace {

using test::Bytes;
using test::from_hex;
using test::prefix;
using test::to_hex;
using test::verdict;

const MacAddress kVirtual = virtual_mac(Vhid(7));
const MacAddress kClient = mac_from({0x52, 0x54, 0x00, 0x12, 0x34, 0x56});

// Scapy's bytes.
constexpr auto kUntagged = "00005e0001075254001234560800";
constexpr auto kTagged = "00005e000107525400123456810000140806";       // VLAN 20
constexpr auto kPriorityTag = "00005e0001075254001234568100f0000806";  // priority 7, DEI, VID 0
constexpr auto kAllTagBits = "00005e0001075254001234568100bffe0800";   // priority 5, DEI, VID 4094
constexpr auto kQinQ = "00005e00010752540012345688a80064810000140806";
constexpr auto kTwoTags = "00005e00010752540012345681000064810000140806";

TEST(ParseEthernet, Untagged) {
  const auto header = parse_ethernet(from_hex(kUntagged));
  ASSERT_TRUE(header.ok());
  EXPECT_EQ(header->destination, kVirtual);
  EXPECT_EQ(header->source, kClient);
  EXPECT_EQ(header->vlan, VlanId(0));
  EXPECT_EQ(header->ethertype, kEtherIpv4);
  EXPECT_EQ(header->payload, 14u);
}

// C14.1 kept, C14.3 kept
TEST(ParseEthernet, Tagged) {
  const auto header = parse_ethernet(from_hex(kTagged));
  ASSERT_TRUE(header.ok());
  EXPECT_EQ(header->destination, kVirtual);
  EXPECT_EQ(header->source, kClient);
  EXPECT_EQ(header->vlan, VlanId(20));
  EXPECT_EQ(header->ethertype, kEtherArp);
  EXPECT_EQ(header->payload, 18u);
}

// C14.2 kept
TEST(ParseEthernet, PriorityTagCountsAsUntagged) {
  const auto header = parse_ethernet(from_hex(kPriorityTag));
  ASSERT_TRUE(header.ok());
  EXPECT_EQ(header->vlan, VlanId(0));
  EXPECT_EQ(header->ethertype, kEtherArp);
  EXPECT_EQ(header->payload, 18u);
}

TEST(ParseEthernet, PriorityBitsAreNoVlan) {
  const auto header = parse_ethernet(from_hex(kAllTagBits));
  ASSERT_TRUE(header.ok());
  EXPECT_EQ(header->vlan, VlanId(4094));
}

TEST(ParseEthernet, EveryVlan) {
  Bytes frame = from_hex(kTagged);
  for (std::uint32_t tci = 0; tci <= 0xffff; ++tci) {
    put_be16(frame, 14, static_cast<std::uint16_t>(tci));
    const auto header = parse_ethernet(frame);
    ASSERT_TRUE(header.ok()) << tci;
    ASSERT_EQ(header->vlan.value(), tci % 4096) << tci;
  }
}

// C14.3 refused
TEST(ParseEthernet, StackedTags) {
  EXPECT_EQ(verdict(parse_ethernet(from_hex(kQinQ))), "vlan_stacked");
  EXPECT_EQ(verdict(parse_ethernet(from_hex(kTwoTags))), "vlan_stacked");
  // 802.1ad outside alone, and inside a customer tag
  EXPECT_EQ(verdict(parse_ethernet(from_hex("00005e00010752540012345688a800640806"))),
            "vlan_stacked");
  EXPECT_EQ(verdict(parse_ethernet(from_hex("00005e0001075254001234568100006488a800140806"))),
            "vlan_stacked");
  // The first tag being a priority tag makes no difference.
  EXPECT_EQ(verdict(parse_ethernet(from_hex("00005e00010752540012345681000000810000140806"))),
            "vlan_stacked");
}

TEST(ParseEthernet, EveryTruncation) {
  const Bytes untagged = from_hex(kUntagged);
  for (std::size_t n = 0; n < 14; ++n) {
    EXPECT_EQ(verdict(parse_ethernet(prefix(untagged, n))), "runt") << n;
  }
  EXPECT_EQ(verdict(parse_ethernet(prefix(untagged, 14))), "ok");

  const Bytes tagged = from_hex(kTagged);
  for (std::size_t n = 0; n < 18; ++n) {
    EXPECT_EQ(verdict(parse_ethernet(prefix(tagged, n))), "runt") << n;
  }
  EXPECT_EQ(verdict(parse_ethernet(prefix(tagged, 18))), "ok");

  // Where the outer tag alone condemns a frame, what is missing behind it does not matter.
  const Bytes qinq = from_hex(kQinQ);
  for (std::size_t n = 0; n <= qinq.size(); ++n) {
    EXPECT_EQ(verdict(parse_ethernet(prefix(qinq, n))), n < 14 ? "runt" : "vlan_stacked") << n;
  }
  const Bytes two_tags = from_hex(kTwoTags);
  for (std::size_t n = 0; n <= two_tags.size(); ++n) {
    EXPECT_EQ(verdict(parse_ethernet(prefix(two_tags, n))), n < 18 ? "runt" : "vlan_stacked") << n;
  }
}

// C4.5 refused
TEST(ParseEthernet, SourceNoHostCanHave) {
  for (const char* hex : {kUntagged, kTagged, kPriorityTag}) {
    Bytes frame = from_hex(hex);
    put_mac(frame, 6, MacAddress{});
    EXPECT_EQ(verdict(parse_ethernet(frame)), "source_mac") << hex;
    put_mac(frame, 6, kBroadcastMac);
    EXPECT_EQ(verdict(parse_ethernet(frame)), "source_mac") << hex;
    put_mac(frame, 6, kCarpIpv4Mac);
    EXPECT_EQ(verdict(parse_ethernet(frame)), "source_mac") << hex;
  }
}

// C4.5 kept, C4.5 refused
TEST(ParseEthernet, SourceIsJudgedByTheGroupBitAlone) {
  Bytes frame = from_hex(kUntagged);
  for (unsigned first = 0; first < 256; ++first) {
    frame[6] = static_cast<std::byte>(first);
    EXPECT_EQ(verdict(parse_ethernet(frame)), first % 2 == 0 ? "ok" : "source_mac") << first;
  }
  // One bit anywhere keeps a source from being zero.
  for (std::size_t i = 6; i < 12; ++i) {
    put_mac(frame, 6, MacAddress{});
    frame[i] = std::byte{2};
    EXPECT_EQ(verdict(parse_ethernet(frame)), "ok") << i;
  }
}

TEST(ParseEthernet, AnyDestination) {
  Bytes frame = from_hex(kUntagged);
  for (const MacAddress& mac : {kBroadcastMac, kCarpIpv4Mac, MacAddress{}}) {
    put_mac(frame, 0, mac);
    const auto header = parse_ethernet(frame);
    ASSERT_TRUE(header.ok());
    EXPECT_EQ(header->destination, mac);
  }
}

TEST(ParseEthernet, EveryEthertype) {
  Bytes untagged = from_hex(kUntagged);
  Bytes tagged = from_hex(kTagged);
  for (std::uint32_t type = 0; type <= 0xffff; ++type) {
    put_be16(untagged, 12, static_cast<std::uint16_t>(type));
    put_be16(tagged, 16, static_cast<std::uint16_t>(type));
    const auto plain = parse_ethernet(untagged);
    const auto inner = parse_ethernet(tagged);
    if (type == 0x8100 || type == 0x88a8) {
      ASSERT_EQ(verdict(plain), type == 0x8100 ? "runt" : "vlan_stacked");
      ASSERT_EQ(verdict(inner), "vlan_stacked");
      continue;
    }
    ASSERT_TRUE(plain.ok() && inner.ok()) << type;
    ASSERT_EQ(plain->ethertype, type);
    ASSERT_EQ(inner->ethertype, type);
  }
}

TEST(WriteEthernet, Untagged) {
  std::array<std::byte, 18> out;
  out.fill(std::byte{0xee});
  EXPECT_EQ(write_ethernet(out, kVirtual, kClient, VlanId(0), kEtherIpv4), 14u);
  EXPECT_EQ(to_hex(out), std::string(kUntagged) + "eeeeeeee");  // the payload is left alone
}

// C14.1 kept
TEST(WriteEthernet, Tagged) {
  std::array<std::byte, 20> out;
  out.fill(std::byte{0xee});
  EXPECT_EQ(write_ethernet(out, kVirtual, kClient, VlanId(20), kEtherArp), 18u);
  EXPECT_EQ(to_hex(out), std::string(kTagged) + "eeee");
}

// Scapy: Dot1Q(prio=5, vlan=100) and Dot1Q(prio=7, vlan=4094).
TEST(WriteEthernet, Priority) {
  std::array<std::byte, 18> out;
  EXPECT_EQ(write_ethernet(out, kVirtual, kClient, VlanId(100), kEtherArp, 5), 18u);
  EXPECT_EQ(to_hex(out).substr(24), "8100a0640806");
  EXPECT_EQ(write_ethernet(out, kVirtual, kClient, VlanId(4094), kEtherArp, 7), 18u);
  EXPECT_EQ(to_hex(out).substr(24), "8100effe0806");
  EXPECT_EQ(write_ethernet(out, kVirtual, kClient, VlanId(0), kEtherArp, 7), 14u);
  EXPECT_EQ(to_hex(out).substr(24, 4), "0806");  // no tag, no priority
}

}  // namespace
}  // namespace koi::wire::ethernet_test
