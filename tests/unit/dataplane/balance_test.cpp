// A balanced group on the worker: protocol.md §10.
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "dataplane/shared_slot.h"
#include "tests/support/balanced.h"
#include "tests/support/sample.h"

namespace koi::dataplane::balance_test {
namespace {

using namespace test;  // NOLINT: the whole file is about its frames

// Key "secret", protocol.md §10: 52:54:00:12:34:56 is member 2 of 3, 02:de:ad:be:ef:01 member 0.
// By hand: Ethernet, then the 28 bytes of RFC 826, all from the virtual MAC of vhid 9.
constexpr auto kThirdsReply =
    "525400123456 00005e000109 0806 0001 0800 06 04 0002 00005e000109 c0000201 525400123456 "
    "c000024d";
constexpr auto kFirstsReply =
    "02deadbeef01 00005e000102 0806 0001 0800 06 04 0002 00005e000102 c0000201 02deadbeef01 "
    "c000024d";
const MacAddress kOther = mac_from({0x02, 0xde, 0xad, 0xbe, 0xef, 0x01});

constexpr std::uint8_t kMembers[] = {2, 5, 9};
constexpr std::uint8_t kOthers[] = {1, 3, 200};  // 200 is a vhid of ours, but not of this group

std::shared_ptr<const Topology> three(const balance::Balancer& balancer) {
  return balanced_topology({2, 5, 9}, balancer);
}

class BalancedGroup : public ::testing::Test {
 protected:
  void expect_reply(Bytes request, const char* reply) {
    ASSERT_EQ(verdict(world.receive(request)), "answer");
    EXPECT_EQ(to_hex(request), to_hex(from_hex(reply)));
  }
  World world{three(openbsd_balancer(3))};
};

// C12.2 kept, C12.3 kept
TEST_F(BalancedGroup, EachIsToldTheVirtualMacOfItsMember) {
  for (std::uint16_t s = 0; s < 3; ++s) world.reign(SlotIndex(s));
  expect_reply(arp({}), kThirdsReply);
  expect_reply(arp({.sender_mac = kOther}, {.from = kOther}), kFirstsReply);
}

// C12.3 kept
TEST_F(BalancedGroup, TheHashIsOverTheSenderHardwareAddress) {
  for (std::uint16_t s = 0; s < 3; ++s) world.reign(SlotIndex(s));
  expect_reply(arp({}, {.from = kOther}), kThirdsReply);  // not the Ethernet source
}

TEST_F(BalancedGroup, AProbeIsAnsweredByItsMacsMember) {
  for (std::uint16_t s = 0; s < 3; ++s) world.reign(SlotIndex(s));
  expect_reply(arp({.sender_ip = {}}),
               "525400123456 00005e000109 0806 0001 0800 06 04 0002 00005e000109 c0000201 "
               "525400123456 00000000");
}

// C12.2 kept, C12.2 refused
TEST_F(BalancedGroup, OnlyTheMembersMasterAnswersIt) {
  world.reign(SlotIndex(2));
  EXPECT_EQ(world.verdict_on(arp({})), "answer");
  EXPECT_EQ(world.verdict_on(arp({.sender_mac = kOther}, {.from = kOther})), "not_master");
  world.board->slot(SlotIndex(2)).term.store(0);
  world.poll();
  EXPECT_EQ(world.verdict_on(arp({})), "no_lease");
}

TEST_F(BalancedGroup, WhatTheLeaseAllowedOneMemberIsForgottenWithAClaim) {  // L7
  world.reign(SlotIndex(0));
  world.reign(SlotIndex(2));
  const Bytes others = arp({.sender_mac = kOther}, {.from = kOther});
  EXPECT_EQ(world.verdict_on(arp({})), "answer");
  EXPECT_EQ(world.verdict_on(others), "answer");
  world.board->slot(SlotIndex(2)).term.store(0);
  EXPECT_EQ(world.verdict_on(arp({})), "answer");  // as of the poll, and no claim since
  world.lease.stamp_heard(SlotIndex(1));
  EXPECT_EQ(world.verdict_on(arp({})), "no_lease");
  EXPECT_EQ(world.verdict_on(others), "answer");
}

TEST_F(BalancedGroup, OtherAddressesAreAsEver) {
  world.reign(SlotIndex(3));
  EXPECT_EQ(world.verdict_on(arp({.target_ip = kForeignSharedIp})), "answer");
  EXPECT_EQ(world.verdict_on(arp({.target_ip = kOwnIp})), "answer");
}

TEST_F(BalancedGroup, EveryMembersAnnouncementIsNoClaim) {
  for (const std::uint8_t vhid : kMembers) {
    EXPECT_EQ(world.verdict_on(arp({.sender_mac = virtual_mac(Vhid(vhid)), .sender_ip = kSharedIp},
                                   {.from = virtual_mac(Vhid(vhid))})),
              "arp_announcement");
  }
  for (const std::uint8_t vhid : kOthers) {
    EXPECT_EQ(world.verdict_on(arp({.sender_mac = virtual_mac(Vhid(vhid)), .sender_ip = kSharedIp},
                                   {.from = virtual_mac(Vhid(vhid))})),
              "arp_claim");
  }
}

TEST_F(BalancedGroup, AMacThatEndsAsAMembersIsNone) {
  const MacAddress alike = mac_from({0x02, 0, 0, 0, 0, 5});
  EXPECT_EQ(world.verdict_on(arp({.sender_mac = alike, .sender_ip = kSharedIp})), "arp_claim");
  const Entry& entry = *world.topology->find_address(PortIndex(0), VlanId(0), kSharedIp);
  EXPECT_EQ(slot_of_mac(*world.topology, entry, alike), std::nullopt);
  EXPECT_EQ(slot_of_mac(*world.topology, entry, virtual_mac(Vhid(5))), SlotIndex(1));
}

// C12.8 kept, C12.8 refused
TEST_F(BalancedGroup, EchoIsAnsweredAtTheMacOfAnySlotByItsMaster) {
  const Ip ip{.destination = kSharedIp};
  world.reign(SlotIndex(1));
  Bytes request = echo(ip, {.to = virtual_mac(Vhid(5))});
  ASSERT_EQ(verdict(world.receive(request)), "answer");
  EXPECT_EQ(to_hex(prefix(request, 12)), "52540012345600005e000105");
  EXPECT_EQ(world.verdict_on(echo(ip, {.to = virtual_mac(Vhid(9))})), "not_master");
  world.reign(SlotIndex(3));
  for (const std::uint8_t vhid : kOthers) {
    EXPECT_EQ(world.verdict_on(echo(ip, {.to = virtual_mac(Vhid(vhid))})), "not_our_mac");
  }
  EXPECT_EQ(world.verdict_on(echo(ip, {.to = kPortMac})), "not_our_mac");
  world.board->slot(SlotIndex(1)).term.store(0);
  world.poll();
  EXPECT_EQ(world.verdict_on(echo(ip, {.to = virtual_mac(Vhid(5))})), "no_lease");
}

// C12.4 refused
TEST_F(BalancedGroup, OpenbsdAnswersNobodyWithoutALinkLayerAddress) {
  const Topology& t = *world.topology;
  const Entry& entry = *t.find_address(PortIndex(0), VlanId(0), kSharedIp);
  EXPECT_EQ(verdict(answering_slot(t, entry, {.ethernet = kClientMac})), "balance_none");
  const Entry& alone = *t.find_address(PortIndex(0), VlanId(0), kForeignSharedIp);
  const auto slot = answering_slot(t, alone, {.ethernet = kClientMac});
  ASSERT_TRUE(slot.ok());  // without balancing nobody asks who it is
  EXPECT_EQ(*slot, SlotIndex(3));
}

// C12.5 kept
TEST_F(BalancedGroup, FreebsdsHashIsOfTheSenderProtocolAddress) {
  World freebsd(three(balance::Balancer::freebsd(3)));
  freebsd.reign(SlotIndex(1));
  for (unsigned host = 70; host < 130; ++host) {  // 192.0.2.0 is 0 modulo 3 and 1
    const Ipv4Address sender = ipv4(192, 0, 2, static_cast<std::uint8_t>(host));
    EXPECT_EQ(freebsd.verdict_on(arp({.sender_ip = sender})),
              (0xc0000200ULL + host) % 3 == 1 ? "answer" : "not_master")
        << host;
  }
}

// Whoever is MASTER of which member: each client gets exactly one answer, from the box that has its
// member, and always the same virtual MAC.
// C12.2 kept, C12.7 kept, C12.2 refused
TEST_F(BalancedGroup, ExactlyOneOfThreeBoxesAnswersEachClientInEverySplit) {
  const balance::Balancer hashes[] = {
      openbsd_balancer(3), balance::Balancer::freebsd(3),
      balance::Balancer::siphash(std::array<std::byte, 16>{}, balance::By::mac, 3),
      balance::Balancer::siphash(std::array<std::byte, 16>{}, balance::By::ip, 3)};
  for (const balance::Balancer& hash : hashes) {
    const auto topology = three(hash);
    std::vector<std::string> told(60);  // by client: the virtual MAC
    for (unsigned split = 0; split < 27; ++split) {
      std::vector<std::unique_ptr<World>> boxes;
      for (unsigned b = 0; b < 3; ++b) boxes.push_back(std::make_unique<World>(topology));
      const unsigned owner[] = {split % 3, split / 3 % 3, split / 9};
      for (std::uint16_t s = 0; s < 3; ++s) boxes[owner[s]]->reign(SlotIndex(s));
      for (std::size_t c = 0; c < told.size(); ++c) {
        MacAddress mac = kClientMac;
        mac.bytes[5] = static_cast<std::byte>(c);
        const Ipv4Address ip = ipv4(192, 0, 2, static_cast<std::uint8_t>(100 + c));
        unsigned answers = 0;
        for (const auto& box : boxes) {
          Bytes request = arp({.sender_mac = mac, .sender_ip = ip}, {.from = mac});
          if (verdict(box->receive(request)) != "answer") continue;
          ++answers;
          const std::string mac_told = to_hex(prefix(request, 12)).substr(12);
          if (told[c].empty()) told[c] = mac_told;
          EXPECT_EQ(mac_told, told[c]) << "client " << c << " split " << split;
        }
        ASSERT_EQ(answers, 1U) << "client " << c << " split " << split;
      }
    }
    EXPECT_EQ(std::set<std::string>(told.begin(), told.end()).size(), 3U);  // all members are used
  }
}

// The issue's: three boxes, 10^5 clients, a box lost and its member taken over by another.
TEST_F(BalancedGroup, AHundredThousandClientsAlsoDuringATakeover) {
  const auto topology =
      three(balance::Balancer::siphash(std::array<std::byte, 16>{}, balance::By::mac, 3));
  std::vector<std::unique_ptr<World>> boxes;
  for (unsigned b = 0; b < 3; ++b) {
    boxes.push_back(std::make_unique<World>(topology));
    boxes[b]->reign(SlotIndex(static_cast<std::uint16_t>(b)));
  }
  constexpr unsigned kClients = 100'000 / test::kStride;
  /// How many clients each box answers; none of them is answered by two.
  const auto shares = [&] {
    std::vector<unsigned> share(3);
    for (unsigned c = 0; c < kClients; ++c) {
      MacAddress mac = kClientMac;
      for (unsigned i = 0; i < 3; ++i) mac.bytes[3 + i] = static_cast<std::byte>(c >> (8 * i));
      const Bytes request = arp({.sender_mac = mac}, {.from = mac});
      unsigned answers = 0;
      for (unsigned b = 0; b < 3; ++b) {
        Bytes asked = request;
        if (boxes[b]->receive(asked).kind() != Fate::Kind::answer) continue;
        ++share[b];
        ++answers;
      }
      EXPECT_LE(answers, 1U) << c;
    }
    return share;
  };
  const auto before = shares();
  EXPECT_EQ(before[0] + before[1] + before[2], kClients);
  for (const unsigned share : before) EXPECT_NEAR(share, kClients / 3.0, kClients * 0.02);
  // The third box is gone: its clients are nobody's for a moment, and nobody else's.
  boxes[2]->board->slot(SlotIndex(2)).term.store(0);
  boxes[2]->poll();
  EXPECT_EQ(shares(), (std::vector<unsigned>{before[0], before[1], 0}));
  boxes[0]->reign(SlotIndex(2), Term(6));
  EXPECT_EQ(shares(), (std::vector<unsigned>{before[0] + before[2], before[1], 0}));
}

}  // namespace
}  // namespace koi::dataplane::balance_test
