// Balancing by packet, what each box takes and sends: protocol.md §11.
#include <array>
#include <cstdint>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "dataplane/ip_share.h"
#include "tests/support/by_packet.h"

namespace koi::dataplane::by_packet_share_test {
namespace {

using namespace test;  // NOLINT: the whole file is about its frames

using ByPacketShare = ByPacketTest;

// protocol.md §11's own figures. C12.13 kept, C12.13 refused
TEST(ByPacketShares, CheckValues) {
  const Ipv4Address shared = ipv4(192, 0, 2, 10);
  const auto two = TopologyBuilder()
                       .port(kPortMac)
                       .by_packet({.addresses = {shared}}, {1, 2}, ByPacket::ip)
                       .hosted()
                       .build();
  World second(two);
  second.reign(SlotIndex(1));
  const Ethernet e{.to = mac_from({0x01, 0, 0x5e, 0, 0x01, 1})};
  EXPECT_EQ(second.verdict_on(udp({.source = ipv4(192, 0, 2, 1), .destination = shared}, e)),
            "pass");
  EXPECT_EQ(second.verdict_on(udp({.source = ipv4(192, 0, 2, 2), .destination = shared}, e)),
            "not_master");
}

// Whoever reigns what: of three boxes exactly one takes each packet, the one with its slot.
// C12.13 kept, C12.13 refused
TEST_P(ByPacketShare, ExactlyOneOfThreeBoxesTakesEachPacketInEverySplit) {
  std::mt19937 random(7);  // NOLINT: the same every time
  const auto byte = [&] { return static_cast<std::uint8_t>(random()); };
  for (unsigned split = 0; split < 27; ++split) {
    std::vector<std::unique_ptr<World>> boxes;
    for (unsigned b = 0; b < 3; ++b) boxes.push_back(std::make_unique<World>(world.topology));
    const unsigned owner[] = {split % 3, split / 3 % 3, split / 9};
    for (std::uint16_t s = 0; s < 3; ++s) boxes[owner[s]]->reign(SlotIndex(s));
    std::set<unsigned> slots;
    for (unsigned n = 0; n < 60; ++n) {
      // To the shared address, and through the boxes to somewhere else.
      const Ip ip{.source = ipv4(198, 51, byte(), byte()),
                  .destination = n % 2 == 0 ? kSharedIp : ipv4(10, byte(), byte(), byte())};
      Ip6 ip6{.source = kClientIp6, .destination = n % 2 == 0 ? kSharedIp6 : kClientIp6};
      for (std::size_t i = 2; i < 16; ++i) ip6.source.bytes[i] = std::byte{byte()};
      for (const bool old : {true, false}) {
        const Bytes packet = old ? udp(ip, to_group) : udp6(ip6, to_group);
        const unsigned slot = old ? member_of(ip.source, ip.destination, 3)
                                  : member_of(ip6.source, ip6.destination, 3);
        slots.insert(slot);
        for (unsigned b = 0; b < 3; ++b) {
          Bytes frame = packet;
          EXPECT_EQ(verdict(boxes[b]->receive(frame)), b == owner[slot] ? "pass" : "not_master");
          if (b != owner[slot]) continue;
          // With the host's own MAC, and nothing else changed.
          EXPECT_EQ(hex_at(frame, 0, 6), to_hex(kPortMac.bytes));
          EXPECT_EQ(Bytes(frame.begin() + 6, frame.end()), Bytes(packet.begin() + 6, packet.end()));
        }
      }
    }
    EXPECT_EQ(slots.size(), 3U);
  }
}

TEST_P(ByPacketShare, WithoutLeaseNobody) {
  reign({0, 1, 2});
  const Bytes packet = udp({.destination = kRemoteIp}, to_group);
  EXPECT_EQ(world.verdict_on(packet), "pass");
  for (std::uint16_t s = 0; s < 3; ++s) world.board->slot(SlotIndex(s)).term.store(0);
  world.poll();
  EXPECT_EQ(world.verdict_on(packet), "no_lease");
}

TEST_P(ByPacketShare, FragmentsAndOptionsGoWithTheRest) {
  const unsigned slot = member_of(kClientIp, kSharedIp, 3);
  for (std::uint16_t s = 0; s < 3; ++s) {
    World box(world.topology);
    box.reign(SlotIndex(s));
    const char* expected = s == slot ? "pass" : "not_master";
    const Ip later{.flags = 0x0010, .protocol = 1, .destination = kSharedIp};
    EXPECT_EQ(box.verdict_on(ethernet(to_group, 0x0800, ip_packet(later, icmp(3, 4, Bytes(40))))),
              expected);
    Bytes options = ip_packet({.protocol = 17, .destination = kSharedIp}, Bytes(30));
    options[0] = std::byte{0x46};
    set_checksum(options, 10, 24);
    EXPECT_EQ(box.verdict_on(ethernet(to_group, 0x0800, options)), expected);
  }
}

// C12.14 kept
TEST_P(ByPacketShare, AnErrorGoesWhereItsConversationIs) {
  // 203.0.113.9 has answered badly to what a router could not deliver; the router's own address
  // would be another slot's. n = 3: the conversation is slot 2's, the router slot 0's.
  const Ipv4Address router = ipv4(198, 51, 100, 2);
  ASSERT_EQ(member_of(kRemoteIp, kSharedIp, 3), 2U);
  ASSERT_EQ(member_of(router, kSharedIp, 3), 0U);
  reign({2});
  const auto error = [&](std::uint8_t type, const Ip& about, std::size_t length = 28) {
    const Bytes inner = prefix(ip_packet(about, Bytes(8)), length);
    return ethernet(to_group, 0x0800,
                    ip_packet({.source = router, .destination = kSharedIp}, icmp(type, 0, inner)));
  };
  const Ip about{.protocol = 6, .source = kSharedIp, .destination = kRemoteIp};
  for (const std::uint8_t type : std::array<std::uint8_t, 4>{3, 4, 11, 12}) {
    EXPECT_EQ(world.verdict_on(error(type, about)), "pass") << +type;
  }
  EXPECT_EQ(world.verdict_on(error(5, about)), "not_master");      // a redirect: the router's
  EXPECT_EQ(world.verdict_on(error(3, about, 19)), "not_master");  // too short to say
  EXPECT_EQ(world.verdict_on(error(3, about, 20)), "pass");
  // On its way to somebody else it belongs where its own addresses say, as in OpenBSD.
  const Bytes through = ethernet(
      to_group, 0x0800,
      ip_packet({.source = router, .destination = kClientIp}, icmp(3, 4, ip_packet(about, {}))));
  ASSERT_NE(member_of(router, kClientIp, 3), 2U);
  EXPECT_EQ(world.verdict_on(through), "not_master");
}

// C12.14 kept
TEST_P(ByPacketShare, AnErrorOfIpv6Too) {
  const Ipv6Address remote = ipv6_from({0x2001, 0xdb8, 0xff, 0, 0, 0, 0, 9});
  const Ipv6Address router = ipv6_from({0x2001, 0xdb8, 0xfe, 0, 0, 0, 0, 3});
  const unsigned slot = member_of(remote, kSharedIp6, 3);
  ASSERT_NE(member_of(router, kSharedIp6, 3), slot);
  reign({static_cast<std::uint16_t>(slot)});
  const Ip6 outer{.source = router, .destination = kSharedIp6};
  const auto error = [&](std::uint8_t type, std::size_t length) {
    const Bytes about = prefix(
        ip6_packet({.next = 6, .source = kSharedIp6, .destination = remote}, Bytes(8)), length);
    const Bytes rest = Frame().be32(1280).add(about).bytes;
    return ethernet(to_group, 0x86dd, ip6_packet(outer, icmp6(type, 0, rest, outer)));
  };
  for (const std::uint8_t type : std::array<std::uint8_t, 4>{1, 2, 3, 4}) {
    EXPECT_EQ(world.verdict_on(error(type, 48)), "pass") << +type;
  }
  EXPECT_EQ(world.verdict_on(error(129, 48)), "not_master");  // no error: the router's
  EXPECT_EQ(world.verdict_on(error(2, 39)), "not_master");    // too short to say
  EXPECT_EQ(world.verdict_on(error(2, 40)), "pass");
}

// C12.15 kept
TEST_P(ByPacketShare, WhatIsForManyIsForEveryBox) {
  const auto unchanged = [&](const Bytes& frame) {
    Bytes passed = frame;
    EXPECT_EQ(verdict(world.receive(passed)), "pass");
    EXPECT_EQ(passed, frame);
  };
  // 224.0.1.2 and 224.128.1.2 have the group MAC of vhid 2 (RFC 1112 §6.4).
  unchanged(udp({.destination = ipv4(224, 0, 1, 2)}, {.to = kGroupMac}));
  unchanged(udp({.destination = ipv4(224, 128, 1, 2)}, {.to = kGroupMac}));
  unchanged(udp({.destination = ipv4(255, 255, 255, 255)}, {}));
  unchanged(udp({.destination = ipv4(255, 255, 255, 255)}, to_group));
  const Ip6 to_all{.destination = ipv6_from({0xff02, 0, 0, 0, 0, 0, 0, 0xfb})};
  unchanged(udp6(to_all, {.to = mac_from({0x33, 0x33, 0, 0, 0, 0xfb})}));
  unchanged(udp6(to_all, to_group));
}

// C12.15 kept, C12.15 refused
TEST_P(ByPacketShare, WhatIsNotIpIsTheFirstSlots) {
  const Bytes frame = ethernet(to_group, 0x8863, Bytes(46));
  reign({1, 2});
  EXPECT_EQ(world.verdict_on(frame), "not_master");
  reign({0});
  EXPECT_EQ(world.verdict_on(frame), "pass");
}

// C12.17 kept, C12.17 refused
TEST_P(ByPacketShare, TheHostSendsForItsShareAlone) {
  const Ethernet to_client{.to = kClientMac, .from = kPortMac};
  const unsigned slot = member_of(kSharedIp, kClientIp, 3);
  const unsigned slot6 = member_of(kSharedIp6, kClientIp6, 3);
  for (std::uint16_t s = 0; s < 3; ++s) {
    World box(world.topology);
    box.reign(SlotIndex(s));
    const std::string from = to_hex(sends_from(s).bytes);
    Bytes sent = udp({.source = kSharedIp, .destination = kClientIp}, to_client);
    EXPECT_EQ(box.from_host(sent), s == slot ? "pass" : "host_not_master");
    if (s == slot) EXPECT_EQ(hex_at(sent, 0, 12), to_hex(kClientMac.bytes) + from);
    sent = udp6({.source = kSharedIp6, .destination = kClientIp6}, to_client);
    EXPECT_EQ(box.from_host(sent), s == slot6 ? "pass" : "host_not_master");
    if (s == slot6) EXPECT_EQ(hex_at(sent, 0, 12), to_hex(kClientMac.bytes) + from);
    // To many: from whoever has a share, as a solicitation for one of its clients is.
    sent = udp({.source = kSharedIp, .destination = ipv4(224, 0, 0, 251)},
               {.to = mac_from({1, 0, 0x5e, 0, 0, 0xfb}), .from = kPortMac});
    EXPECT_EQ(box.from_host(sent), "pass");
    EXPECT_EQ(hex_at(sent, 6, 6), from);
  }
  Bytes sent = udp({.source = kSharedIp, .destination = ipv4(224, 0, 0, 251)},
                   {.to = mac_from({1, 0, 0x5e, 0, 0, 0xfb}), .from = kPortMac});
  EXPECT_EQ(world.from_host(sent), "host_not_master");  // has none
}

// Reads no byte that is not there: a sanitizer would see it.
TEST_P(ByPacketShare, EveryPrefixOfAPacket) {
  const SlotView& first = world.topology->slots[0];
  const Bytes about = ip_packet({.protocol = 6, .source = kSharedIp}, Bytes(8));
  const Bytes error = ip_packet({.destination = kSharedIp}, icmp(3, 4, about));
  const Ip6 outer{.destination = kSharedIp6};
  const Bytes rest = Frame().be32(0).add(ip6_packet({.source = kSharedIp6}, Bytes(8))).bytes;
  const Bytes error6 = ip6_packet(outer, icmp6(2, 0, rest, outer));
  for (const auto& [type, packet, least] :
       {std::tuple{0x0800, error, std::size_t{20}}, std::tuple{0x86dd, error6, std::size_t{40}}}) {
    for (std::size_t length = 0; length < packet.size(); ++length) {
      const Bytes part = prefix(packet, length);
      const auto slot =
          slot_of_packet(*world.topology, first, static_cast<std::uint16_t>(type), part);
      EXPECT_EQ(slot.ok(), length >= least) << length;
      if (!slot) {
        EXPECT_EQ(slot.reason(),
                  type == 0x0800 ? DropReason::kIpv4Length : DropReason::kIpv6Length);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Modes, ByPacketShare, ::testing::ValuesIn(kByPacketModes), by_packet_name);

}  // namespace
}  // namespace koi::dataplane::by_packet_share_test
