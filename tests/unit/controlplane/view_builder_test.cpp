#include "controlplane/view_builder.h"

#include <array>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/lab_config.h"

namespace koi::controlplane::view_builder_test {
namespace {

using test::ip4;
using test::port_facts;
using test::secret;

/// Port lan with VLANs 20 and 30, a group untagged and one on VLAN 20 with the same vhid.
config::Config two_groups() {
  config::Config config = test::lan_box(2);
  config.ports[0].vlans[VlanId(20)].addresses = {{ip4("198.51.100.2"), 24},
                                                 {ip4("198.51.100.3"), 24}};
  config.ports[0].vlans[VlanId(30)].addresses = {{ip4("203.0.113.2"), 24}};
  config::Group second = test::lan_group();
  second.name = "vlan-gateway";
  second.vlan = VlanId(20);
  second.addresses = {ip4("198.51.100.1"), Ipv6Address::parse("2001:db8::1").value()};
  config.groups.push_back(second);
  return config;
}

std::array<std::byte, 20> digest(std::string_view hex) {
  std::array<std::byte, 20> out{};
  const auto nibble = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = static_cast<std::byte>(nibble(hex[2 * i]) * 16 + nibble(hex[2 * i + 1]));
  }
  return out;
}

TEST(ViewBuilder, OwnAddressesOfThePortAndOfEveryVlan) {
  const Plan plan = make_plan(two_groups(), {port_facts()});
  const Topology& t = *plan.topology;
  const auto kind = [&](unsigned vlan, const char* address) {
    const Entry* entry =
        t.find_address(PortIndex(0), VlanId(static_cast<std::uint16_t>(vlan)), ip4(address));
    return entry == nullptr ? -1 : static_cast<int>(entry->kind);
  };
  constexpr int kOwn = static_cast<int>(EntryKind::own);
  EXPECT_EQ(kind(0, "192.0.2.2"), kOwn);
  EXPECT_EQ(kind(20, "198.51.100.2"), kOwn);
  EXPECT_EQ(kind(20, "198.51.100.3"), kOwn);
  EXPECT_EQ(kind(30, "203.0.113.2"), kOwn);
  EXPECT_EQ(kind(20, "192.0.2.2"), -1);  // there it is nobody's
  EXPECT_EQ(kind(0, "198.51.100.2"), -1);
  EXPECT_EQ(kind(0, "192.0.2.3"), -1);
}

TEST(ViewBuilder, ALinkLocalAddressIsDerivedOnlyWhereIpv6IsSpoken) {
  const Plan plan = make_plan(two_groups(), {port_facts()});
  const Ipv6Address derived = Ipv6Address::parse("fe80::ff:fe00:1").value();
  EXPECT_EQ(plan.topology->find_address(PortIndex(0), VlanId(0), derived), nullptr);
  EXPECT_EQ(plan.topology->find_address(PortIndex(0), VlanId(30), derived), nullptr);
  const Entry* own = plan.topology->find_address(PortIndex(0), VlanId(20), derived);
  ASSERT_NE(own, nullptr);
  EXPECT_EQ(own->kind, EntryKind::own);
}

TEST(ViewBuilder, PlacesJoinWhatIsAnsweredThereAndKnowThePeers) {
  config::Config config = two_groups();
  config.groups[1].peers = {ip4("198.51.100.9"), ip4("198.51.100.3")};
  config.groups[0].multicast = false;
  const Plan plan = make_plan(config, {port_facts()});
  ASSERT_EQ(plan.places.size(), 2U);
  EXPECT_EQ(plan.places[0].interface.vlan, VlanId(0));
  EXPECT_EQ(plan.places[0].listens, 0);
  EXPECT_TRUE(plan.places[0].answered.empty());
  EXPECT_FALSE(plan.topology->slots[0].multicast);
  EXPECT_TRUE(plan.topology->slots[1].multicast && plan.topology->slots[1].unicast);
  const PlacePlan& tagged = plan.places[1];
  EXPECT_EQ(tagged.interface.vlan, VlanId(20));
  EXPECT_EQ(tagged.interface.source, ip4("198.51.100.2"));
  EXPECT_EQ(tagged.listens, family_bit(Family::ipv4) | family_bit(Family::ipv6));
  const std::vector<Ipv6Address> answered = {Ipv6Address::parse("fe80::ff:fe00:1").value(),
                                             Ipv6Address::parse("2001:db8::1").value()};
  EXPECT_EQ(tagged.answered, answered);
  EXPECT_EQ(tagged.peers, config.groups[1].peers);
  const auto kind = [&](const char* address) {
    return plan.topology->find_address(PortIndex(0), VlanId(20), ip4(address))->kind;
  };
  EXPECT_EQ(kind("198.51.100.9"), EntryKind::peer);
  EXPECT_EQ(kind("198.51.100.3"), EntryKind::own);  // ours, whatever else it is called
}

// C5.7 kept, C5.7 refused
TEST(ViewBuilder, BothTreatmentsOfLinkLocalAddressesAreAccepted) {
  config::Config config = test::lan_box(2);
  config.groups[0].addresses = {ip4("192.0.2.10"), Ipv6Address::parse("fe80::10").value()};
  const auto sent_with = [&](config::HmacLinkLocal link_local) {
    config.groups[0].hmac_v6ll = link_local;
    const Plan plan = make_plan(config, {port_facts()});
    EXPECT_EQ(plan.topology->slots[0].auth_count, 2U);
    const auto bytes = plan.slots[0].frames.advertisement(Family::ipv4, {.counter = 7}).bytes;
    return std::vector(bytes.begin() + 50, bytes.begin() + 70);
  };
  // HMAC-SHA1 by Python's hmac: 02 01 01, c000020a, [fe80…10,] 0000000000000007.
  const auto excluded = digest("ad9ccd14fa474f7467aebf8e3dbbb0edeb38fe8b");
  const auto included = digest("0a56286c51486ad0d5ed758ae250e9bf8200cb6a");
  EXPECT_EQ(sent_with(config::HmacLinkLocal::exclude),
            std::vector(excluded.begin(), excluded.end()));
  EXPECT_EQ(sent_with(config::HmacLinkLocal::include),
            std::vector(included.begin(), included.end()));
  const Plan plan = make_plan(config, {port_facts()});
  EXPECT_TRUE(plan.topology->auths[0].verify(7, included));
  EXPECT_TRUE(plan.topology->auths[1].verify(7, excluded));
  // No third: with fe80::11 instead, and with fe80:2::10, the scope left in.
  for (const std::string_view third :
       {"64365f418d9d25b8f54dcd17fb45759d088a5c90", "342ad7cad63d74ebd909c5cb4a3fc575b2c6e634"}) {
    for (const auth::CarpAuth& auth : plan.topology->auths) {
      EXPECT_FALSE(auth.verify(7, digest(third))) << third;
    }
  }
}

TEST(ViewBuilder, TiedGroupsAreOneTie) {
  config::Config config = two_groups();
  EXPECT_TRUE(make_plan(config, {port_facts()}).ties.empty());
  config.groups[1].tie = {config.groups[0].name};
  const Plan plan = make_plan(config, {port_facts()});
  ASSERT_EQ(plan.ties.size(), 1U);
  EXPECT_EQ(plan.ties[0], (std::vector{SlotIndex(0), SlotIndex(1)}));
  EXPECT_TRUE(plan.slots[0].parameters.tied && plan.slots[1].parameters.tied);
}

TEST(ViewBuilder, SharedAddressesLeadToTheirSlot) {
  const Plan plan = make_plan(two_groups(), {port_facts()});
  const Topology& t = *plan.topology;
  const Entry* first = t.find_address(PortIndex(0), VlanId(0), ip4("192.0.2.10"));
  const Entry* second = t.find_address(PortIndex(0), VlanId(20), ip4("198.51.100.1"));
  ASSERT_TRUE(first != nullptr && second != nullptr);
  EXPECT_EQ(first->kind, EntryKind::shared);
  EXPECT_EQ(first->slot, SlotIndex(0));
  EXPECT_EQ(second->slot, SlotIndex(1));
  EXPECT_EQ(t.find_address(PortIndex(0), VlanId(0), ip4("198.51.100.1")), nullptr);
  EXPECT_EQ(t.find_address(PortIndex(1), VlanId(0), ip4("192.0.2.10")), nullptr);
}

// C1.1 kept
TEST(ViewBuilder, VhidsAreOfTheirPortAndVlan) {
  const Plan plan = make_plan(two_groups(), {port_facts()});
  const Topology& t = *plan.topology;
  const SlotView* first = t.find_slot(PortIndex(0), VlanId(0), Vhid(1));
  const SlotView* second = t.find_slot(PortIndex(0), VlanId(20), Vhid(1));
  ASSERT_TRUE(first != nullptr && second != nullptr);
  EXPECT_EQ(t.index_of(*first), SlotIndex(0));
  EXPECT_EQ(t.index_of(*second), SlotIndex(1));
  EXPECT_EQ(t.find_slot(PortIndex(0), VlanId(30), Vhid(1)), nullptr);
  EXPECT_EQ(t.find_slot(PortIndex(0), VlanId(0), Vhid(2)), nullptr);
  EXPECT_EQ(t.find_slot(PortIndex(1), VlanId(0), Vhid(1)), nullptr);
}

// C3.6 kept, C14.5 kept
TEST(ViewBuilder, SourceIsTheFirstOwnIpv4AddressOfTheVlan) {
  config::Config config = two_groups();
  auto& own = config.ports[0].vlans[VlanId(20)].addresses;
  own.insert(own.begin(), {Ipv6Address::parse("2001:db8::2").value(), 64});
  const Plan plan = make_plan(config, {port_facts()});
  EXPECT_EQ(plan.topology->slots[0].source, ip4("192.0.2.2"));
  EXPECT_EQ(plan.topology->slots[1].source, ip4("198.51.100.2"));
  EXPECT_EQ(plan.slots[1].parameters.source, IpAddress(ip4("198.51.100.2")));
}

// C3.7 kept
TEST(ViewBuilder, Ipv6SourceIsTheFirstLinkLocalAddressOrADerivedOne) {
  config::Config config = two_groups();
  auto& own = config.ports[0].vlans[VlanId(20)].addresses;
  const auto source_to = [&](const char* peer) {
    const Plan plan = make_plan(config, {port_facts()});
    const FrameMaker& frames = plan.slots[1].frames;
    const TransmitFrame frame = peer == nullptr
                                    ? frames.advertisement(Family::ipv6, {.counter = 7})
                                    : frames.advertisement_to(test::ip6(peer), MacAddress{}, {});
    Ipv6Address source;  // behind 18 bytes of tagged Ethernet and 8 of the IPv6 header
    std::copy_n(frame.bytes.begin() + 26, source.bytes.size(), source.bytes.begin());
    if (peer == nullptr) {
      EXPECT_EQ(source, plan.topology->slots[1].source6);
    }
    return source.to_string();
  };
  EXPECT_EQ(source_to(nullptr), "fe80::ff:fe00:1");  // from 02:00:00:00:00:01
  EXPECT_EQ(source_to("2001:db8::9"), "fe80::ff:fe00:1");
  for (const char* address : {"2001:db8::3", "2001:db8::2", "fe80::3", "fe80::2"}) {
    own.push_back({test::ip6(address), 64});
  }
  EXPECT_EQ(source_to(nullptr), "fe80::3");
  EXPECT_EQ(source_to("fe80::9"), "fe80::3");
  EXPECT_EQ(source_to("2001:db8::9"), "2001:db8::3");
}

TEST(ViewBuilder, SlotsCarryWhatTheConfigurationSays) {
  config::Config config = two_groups();
  config::Group& group = config.groups[1];
  group.vhid = Vhid(77);
  group.advbase = 0;
  group.advskew = 6;
  group.lowest_advskew = 4;
  group.dead_ratio = 5;
  group.dialect = config::Dialect::ucarp;
  group.preempt = true;
  group.announce_refresh = 7s;
  const Plan plan = make_plan(config, {port_facts()});
  const SlotPlan& slot = plan.slots[1];
  EXPECT_EQ(slot.group, "vlan-gateway");
  EXPECT_EQ(slot.port, PortIndex(0));
  EXPECT_EQ(slot.vlan, VlanId(20));
  EXPECT_EQ(slot.parameters.vhid, Vhid(77));
  EXPECT_EQ(slot.parameters.advbase, 0);
  EXPECT_EQ(slot.parameters.advskew, 6);
  EXPECT_EQ(slot.parameters.lowest_advskew, 4);
  EXPECT_EQ(slot.parameters.dead_ratio, 5);
  EXPECT_EQ(slot.parameters.dialect, config::Dialect::ucarp);
  EXPECT_TRUE(slot.parameters.preempt);
  EXPECT_EQ(slot.parameters.node, NodeId(2));
  constexpr FamilySet kBoth = family_bit(Family::ipv4) | family_bit(Family::ipv6);
  EXPECT_EQ(slot.parameters.families, kBoth);
  EXPECT_EQ(slot.parameters.announce_refresh, 7s);
  ASSERT_EQ(slot.frames.addresses().size(), 2U);
  EXPECT_EQ(slot.frames.addresses()[0], IpAddress(ip4("198.51.100.1")));
  const SlotView& view = plan.topology->slots[1];
  EXPECT_EQ(view.mac, virtual_mac(Vhid(77)));
  EXPECT_EQ(view.families, kBoth);
  // None is given there: derived from 02:00:00:00:00:01 (RFC 4291, appendix A), by hand.
  EXPECT_EQ(view.source6, Ipv6Address::parse("fe80::ff:fe00:1").value());
  EXPECT_EQ(slot.parameters.source6, view.source6);
  EXPECT_EQ(view.replay, ReplayRule::none);
  EXPECT_EQ(plan.topology->slots[0].replay, ReplayRule::strict);
  EXPECT_EQ(plan.topology->node_id, NodeId(2));
  EXPECT_EQ(plan.topology->ports[0].mac, port_facts().mac);
}

// C5.15 kept
TEST(ViewBuilder, EveryAcceptedKeyWithEveryAddressListTheSendingOneFirst) {
  config::Config config = test::lan_box(2);
  config::Group& group = config.groups[0];
  group.accept_keys = {secret("second"), secret("third")};
  group.previous_addresses = {ip4("192.0.2.11"), ip4("192.0.2.10")};
  const Plan plan = make_plan(config, {port_facts()});
  const SlotView& slot = plan.topology->slots[0];
  ASSERT_EQ(slot.auth_count, 6U);
  // Of counter 7, made with Python's hmac: each key with {.10}, then with {.10, .11}.
  constexpr std::string_view kExpected[] = {
      "ad9ccd14fa474f7467aebf8e3dbbb0edeb38fe8b", "fd0a36c538b5f6eb71f8a0847275c3174bcb9690",
      "3c5caef69c49cb49d8d290a9a000fab1535ebb9f", "0f51019b40bfa2402b61de0bb92729647083b093",
      "a005c217e0db249e940941b43c694cac4309de81", "52c2b590b6d5f8778a7ccc8479c36926f37be6da"};
  for (std::uint32_t i = 0; i < 6; ++i) {
    EXPECT_TRUE(plan.topology->auths[slot.first_auth + i].verify(7, digest(kExpected[i]))) << i;
  }
  // And that is what we send.
  const TransmitFrame frame = plan.slots[0].frames.advertisement(Family::ipv4, {.counter = 7});
  EXPECT_TRUE(
      std::equal(frame.bytes.begin() + 50, frame.bytes.begin() + 70, digest(kExpected[0]).begin()));
}

TEST(ViewBuilder, AuthsOfASlotFollowThoseOfTheOneBefore) {
  config::Config config = two_groups();
  config.groups[0].accept_keys = {secret("second")};
  const Plan plan = make_plan(config, {port_facts()});
  EXPECT_EQ(plan.topology->slots[0].first_auth, 0U);
  EXPECT_EQ(plan.topology->slots[0].auth_count, 2U);
  EXPECT_EQ(plan.topology->slots[1].first_auth, 2U);
  EXPECT_EQ(plan.topology->slots[1].auth_count, 1U);
  EXPECT_EQ(plan.topology->auths.size(), 3U);
}

TEST(ViewBuilder, L3TransmittersAreSpreadOverTheReceivers) {
  config::Config config = test::lan_box(2);
  for (std::uint8_t v = 2; v <= 7; ++v) {
    config.groups.push_back(test::lan_group());
    config.groups.back().vhid = Vhid(v);
  }
  const Plan plan = make_plan(config, {port_facts(0b10110)});  // workers 1, 2 and 4
  const std::vector<unsigned> expected = {1, 2, 4, 1, 2, 4, 1};
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(plan.slots[i].transmitter.value(), expected[i]) << i;
    EXPECT_EQ(plan.topology->slots[i].transmitter.value(), expected[i]) << i;
  }
  EXPECT_EQ(plan.topology->ports[0].receivers, 0b10110);
}

TEST(ViewBuilder, GroupsFindTheirPortByName) {
  config::Config config = test::lan_box(2);
  config.ports.push_back(test::lan_port(9));
  config.ports[1].name = "wan";
  config.groups.push_back(test::lan_group());
  config.groups[1].port = "wan";
  const Plan plan = make_plan(config, {port_facts(1), port_facts(2)});
  EXPECT_EQ(plan.slots[1].port, PortIndex(1));
  EXPECT_EQ(plan.slots[1].transmitter, WorkerIndex(1));
  EXPECT_EQ(plan.topology->slots[1].source, ip4("192.0.2.9"));
  EXPECT_NE(plan.topology->find_slot(PortIndex(1), VlanId(0), Vhid(1)), nullptr);
}

}  // namespace
}  // namespace koi::controlplane::view_builder_test
