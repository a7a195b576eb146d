// Balancing by packet, what the boxes answer: protocol.md §11.
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "dataplane/ip_share.h"
#include "tests/support/by_packet.h"

namespace koi::dataplane::by_packet_answer_test {
namespace {

using namespace test;  // NOLINT: the whole file is about its frames

using ByPacketAnswer = ByPacketTest;

// The bytes by hand: Ethernet, then the 28 bytes of RFC 826.
// C12.10 kept, C12.11 kept, C12.12 kept
TEST(ByPacketAnswers, TheFirstSlotsMasterTellsTheGroupMac) {
  const std::vector<std::pair<ByPacket, const char*>> expected = {
      {ByPacket::ip,
       "525400123456 020000000010 0806 0001 0800 06 04 0002 01005e000102 c0000201 525400123456 "
       "c000024d"},
      {ByPacket::ip_stealth,
       "525400123456 020000000010 0806 0001 0800 06 04 0002 00005e000102 c0000201 525400123456 "
       "c000024d"},
      {ByPacket::ip_unicast,
       "525400123456 00005e000102 0806 0001 0800 06 04 0002 00005e000102 c0000201 525400123456 "
       "c000024d"}};
  for (const auto& [how, reply] : expected) {
    World world(three_by_packet(how));
    world.reign(SlotIndex(0));
    for (const MacAddress& to : {kBroadcastMac, told(how)}) {  // a client that asks again
      Bytes request = arp({}, {.to = to});
      ASSERT_EQ(verdict(world.receive(request)), "answer");
      EXPECT_EQ(to_hex(request), to_hex(from_hex(reply)));
    }
  }
}

// C12.11 kept, C12.12 kept
TEST_P(ByPacketAnswer, AndTheSameByNeighborDiscovery) {
  reign({0});
  Bytes solicitation = neighbor({});
  ASSERT_EQ(verdict(world.receive(solicitation)), "answer");
  EXPECT_EQ(hex_at(solicitation, 6, 6), to_hex(sends_from(0).bytes));
  EXPECT_EQ(hex_at(solicitation, 78, 2), "0201");
  EXPECT_EQ(hex_at(solicitation, 80, 6), to_hex(told(GetParam()).bytes));
  EXPECT_EQ(world.verdict_on(neighbor({.options = {}})), "nd_length");  // no room for the option
  world.room = 8;
  EXPECT_EQ(world.verdict_on(neighbor({.options = {}})), "answer");  // there is no hash to miss it
}

// C12.11 refused
TEST_P(ByPacketAnswer, NobodyElseAnswersHoweverManySlotsItHas) {
  reign({1, 2});
  EXPECT_EQ(world.verdict_on(arp({})), "not_master");
  EXPECT_EQ(world.verdict_on(neighbor({})), "not_master");
  reign({0});
  world.board->slot(SlotIndex(0)).deadline[0].store(0);
  world.poll();
  EXPECT_EQ(world.verdict_on(arp({})), "no_lease");
}

// C12.10 kept
TEST_P(ByPacketAnswer, TheMacsOfTheGroup) {
  const Topology& t = *world.topology;
  const SlotView* first = t.slots.data();
  const PortIndex port(0);
  const VlanId untagged(0);
  EXPECT_EQ(group_by_packet(t, port, untagged, told(GetParam())), first);
  EXPECT_EQ(group_by_packet(t, port, untagged, kFirstMac), first);
  EXPECT_EQ(group_by_packet(t, port, untagged, kSecondMac), first);
  EXPECT_EQ(group_by_packet(t, port, untagged, kGroupMac),
            GetParam() == ByPacket::ip ? first : nullptr);
  for (const MacAddress& other :
       {mac_from({1, 0, 0x5e, 0, 1, 5}), virtual_mac(Vhid(200)), virtual_mac(Vhid(3)), kPortMac,
        kBroadcastMac, mac_from({0, 0, 0x5e, 0, 2, 2}), mac_from({3, 0, 0x5e, 0, 1, 2})}) {
    EXPECT_EQ(group_by_packet(t, port, untagged, other), nullptr) << other.to_string();
  }
  EXPECT_EQ(group_by_packet(t, port, VlanId(20), told(GetParam())), nullptr);
}

TEST_P(ByPacketAnswer, OtherGroupsAndAddressesAreAsEver) {
  world.reign(SlotIndex(3));
  EXPECT_EQ(world.verdict_on(arp({.target_ip = kForeignSharedIp})), "answer");
  EXPECT_EQ(world.verdict_on(udp({}, {.to = virtual_mac(Vhid(200))})), "pass");
  EXPECT_EQ(world.verdict_on(udp({}, {.to = kPortMac})), "pass");
}

// C12.16 kept, C12.16 refused
TEST_P(ByPacketAnswer, EchoIsAnsweredByItsSlotsMaster) {
  const std::uint16_t slot = static_cast<std::uint16_t>(member_of(kClientIp, kSharedIp, 3));
  const std::uint16_t slot6 = static_cast<std::uint16_t>(member_of(kClientIp6, kSharedIp6, 3));
  for (std::uint16_t s = 0; s < 3; ++s) {
    World box(world.topology);
    box.reign(SlotIndex(s));
    const std::string way = to_hex(kClientMac.bytes) + to_hex(sends_from(s).bytes);
    Bytes request = echo({.destination = kSharedIp}, to_group);
    EXPECT_EQ(verdict(box.receive(request)), s == slot ? "answer" : "not_master");
    if (s == slot) EXPECT_EQ(hex_at(request, 0, 12), way);
    request = echo6({.destination = kSharedIp6}, to_group);
    EXPECT_EQ(verdict(box.receive(request)), s == slot6 ? "answer" : "not_master");
    if (s == slot6) EXPECT_EQ(hex_at(request, 0, 12), way);
  }
  reign({0, 1, 2});
  for (const MacAddress& to : {kPortMac, kBroadcastMac, virtual_mac(Vhid(200))}) {
    EXPECT_EQ(world.verdict_on(echo({.destination = kSharedIp}, {.to = to})), "not_our_mac");
  }
}

TEST_P(ByPacketAnswer, EchoIsTheHostsThatHasTheAddress) {
  World assigned(three_by_packet(GetParam(), true));
  const std::uint16_t slot = static_cast<std::uint16_t>(member_of(kClientIp, kSharedIp, 3));
  assigned.reign(SlotIndex(slot));
  EXPECT_EQ(assigned.verdict_on(echo({.destination = kSharedIp}, to_group)), "pass");
  assigned.view.terms[slot] = Term(0);
  assigned.poll();
  EXPECT_EQ(assigned.verdict_on(echo({.destination = kSharedIp}, to_group)), "not_master");
}

// A client that learned another MAC from it would send this box all, and the others nothing.
// C12.12 kept
TEST_P(ByPacketAnswer, ItsSolicitationsNameTheGroupMac) {
  reign({1});
  const Ipv6Address group = Neighbor::solicited_group(kClientIp6);
  const auto solicitation = [&](const MacAddress& from, const MacAddress& named) {
    return neighbor({.target = kClientIp6,
                     .options = link_layer(1, named),
                     .ip = {.source = kSharedIp6, .destination = group},
                     .ethernet = {.to = mac_from({0x33, 0x33, 0xff, 0, 0, 0x77}), .from = from}});
  };
  Bytes sent = solicitation(kPortMac, kPortMac);
  EXPECT_EQ(world.from_host(sent), "pass");
  EXPECT_EQ(sent, solicitation(sends_from(1), told(GetParam())));
}

INSTANTIATE_TEST_SUITE_P(Modes, ByPacketAnswer, ::testing::ValuesIn(kByPacketModes),
                         by_packet_name);

}  // namespace
}  // namespace koi::dataplane::by_packet_answer_test
