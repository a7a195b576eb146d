#include "dataplane/query_receiver.h"

#include <gtest/gtest.h>

#include "tests/support/world.h"

namespace koi::dataplane::query_receiver_test {
namespace {

using namespace test;  // NOLINT: the whole file is about its frames

// Scapy's packets, with a router alert: a general query of IGMPv3, one of IGMPv2 about 224.0.0.18,
// a report; the last two general queries of MLDv2 and MLDv1, hop-by-hop header and all.
constexpr auto kIgmp3 = "46c000240001000001028113c00002fee0000001940400001164ec1e00000000027d0000";
constexpr auto kIgmp2 = "46c000200001000001028106c00002fee000001294040000110a0ee3e0000012";
constexpr auto kReport =
    "46c0002800010000010280fac00002fee0000016940400002200fbeb0000000102000000e0000012";
constexpr auto kMld2 =
    "6000000000240001fe8000000000000000000000000000feff020000000000000000000000000001"
    "3a00050200000100820055992710000000000000000000000000000000000000027d0000";
constexpr auto kMld1 =
    "6000000000200001fe8000000000000000000000000000feff020000000000000000000000000001"
    "3a0005020000010082007b4203e8000000000000000000000000000000000000";

Bytes query4(const char* packet, std::optional<std::uint16_t> tag = std::nullopt) {
  return ethernet({.to = mac_from({0x01, 0, 0x5e, 0, 0, 1}), .tag = tag}, 0x0800, from_hex(packet));
}
Bytes query6(const Bytes& packet) {
  return ethernet({.to = mac_from({0x33, 0x33, 0, 0, 0, 1})}, 0x86dd, packet);
}

const QueryHeard* heard(const World& world) {
  return world.up.messages.empty() ? nullptr : std::get_if<QueryHeard>(&world.up.messages[0]);
}

TEST(QueryReceiver, IgmpGoesUp) {
  World world;
  EXPECT_EQ(world.verdict_on(query4(kIgmp3), PortIndex(1)), "taken");
  ASSERT_NE(heard(world), nullptr);
  EXPECT_EQ(heard(world)->port, PortIndex(1));
  EXPECT_EQ(heard(world)->vlan, VlanId(0));
  EXPECT_EQ(heard(world)->family, Family::ipv4);
  EXPECT_FALSE(heard(world)->older_version);
  EXPECT_EQ(heard(world)->group, IpAddress());
  EXPECT_EQ(heard(world)->max_response, 10s);
}

TEST(QueryReceiver, OlderIgmpAboutAGroupOnAVlan) {
  World world;
  EXPECT_EQ(world.verdict_on(query4(kIgmp2, std::uint16_t{20})), "taken");
  ASSERT_NE(heard(world), nullptr);
  EXPECT_EQ(heard(world)->vlan, kVlan);
  EXPECT_TRUE(heard(world)->older_version);
  EXPECT_EQ(heard(world)->group, IpAddress(ipv4(224, 0, 0, 18)));
  EXPECT_EQ(heard(world)->max_response, 1s);
}

TEST(QueryReceiver, MldGoesUp) {
  World world;
  EXPECT_EQ(world.verdict_on(query6(from_hex(kMld2))), "taken");
  ASSERT_NE(heard(world), nullptr);
  EXPECT_EQ(heard(world)->family, Family::ipv6);
  EXPECT_FALSE(heard(world)->older_version);
  EXPECT_EQ(heard(world)->group, IpAddress(Ipv6Address{}));
  EXPECT_EQ(heard(world)->max_response, 10s);
  World older;
  EXPECT_EQ(older.verdict_on(query6(from_hex(kMld1))), "taken");
  ASSERT_NE(heard(older), nullptr);
  EXPECT_TRUE(heard(older)->older_version);
  EXPECT_EQ(heard(older)->max_response, 1s);
}

// C13.10 refused
TEST(QueryReceiver, WhatIsNoQueryStays) {
  World world;
  EXPECT_EQ(world.verdict_on(query4(kReport)), "igmp_not_query");
  Bytes broken = from_hex(kMld2);
  broken[broken.size() - 3] ^= std::byte{1};  // the querier's interval
  EXPECT_EQ(world.verdict_on(query6(broken)), "icmp6_checksum");
  broken = from_hex(kMld2);
  broken[7] = std::byte{255};  // hop limit
  EXPECT_EQ(world.verdict_on(query6(broken)), "mld_not_query");
  EXPECT_EQ(heard(world), nullptr);
}

TEST(QueryReceiver, AFloodIsForgotten) {
  World world;
  for (unsigned i = 0; i < 1000; ++i) EXPECT_EQ(world.verdict_on(query4(kIgmp3)), "taken");
  EXPECT_EQ(world.up.messages.size(), UpReporter::kBudget);
}

}  // namespace
}  // namespace koi::dataplane::query_receiver_test
