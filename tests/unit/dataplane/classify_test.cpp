#include "dataplane/classify.h"

#include <algorithm>
#include <random>

#include <gtest/gtest.h>

#include "tests/support/world.h"

namespace koi::dataplane::classify_test {
namespace {

using namespace test;  // NOLINT: the whole file is about its frames

const Advert kBothAdvert{.vhid = 6, .addresses = {kBothIp}, .addresses6 = {kSharedIp6}};

class Classify : public ::testing::Test {
 protected:
  Classify() {
    for (const SlotIndex slot : {kLan, kBoth}) world.reign(slot);
  }
  World world;
};

TEST_F(Classify, EachKindToItsFunction) {
  EXPECT_EQ(world.verdict_on(arp({})), "answer");
  EXPECT_EQ(world.verdict_on(echo({}, {.to = kPortMac})), "answer");
  EXPECT_EQ(world.verdict_on(frame(Advert{})), "taken");
  EXPECT_EQ(world.verdict_on(neighbor({})), "answer");
  EXPECT_EQ(world.verdict_on(echo6({}, {.to = kPortMac})), "answer");
  EXPECT_EQ(world.verdict_on(frame6(kBothAdvert)), "taken");
}

TEST_F(Classify, EveryEthertype) {
  const Bytes payload = arp_payload({});
  for (unsigned type = 0; type <= 0xffff; ++type) {
    const std::string got =
        world.verdict_on(ethernet({.to = kPortMac}, static_cast<std::uint16_t>(type), payload));
    switch (type) {
      case 0x0806:
        ASSERT_EQ(got, "answer");
        break;
      case 0x0800:
        ASSERT_EQ(got, "ipv4_header");
        break;
      case 0x86dd:
        ASSERT_EQ(got, "ipv6_length");
        break;
      case 0x88a8:
        ASSERT_EQ(got, "vlan_stacked");
        break;
      case 0x8100:
        break;  // the payload begins with a tag then
      default:
        ASSERT_EQ(got, "ethertype") << type;
    }
  }
}

// C4.5 refused
TEST_F(Classify, SourcesThatNoHostHas) {
  for (const MacAddress& from : {MacAddress{}, kBroadcastMac, mac_from({0x01, 0, 0x5e, 0, 0, 9})}) {
    EXPECT_EQ(world.verdict_on(arp({}, {.from = from})), "source_mac") << from.to_string();
  }
}

// C14.3 refused
TEST_F(Classify, StackedTags) {
  Frame inner;
  inner.be16(20).be16(0x0806).add(arp_payload({}));
  EXPECT_EQ(world.verdict_on(ethernet({.tag = 20}, 0x8100, inner.bytes)), "vlan_stacked");
  EXPECT_EQ(world.verdict_on(ethernet({.tag = 20}, 0x88a8, inner.bytes)), "vlan_stacked");
  EXPECT_EQ(world.verdict_on(ethernet({}, 0x88a8, inner.bytes)), "vlan_stacked");
}

TEST_F(Classify, UnicastToOthers) {
  const auto to = [](std::uint8_t fifth, std::uint8_t last) {
    return mac_from({0x00, 0x00, 0x5e, 0x00, fifth, last});
  };
  EXPECT_EQ(world.verdict_on(arp({}, {.to = kClientMac})), "not_our_mac");
  EXPECT_EQ(world.verdict_on(arp({}, {.to = kSecondPortMac})), "not_our_mac");
  EXPECT_EQ(world.verdict_on(arp({}, {.to = MacAddress{}})), "not_our_mac");
  EXPECT_EQ(world.verdict_on(arp({}, {.to = to(2, 1)})), "not_our_mac");  // VRRP for IPv6
  EXPECT_EQ(world.verdict_on(arp({}, {.to = to(0, 1)})), "not_our_mac");
  EXPECT_EQ(world.verdict_on(arp({}, {.to = to(1, 1)})), "answer");
}

TEST_F(Classify, EachPortHasItsMac) {
  EXPECT_EQ(world.verdict_on(arp({}, {.to = kPortMac})), "answer");
  EXPECT_EQ(world.verdict_on(arp({}, {.to = kPortMac}), PortIndex(1)), "not_our_mac");
  EXPECT_EQ(world.verdict_on(arp({.target_ip = ipv4(203, 0, 113, 2)}, {.to = kSecondPortMac}),
                             PortIndex(1)),
            "answer");
}

// T01: one counter per reason.
TEST_F(Classify, Ipv4HeadersThatAreWrong) {
  const Bytes good = echo({}, {.to = kPortMac});
  const auto changed = [&](std::size_t at, std::uint8_t value, bool right_checksum = true) {
    Bytes bytes = good;
    bytes[14 + at] = std::byte{value};
    if (right_checksum) {
      Bytes header(bytes.begin() + 14, bytes.begin() + 34);
      set_checksum(header, 10, 20);
      std::copy(header.begin(), header.end(), bytes.begin() + 14);
    }
    return world.verdict_on(bytes);
  };
  for (unsigned first = 0; first < 256; ++first) {
    if (first == 0x45) continue;
    const bool options = first >= 0x46 && first <= 0x4f;
    EXPECT_EQ(changed(0, static_cast<std::uint8_t>(first)),
              options ? "ipv4_options" : "ipv4_header")
        << first;
  }
  EXPECT_EQ(changed(2, 0xff), "ipv4_length");
  EXPECT_EQ(changed(3, 19), "ipv4_length");
  EXPECT_EQ(changed(3, 85), "ipv4_length");  // one more than is there
  EXPECT_EQ(changed(6, 0x20), "ipv4_fragment");
  EXPECT_EQ(changed(6, 0x1f), "ipv4_fragment");
  EXPECT_EQ(changed(7, 0x01), "ipv4_fragment");
  for (std::size_t at = 1; at < 20; ++at) {
    if (at == 2 || at == 3) continue;  // told first by their length
    EXPECT_EQ(changed(at, std::to_integer<std::uint8_t>(good[14 + at] ^ std::byte{4}), false),
              "ipv4_checksum")
        << at;
  }
}

TEST_F(Classify, EveryTotalLength) {
  const Bytes good = echo({}, {.to = kPortMac}, 0);  // 28 bytes of IPv4
  for (unsigned total = 0; total <= 0xffff; ++total) {
    Bytes packet(good.begin() + 14, good.end());
    packet[2] = static_cast<std::byte>(total >> 8);
    packet[3] = static_cast<std::byte>(total & 0xff);
    set_checksum(packet, 10, 20);
    const std::string got = world.verdict_on(ethernet({.to = kPortMac}, 0x0800, packet));
    const char* expected = total < 20 || total > 28 ? "ipv4_length"
                           : total < 28             ? "icmp_length"
                                                    : "answer";
    ASSERT_EQ(got, expected) << total;
  }
}

TEST_F(Classify, NothingButAnAnswerChangesTheFrame) {
  world.board->slot(kLan).term.store(0);
  for (const Bytes& original :
       {arp({}), echo({.destination = kSharedIp}, {.to = virtual_mac(Vhid(1))}), frame(Advert{})}) {
    Bytes bytes = original;
    world.receive(bytes);
    EXPECT_EQ(to_hex(bytes), to_hex(original));
  }
}

// T18: no answer is longer than what asked for it, but for the link-layer address that an answer to
// a solicitation must have; none goes to a group, but for one a second to all nodes.
// C11.14 kept
TEST_F(Classify, RandomChangesNeverAmplify) {
  std::mt19937 random(1);
  Neighbor detection{.options = {}};
  detection.ip.source = {};
  const Bytes seeds[] = {arp({}),
                         arp({.target_ip = kOwnIp}, {.tag = 0}),
                         echo({}, {.to = kPortMac}),
                         frame(Advert{}),
                         neighbor({}),
                         neighbor({.options = {}}),
                         neighbor(detection),
                         echo6({}, {.to = kPortMac}),
                         frame6(kBothAdvert)};
  world.room = 8;
  std::size_t to_group = 0;
  for (int i = 0; i < 200'000; ++i) {
    Bytes bytes = seeds[random() % std::size(seeds)];
    for (unsigned n = random() % 4; n != 0; --n) {
      bytes[random() % bytes.size()] = static_cast<std::byte>(random());
    }
    if (random() % 4 == 0) bytes = prefix(bytes, random() % (bytes.size() + 1));
    const std::size_t length = bytes.size();
    const Fate fate = world.receive(bytes);
    if (fate.kind() != Fate::Kind::answer) continue;
    ASSERT_LE(fate.length(), fate.what() == AnswerKind::nd ? length + 8 : length);
    if ((bytes[0] & std::byte{1}) != std::byte{0}) ++to_group;
    world.up.messages.clear();
  }
  EXPECT_GE(to_group, 1U);
  EXPECT_LE(to_group, 16U);  // the world has fewer addresses, and no time has passed
}

}  // namespace
}  // namespace koi::dataplane::classify_test
