#include "controlplane/app/host_json.h"

#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/lab_config.h"

namespace koi::app::host_json_test {
namespace {

using config::Assign;
using config::HostPort;
using nlohmann::json;

/// A snapshot of a configuration that the test changes before it asks.
class HostJson : public ::testing::Test {
 protected:
  json host() {
    plan = controlplane::make_plan(
        config, std::vector<controlplane::PortFacts>(config.ports.size(), test::port_facts()));
    snapshot.config = &config;
    snapshot.plan = &plan;
    snapshot.slots.resize(plan.slots.size());
    snapshot.link_up.resize(config.ports.size());
    return host_json(snapshot, recorder);
  }
  static json address(const char* text, bool shared, bool wanted) {
    return json{{"address", text}, {"shared", shared}, {"wanted", wanted}};
  }

  config::Config config = test::dual_stack_box(2);
  controlplane::Plan plan;
  Snapshot snapshot;
  FlightRecorder recorder;
};

TEST_F(HostJson, OnlyPortsThatTheKernelSees) {
  config.node = "fw-a";
  recorder.add({});
  const json none = host();
  EXPECT_EQ(none["interfaces"], json::array());
  EXPECT_EQ(none["groups"], json::array());
  EXPECT_EQ(none["node"], "fw-a");
  EXPECT_EQ(none["boot"], recorder.boot());
  EXPECT_EQ(none["last"], 1);
  config.ports[0].host = HostPort::vdev;
  EXPECT_EQ(host()["interfaces"], json::array());
  config.ports[0].host = HostPort::tap;
  snapshot.host_mtu = {1400};
  snapshot.link_up = {true};
  EXPECT_EQ(host()["interfaces"], json::array({json{{"name", "koi-lan"},
                                                    {"port", "lan"},
                                                    {"vlan", 0},
                                                    {"gone", false},
                                                    {"mac", "02:00:00:00:00:01"},
                                                    {"mtu", 1400},
                                                    {"up", true},
                                                    {"link_local", false},
                                                    {"addresses", json::array()}}}));
}

TEST_F(HostJson, OwnAddressesWithTheLinkLocalOneThatKoidDerives) {
  config.ports[0].host = HostPort::tap;
  config.ports[0].configure = true;
  json lan = host()["interfaces"][0];
  EXPECT_EQ(lan["link_local"], true);
  // RFC 4291, appendix A, of 02:00:00:00:00:01.
  EXPECT_EQ(lan["addresses"], json::array({address("192.0.2.2/24", false, true),
                                           address("2001:db8::2/64", false, true),
                                           address("fe80::ff:fe00:1/64", false, true)}));
  config.ports[0].addresses.push_back({test::ip6("fe80::7"), 10});
  lan = host()["interfaces"][0];
  EXPECT_EQ(lan["link_local"], true);
  EXPECT_EQ(lan["addresses"][2], address("fe80::7/10", false, true));
  EXPECT_EQ(lan["addresses"].size(), 3U);
  config = test::lan_box(2);  // IPv4 alone
  config.ports[0].host = HostPort::tap;
  config.ports[0].configure = true;
  lan = host()["interfaces"][0];
  EXPECT_EQ(lan["link_local"], false);
  EXPECT_EQ(lan["addresses"].size(), 1U);
}

TEST_F(HostJson, SharedAddressesAlwaysOrWhileMaster) {
  config.ports[0].host = HostPort::tap;
  const auto wanted = [&](bool is) {
    return json::array({address("192.0.2.10/32", true, is), address("2001:db8::10/128", true, is)});
  };
  config.groups[0].assign = Assign::always;
  EXPECT_EQ(host()["interfaces"][0]["addresses"], wanted(true));
  config.groups[0].assign = Assign::master;
  EXPECT_EQ(host()["interfaces"][0]["addresses"], wanted(false));
  snapshot.slots[0].role = election::Role::backup;
  EXPECT_EQ(host()["interfaces"][0]["addresses"], wanted(false));
  snapshot.slots[0].role = election::Role::master;
  EXPECT_EQ(host()["interfaces"][0]["addresses"], wanted(true));
}

TEST_F(HostJson, ABalancedGroupIsMasterWithAnyOfItsMembers) {
  config.ports[0].host = HostPort::tap;
  config.groups[0].assign = Assign::master;
  config.groups[0].balance.emplace();
  config.groups[0].balance->members = {{Vhid(3), 0}, {Vhid(4), 0}};
  config.groups[0].hooks = {{"/etc/koi/a", 1500ms}};
  EXPECT_EQ(host()["interfaces"][0]["addresses"][0]["wanted"], false);
  snapshot.slots[1].role = election::Role::master;
  const json all = host();
  EXPECT_EQ(all["interfaces"][0]["addresses"][0]["wanted"], true);
  EXPECT_EQ(all["groups"], json::parse(R"([{"name":"lan-gateway","port":"lan",
    "addresses":["192.0.2.10","2001:db8::10"],"hooks":[{"program":"/etc/koi/a","timeout":1.5}],
    "slots":[{"vhid":3,"role":"INIT"},{"vhid":4,"role":"MASTER"}]}])"));
}

TEST_F(HostJson, AVlanIsAnInterfaceOfItsOwnWhereThereIsSomethingToDo) {
  config.ports[0].host = HostPort::virtio_user;
  config.ports[0].vlans[VlanId(20)].addresses = {{IpAddress::parse("198.51.100.2").value(), 24}};
  config.ports[0].vlans[VlanId(30)] = {};
  config::Group group = test::lan_group();
  group.name = "vlan";
  group.vlan = VlanId(20);
  group.vhid = Vhid(9);
  group.addresses = {test::ip4("198.51.100.1")};
  config.groups.push_back(group);
  EXPECT_EQ(host()["interfaces"].size(), 1U);
  config.groups[1].assign = Assign::always;
  config.ports[0].configure = true;
  const json interfaces = host()["interfaces"];
  ASSERT_EQ(interfaces.size(), 2U);
  EXPECT_EQ(interfaces[1]["name"], "koi-lan.20");
  EXPECT_EQ(interfaces[1]["vlan"], 20);
  EXPECT_EQ(interfaces[1]["addresses"], json::array({address("198.51.100.2/24", false, true),
                                                     address("198.51.100.1/32", true, true)}));
}

TEST_F(HostJson, WhatAReloadDropsIsTakenFromTheKernelAgain) {
  config.ports[0].host = HostPort::tap;
  config.groups[0].assign = Assign::always;
  config.groups[0].addresses = {test::ip4("192.0.2.10"), test::ip4("192.0.2.11")};
  const json before = host();
  config.groups[0].addresses = {test::ip4("192.0.2.10")};
  note_dropped(before, snapshot);
  EXPECT_EQ(
      host()["interfaces"][0]["addresses"],
      json::array({address("192.0.2.10/32", true, true), address("192.0.2.11/32", true, false)}));
  config.groups[0].addresses = {test::ip4("192.0.2.11")};
  EXPECT_EQ(
      host()["interfaces"][0]["addresses"],
      json::array({address("192.0.2.11/32", true, true), address("192.0.2.10/32", true, false)}));
}

TEST_F(HostJson, OfAVlanThatAReloadTakesAwayOnlyItsAddressesAreListed) {
  config.ports[0].host = HostPort::tap;
  config.ports[0].configure = true;
  config.ports[0].vlans[VlanId(20)].addresses = {{test::ip4("198.51.100.2"), 24}};
  config.ports[0].vlans[VlanId(30)].addresses = {{test::ip4("198.51.101.2"), 24}};
  config::Group group = test::lan_group();
  group.name = "vlan";
  group.vlan = VlanId(20);
  group.vhid = Vhid(9);
  group.addresses = {test::ip4("198.51.100.1")};
  group.assign = Assign::always;
  config.groups.push_back(group);
  const json before = host();
  const config::Config full = config;
  config.ports[0].vlans.erase(VlanId(20));
  config.groups.pop_back();
  note_dropped(before, snapshot);
  json interfaces = host()["interfaces"];
  ASSERT_EQ(interfaces.size(), 3U);
  EXPECT_EQ(interfaces[0], before["interfaces"][0]);  // what stays is as it was
  EXPECT_EQ(interfaces[2], before["interfaces"][2]);
  EXPECT_EQ(interfaces[1]["name"], "koi-lan.20");
  EXPECT_EQ(interfaces[1]["gone"], true);
  EXPECT_EQ(interfaces[1]["link_local"], false);
  EXPECT_EQ(interfaces[1]["addresses"], json::array({address("198.51.100.1/32", true, false),
                                                     address("198.51.100.2/24", false, false)}));
  // Another reload does not make it forgotten, nor does it matter when the VLAN is back.
  note_dropped(host(), snapshot);
  EXPECT_EQ(host()["interfaces"][1], interfaces[1]);
  config = full;
  EXPECT_EQ(host()["interfaces"], before["interfaces"]);
}

}  // namespace
}  // namespace koi::app::host_json_test
