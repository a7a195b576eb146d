// A group balanced by packet as a view, and what its members send: protocol.md §2, §11.
#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "controlplane/view_builder.h"
#include "tests/support/lab_config.h"
#include "tests/unit/controlplane/frame_hex.h"

namespace koi::controlplane::view_builder_by_packet_test {
namespace {

using config::BalanceMode;
using test::hex;
using test::ip4;
using test::port_facts;

/// vhid 1 alone, then 5, 2 and 9 in the mode (in this order in the file).
Plan planned(BalanceMode mode) {
  config::Config config = test::dual_stack_box(2);
  config.groups[0].addresses = {ip4("192.0.2.20")};
  config::Group balanced = test::lan_group();
  balanced.name = "balanced";
  balanced.addresses.emplace_back(test::ip6("2001:db8::10"));
  balanced.peers = {ip4("192.0.2.3")};
  balanced.balance.emplace();
  balanced.balance->mode = mode;
  balanced.balance->members = {{Vhid(5), 100}, {Vhid(2), 0}, {Vhid(9), 200}};
  config.groups.push_back(balanced);
  return make_plan(config, {port_facts()});
}

struct Expected {
  BalanceMode mode;
  const char* told;
  std::vector<const char*> sends_from;  // vhids 2, 5, 9
};
const Expected kExpected[] = {{BalanceMode::ip,
                               "01:00:5e:00:01:02",
                               {"02:00:00:00:00:01", "02:00:00:00:00:01", "02:00:00:00:00:01"}},
                              {BalanceMode::ip_stealth,
                               "00:00:5e:00:01:02",
                               {"02:00:00:00:00:01", "02:00:00:00:00:01", "02:00:00:00:00:01"}},
                              {BalanceMode::ip_unicast,
                               "00:00:5e:00:01:02",
                               {"00:00:5e:00:01:02", "00:00:5e:00:01:05", "00:00:5e:00:01:09"}}};

// C12.9 kept, C12.10 kept, C12.12 kept
TEST(ViewBuilderByPacket, EachSlotKnowsWhatItsGroupTellsAndWhereItSendsFrom) {
  for (const Expected& expected : kExpected) {
    const Plan plan = planned(expected.mode);
    const Topology& t = *plan.topology;
    ASSERT_EQ(t.slots.size(), 4U);
    EXPECT_EQ(t.slots[0].told, virtual_mac(Vhid(1)));  // the other group, as ever
    EXPECT_EQ(t.slots[0].sends_from, virtual_mac(Vhid(1)));
    EXPECT_FALSE(t.slots[0].by_packet);
    EXPECT_EQ(t.slots[0].members, 1);
    for (std::size_t m = 0; m < 3; ++m) {
      const SlotView& slot = t.slots[m + 1];
      EXPECT_TRUE(slot.by_packet);
      EXPECT_EQ(slot.first, SlotIndex(1));
      EXPECT_EQ(slot.members, 3);
      EXPECT_EQ(slot.mac, virtual_mac(slot.vhid));
      EXPECT_EQ(slot.told.to_string(), expected.told);
      EXPECT_EQ(slot.sends_from.to_string(), expected.sends_from[m]);
      EXPECT_FALSE(plan.slots[m + 1].announces);
    }
    // Who asks is nobody's share: the first slot answers all.
    const Entry* entry = t.find_address(PortIndex(0), VlanId(0), ip4("192.0.2.10"));
    ASSERT_NE(entry, nullptr);
    EXPECT_EQ(entry->slot, SlotIndex(1));
    EXPECT_FALSE(entry->is_balanced());
    EXPECT_TRUE(t.balancers.empty());
  }
}

// RFC 826: the source; then IPv4, lengths 6 and 4, reply, the MAC.
TEST(ViewBuilderByPacket, EachSlotHasItsRepliesReady) {
  for (const Expected& expected : kExpected) {
    const Plan plan = planned(expected.mode);
    const Topology& t = *plan.topology;
    ASSERT_EQ(t.replies.size(), t.slots.size());
    for (std::size_t m = 0; m < 3; ++m) {
      std::string source = expected.sends_from[m];
      std::string told = expected.told;
      std::erase(source, ':');
      std::erase(told, ':');
      EXPECT_EQ(test::to_hex(t.replies[m + 1].start), "000000000000" + source + "00000000");
      EXPECT_EQ(test::to_hex(t.replies[m + 1].arp), "080006040002" + told + "00000000");
    }
  }
}

// protocol.md §2: a switch that learned the group's MAC from an advertisement would send its
// traffic to one box only.
// C3.4 kept, C12.12 kept, C12.12 refused
TEST(ViewBuilderByPacket, AdvertisementsLeaveFromThere) {
  for (const Expected& expected : kExpected) {
    const Plan plan = planned(expected.mode);
    for (std::size_t m = 0; m < 3; ++m) {
      const FrameMaker& frames = plan.slots[m + 1].frames;
      std::string source = expected.sends_from[m];
      std::erase(source, ':');
      for (const TransmitFrame& frame :
           {frames.advertisement(Family::ipv4, {.counter = 7}),
            frames.advertisement(Family::ipv6, {.counter = 7}), frames.bow_out(Family::ipv4, 0, 7),
            frames.advertisement_to(ip4("192.0.2.3"), mac_from({2, 0, 0, 0, 0, 3}), {})}) {
        EXPECT_EQ(hex(frame).substr(12, 12), source);
      }
    }
  }
}

TEST(ViewBuilderByPacket, TheSlotsOfOtherGroupsAreTheirOwn) {
  config::Config config = test::lan_box(2);
  config.groups[0].balance.emplace();
  config.groups[0].balance->members = {{Vhid(2), 0}, {Vhid(5), 100}};
  const Plan plan = make_plan(config, {port_facts()});
  for (const SlotView& slot : plan.topology->slots) {  // mode arp
    EXPECT_EQ(slot.told, slot.mac);
    EXPECT_EQ(slot.sends_from, slot.mac);
    EXPECT_EQ(slot.first, SlotIndex(0));
    EXPECT_EQ(slot.members, 2);
    EXPECT_FALSE(slot.by_packet);
  }
}

}  // namespace
}  // namespace koi::controlplane::view_builder_by_packet_test
