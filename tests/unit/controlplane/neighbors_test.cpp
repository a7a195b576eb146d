#include "controlplane/neighbors.h"

#include <string>

#include <gtest/gtest.h>

#include "tests/support/lab_config.h"
#include "tests/unit/controlplane/frame_hex.h"

/// The questions byte for byte as Scapy builds them, and when they are asked.
namespace koi::controlplane::neighbors_test {
namespace {

using test::hex;
using test::ip4;
using test::ip6;

constexpr Instant kStart{1000s};
constexpr MacAddress kPeerMac = mac_from({2, 0, 0, 0, 0, 3});
constexpr MacAddress kOtherMac = mac_from({2, 0, 0, 0, 0, 4});

Interface interface(std::uint16_t vlan = 0, std::uint8_t port = 0) {
  return {.port = PortIndex(port),
          .vlan = VlanId(vlan),
          .mac = mac_from({2, 0, 0, 0, 0, 0x10}),
          .source = ip4("192.0.2.2"),
          .link_local = ip6("fe80::2"),
          .traffic = {}};
}

const IpAddress kPeer = ip4("192.0.2.3");
const IpAddress kPeer6 = ip6("2001:db8::12:3456");

// C13.9 kept
TEST(NeighborQuestion, ArpRequest) {
  constexpr auto kArp = "08060001080006040001020000000010c0000202000000000000c0000203";
  const TransmitFrame frame = ask_for(interface(0, 3), kPeer, std::nullopt);
  EXPECT_EQ(hex(frame), std::string("ffffffffffff020000000010") + kArp);
  EXPECT_EQ(frame.kind, FrameKind::own);
  EXPECT_EQ(frame.family, Family::ipv4);
  EXPECT_EQ(frame.port, PortIndex(3));
  EXPECT_EQ(hex(ask_for(interface(), kPeer, kPeerMac)),
            std::string("020000000003020000000010") + kArp);
  EXPECT_EQ(hex(ask_for(interface(20), kPeer, std::nullopt)),
            std::string("ffffffffffff0200000000108100c014") + kArp);
}

// C13.9 kept
TEST(NeighborQuestion, NeighborSolicitation) {
  const TransmitFrame frame = ask_for(interface(), kPeer6, std::nullopt);
  EXPECT_EQ(hex(frame),
            "3333ff12345602000000001086dd6c00000000203aff"
            "fe800000000000000000000000000002ff0200000000000000000001ff123456"
            "8700e2820000000020010db80000000000000000001234560101020000000010");
  EXPECT_EQ(frame.kind, FrameKind::own);
  EXPECT_EQ(frame.family, Family::ipv6);
  EXPECT_EQ(hex(ask_for(interface(), kPeer6, kPeerMac)),
            "02000000000302000000001086dd6c00000000203aff"
            "fe80000000000000000000000000000220010db8000000000000000000123456"
            "8700b2ce0000000020010db80000000000000000001234560101020000000010");
}

/// Runs due() every 100 ms and writes down when it asked (seconds since kStart, whole tenths) and
/// whether of everybody (*) or only there (!).
std::string questions(NeighborTable& table, Instant from, Duration for_how_long) {
  std::string log;
  for (Instant now = from; now < from + for_how_long; now += 100ms) {
    for (const TransmitFrame& frame : table.due(now, 64)) {
      EXPECT_EQ(frame.not_after, now + 1s);
      const auto tenths = (now - kStart) / 100ms;
      log += std::to_string(tenths / 10) + "." + std::to_string(tenths % 10);
      log += hex(frame).starts_with("ffff") || hex(frame).starts_with("3333") ? "* " : "! ";
    }
  }
  return log;
}

NeighborHeard heard(MacAddress mac, IpAddress address = kPeer) {
  return {.port = PortIndex(0), .vlan = VlanId(0), .address = address, .mac = mac};
}

TEST(Neighbors, NothingBeforeTheLinkIsUp) {
  NeighborTable table;
  EXPECT_TRUE(table.add(interface(), kPeer));
  EXPECT_EQ(table.next_deadline(), Instant::max());
  EXPECT_EQ(questions(table, kStart, 10s), "");
}

// C13.5 kept
TEST(Neighbors, AsksUntilSomebodyAnswers) {
  NeighborTable table;
  table.add(interface(), kPeer);
  table.link_up(PortIndex(0), kStart);
  EXPECT_EQ(table.next_deadline(), kStart);
  EXPECT_EQ(questions(table, kStart, 26s), "0.0* 1.0* 3.0* 6.0* 10.0* 15.0* 20.0* 25.0* ");
  EXPECT_EQ(table.next_deadline(), kStart + 30s);
  EXPECT_EQ(table.mac_of(PortIndex(0), VlanId(0), kPeer), std::nullopt);
}

// C13.5 kept
TEST(Neighbors, RefreshesFirstThereThenOfEverybodyAndKeepsTheMac) {
  NeighborTable table;
  table.add(interface(), kPeer);
  table.link_up(PortIndex(0), kStart);
  EXPECT_EQ(questions(table, kStart, 500ms), "0.0* ");
  EXPECT_TRUE(table.on_heard(heard(kPeerMac), kStart + 500ms));
  EXPECT_EQ(table.mac_of(PortIndex(0), VlanId(0), kPeer), kPeerMac);
  EXPECT_EQ(questions(table, kStart + 500ms, 37s), "30.5! 31.5* 33.5* 36.5* ");
  EXPECT_EQ(table.mac_of(PortIndex(0), VlanId(0), kPeer), kPeerMac);  // L3
  EXPECT_FALSE(table.on_heard(heard(kPeerMac), kStart + 40s));
  EXPECT_EQ(questions(table, kStart + 40s, 30500ms), "70.0! ");
}

TEST(Neighbors, AnotherMacReplacesTheOld) {
  NeighborTable table;
  table.add(interface(), kPeer);
  EXPECT_TRUE(table.on_heard(heard(kPeerMac), kStart));
  EXPECT_TRUE(table.on_heard(heard(kOtherMac), kStart));
  EXPECT_EQ(table.mac_of(PortIndex(0), VlanId(0), kPeer), kOtherMac);
}

// C13.5 kept
TEST(Neighbors, LinkUpAsksAnewOfEverybody) {
  NeighborTable table;
  table.add(interface(), kPeer);
  table.add(interface(0, 1), kPeer);  // the same address elsewhere
  table.on_heard(heard(kPeerMac), kStart);
  table.link_down(PortIndex(0));
  EXPECT_EQ(table.next_deadline(), Instant::max());
  EXPECT_EQ(questions(table, kStart, 60s), "");
  table.link_up(PortIndex(0), kStart + 60s);
  EXPECT_EQ(questions(table, kStart + 60s, 1s), "60.0* ");
  EXPECT_EQ(table.mac_of(PortIndex(0), VlanId(0), kPeer), kPeerMac);
}

TEST(Neighbors, StrangersAreNotNoted) {
  NeighborTable table;
  table.add(interface(20), kPeer);
  EXPECT_FALSE(table.on_heard(heard(kPeerMac), kStart));  // untagged
  EXPECT_FALSE(table.on_heard(heard(kPeerMac, ip4("192.0.2.4")), kStart));
  EXPECT_EQ(table.mac_of(PortIndex(0), VlanId(0), kPeer), std::nullopt);
  EXPECT_EQ(table.mac_of(PortIndex(0), VlanId(20), kPeer), std::nullopt);
  EXPECT_EQ(table.next_deadline(), Instant::max());
}

TEST(Neighbors, BothFamilies) {
  NeighborTable table;
  table.add(interface(), kPeer);
  table.add(interface(), kPeer6);
  table.link_up(PortIndex(0), kStart);
  EXPECT_EQ(questions(table, kStart, 1s), "0.0* 0.0* ");
  table.on_heard(heard(kPeerMac, kPeer6), kStart);
  EXPECT_EQ(table.mac_of(PortIndex(0), VlanId(0), kPeer6), kPeerMac);
  EXPECT_EQ(table.mac_of(PortIndex(0), VlanId(0), kPeer), std::nullopt);
}

TEST(Neighbors, HoldsSoManyAndAsksSoManyAtOnce) {
  NeighborTable table;
  const auto peer = [](unsigned i) { return IpAddress(Ipv4Address::from_u32(0x0a000000U + i)); };
  for (unsigned i = 0; i < NeighborTable::kMostPeers; ++i) {
    EXPECT_TRUE(table.add(interface(), peer(i)));
  }
  EXPECT_FALSE(table.add(interface(), peer(5000)));
  EXPECT_TRUE(table.add(interface(), peer(7)));  // is there already
  table.link_up(PortIndex(0), kStart);
  std::size_t asked = 0;
  for (int turn = 0; turn < 10; ++turn) {
    const std::size_t n = table.due(kStart, 128).size();
    EXPECT_EQ(n, turn < 8 ? 128U : 0U);
    asked += n;
  }
  EXPECT_EQ(asked, NeighborTable::kMostPeers);
}

}  // namespace
}  // namespace koi::controlplane::neighbors_test
