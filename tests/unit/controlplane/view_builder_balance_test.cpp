// A balanced group as a view: protocol.md §10.
#include <array>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "controlplane/view_builder.h"
#include "tests/support/lab_config.h"
#include "tests/unit/common/test_bytes.h"

namespace koi::controlplane::view_builder_balance_test {
namespace {

using test::ip4;
using test::port_facts;
using test::secret;

/// vhid 1 alone, then 5, 2 and 9 balanced (in this order in the file), then vhid 20 alone.
config::Config three_members() {
  config::Config config = test::lan_box(2);
  config.groups[0].addresses = {ip4("192.0.2.20")};
  config::Group balanced = test::lan_group();
  balanced.name = "balanced";
  balanced.advskew = 77;  // its members' count
  balanced.balance.emplace();
  balanced.balance->members = {{Vhid(5), 100}, {Vhid(2), 0}, {Vhid(9), 200}};
  config.groups.push_back(balanced);
  config::Group last = test::lan_group();
  last.name = "last";
  last.vhid = Vhid(20);
  last.addresses = {ip4("192.0.2.30")};
  config.groups.push_back(last);
  return config;
}

std::array<std::byte, 20> digest(std::string_view hex) {
  std::array<std::byte, 20> out{};
  const test::Bytes bytes = test::from_hex(hex);
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

// C1.6 kept, C12.1 kept
TEST(ViewBuilderBalance, OneSlotPerMemberByAscendingVhid) {
  const Plan plan = make_plan(three_members(), {port_facts()});
  ASSERT_EQ(plan.slots.size(), 5U);
  ASSERT_EQ(plan.topology->slots.size(), 5U);
  const std::vector<unsigned> vhids = {1, 2, 5, 9, 20};
  const std::vector<unsigned> skews = {0, 0, 100, 200, 0};
  const std::vector<unsigned> groups = {0, 1, 1, 1, 2};
  for (std::size_t i = 0; i < vhids.size(); ++i) {
    const Vhid vhid(static_cast<std::uint8_t>(vhids[i]));
    EXPECT_EQ(plan.topology->slots[i].vhid, vhid) << i;
    EXPECT_EQ(plan.topology->slots[i].mac, virtual_mac(vhid)) << i;
    EXPECT_EQ(plan.slots[i].parameters.vhid, vhid) << i;
    EXPECT_EQ(plan.slots[i].parameters.advskew, skews[i]) << i;
    EXPECT_EQ(plan.slots[i].group_index, groups[i]) << i;
    EXPECT_EQ(plan.slots[i].announces, groups[i] != 1) << i;
    const SlotView* found = plan.topology->find_slot(PortIndex(0), VlanId(0), vhid);
    ASSERT_NE(found, nullptr) << i;
    EXPECT_EQ(plan.topology->index_of(*found).value(), i);
  }
}

TEST(ViewBuilderBalance, GroupsKnowTheirSlots) {
  const Plan plan = make_plan(three_members(), {port_facts()});
  const std::vector<std::pair<unsigned, unsigned>> expected = {{0, 1}, {1, 3}, {4, 1}};
  ASSERT_EQ(plan.groups.size(), expected.size());
  for (std::size_t g = 0; g < expected.size(); ++g) {
    EXPECT_EQ(plan.groups[g].first.value(), expected[g].first) << g;
    EXPECT_EQ(plan.groups[g].count, expected[g].second) << g;
  }
}

TEST(ViewBuilderBalance, TheAddressLeadsToTheFirstSlotAndTheBalancer) {
  const Plan plan = make_plan(three_members(), {port_facts()});
  const Topology& t = *plan.topology;
  const Entry* balanced = t.find_address(PortIndex(0), VlanId(0), ip4("192.0.2.10"));
  const Entry* alone = t.find_address(PortIndex(0), VlanId(0), ip4("192.0.2.30"));
  ASSERT_TRUE(balanced != nullptr && alone != nullptr);
  EXPECT_EQ(balanced->kind, EntryKind::shared);
  EXPECT_EQ(balanced->slot, SlotIndex(1));
  ASSERT_TRUE(balanced->is_balanced());
  ASSERT_EQ(t.balancers.size(), 1U);
  EXPECT_EQ(balanced->balancer, 0);
  EXPECT_EQ(t.balancers[0].members(), 3U);
  EXPECT_EQ(alone->slot, SlotIndex(4));
  EXPECT_FALSE(alone->is_balanced());
}

// C3.4 kept, C12.1 kept
TEST(ViewBuilderBalance, EachMemberSignsForItsVhidAndAllAddresses) {
  const Plan plan = make_plan(three_members(), {port_facts()});
  // Of counter 7, vhid 2, 5 and 9, address 192.0.2.10, made with Python's hmac.
  constexpr std::string_view kExpected[] = {"161a892ff62370c14b12cdc31427def5d94cbeb7",
                                            "d20a180367961ac99e1d36a6bb4217bec57f0d8f",
                                            "ef051a1f72f548902d4703032c5fd02e392ee30c"};
  for (std::size_t i = 0; i < 3; ++i) {
    const SlotView& slot = plan.topology->slots[i + 1];
    ASSERT_EQ(slot.auth_count, 1U);
    EXPECT_TRUE(plan.topology->auths[slot.first_auth].verify(7, digest(kExpected[i]))) << i;
    // And it leaves from that member's virtual MAC, so that switches learn it.
    const TransmitFrame frame =
        plan.slots[i + 1].frames.advertisement(Family::ipv4, {.counter = 7});
    EXPECT_TRUE(std::equal(slot.mac.bytes.begin(), slot.mac.bytes.end(), frame.bytes.begin() + 6));
    EXPECT_TRUE(std::equal(frame.bytes.begin() + 50, frame.bytes.begin() + 70,
                           digest(kExpected[i]).begin()));
  }
}

/// The member of 52:54:00:12:34:56, 192.0.2.74.
unsigned member(const config::Balance& balance, const char* key = "secret") {
  config::Config config = three_members();
  const auto members = config.groups[1].balance->members;
  config.groups[1].balance = balance;
  config.groups[1].balance->members = members;
  config.groups[1].key = secret(key);
  const Plan plan = make_plan(config, {port_facts()});
  const MacAddress mac = mac_from({0x52, 0x54, 0x00, 0x12, 0x34, 0x56});
  return plan.topology->balancers.at(0)
      .member_for({.link_layer = mac, .ethernet = mac, .address = ip4("192.0.2.74")})
      .value_or(99);
}

// C12.7 kept
TEST(ViewBuilderBalance, TheHashIsTheConfigurationsAndSoIsItsKey) {
  using config::BalanceHash;
  using config::HashBy;
  // Python, key "secret"; see balance_test.cpp. The third member is vhid 9.
  EXPECT_EQ(member({.hash = BalanceHash::openbsd}), 2U);
  EXPECT_EQ(member({.hash = BalanceHash::freebsd}), 1U);
  EXPECT_EQ(member({.hash = BalanceHash::siphash, .by = HashBy::mac}), 2U);
  EXPECT_EQ(member({.hash = BalanceHash::siphash, .by = HashBy::ip}), 0U);
  // Another key, another member; a key of the hash's own is all that counts, also when the
  // group's key is rotated.
  EXPECT_EQ(member({.hash = BalanceHash::openbsd}, "x"), 0U);
  EXPECT_EQ(member({.hash = BalanceHash::openbsd, .hash_key = secret("secret")}, "x"), 2U);
}

}  // namespace
}  // namespace koi::controlplane::view_builder_balance_test
