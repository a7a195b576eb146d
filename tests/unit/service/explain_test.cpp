#include "controlplane/app/explain.h"

#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/fake_clock.h"
#include "tests/support/lab_config.h"

namespace koi::app::explain_test {
namespace {

using config::BalanceHash;
using config::HashBy;
using nlohmann::json;
using test::ip4;

constexpr const char* kMac = "52:54:00:12:34:56";

/// Own 192.0.2.2, "plain" at 192.0.2.20 with vhid 1, "shared-out" at 192.0.2.10 with vhids 2, 5, 9
/// and the key "secret"; the same address as plain's on VLAN 20, vhid 1.
class Explain : public ::testing::Test {
 protected:
  Explain() {
    config.node = "fw-a";
    config.groups[0].name = "plain";
    config.groups[0].addresses = {ip4("192.0.2.20")};
    config.ports[0].vlans[VlanId(20)].addresses = {{ip4("198.51.100.2"), 24}};
    config::Group balanced = test::lan_group();
    balanced.name = "shared-out";
    balanced.balance = config::Balance{.hash = BalanceHash::openbsd,
                                       .members = {{Vhid(2), 0}, {Vhid(5), 100}, {Vhid(9), 200}}};
    config.groups.push_back(balanced);
    config::Group tagged = config.groups[0];
    tagged.name = "tagged";
    tagged.vlan = VlanId(20);
    config.groups.push_back(tagged);
  }

  /// After this the configuration stays.
  Snapshot& snapshot() {
    plan = controlplane::make_plan(config, {test::port_facts()});
    s.config = &config;
    s.board = board.get();
    s.plan = &plan;
    s.clock = &clock;
    s.slots.resize(plan.slots.size());
    s.since.resize(plan.slots.size());
    return s;
  }
  void reign(std::uint16_t slot, Duration lease = 2s) {
    s.slots[slot].role = election::Role::master;
    s.slots[slot].cause = election::Cause::master_down;
    board->slot(SlotIndex(slot)).term.store(7);
    for (auto& deadline : board->slot(SlotIndex(slot)).deadline) {
      deadline.store(Stamp(7, clock.time + lease).word());
    }
  }
  void hear(std::uint16_t slot, const char* master) {
    s.slots[slot].role = election::Role::backup;
    s.slots[slot].cause = election::Cause::better_advertisement;
    s.slots[slot].master_known = true;
    s.slots[slot].master = ip4(master);
    s.slots[slot].master_mac = virtual_mac(Vhid(9));
  }
  json ask(const std::string& address, const json& client = nullptr) {
    return explain_json(s, {{"command", "explain"}, {"address", address}, {"client", client}});
  }
  /// Of the only place.
  json place(const std::string& address, const json& client = nullptr) {
    const json reply = ask(address, client);
    EXPECT_TRUE(reply.value("ok", false)) << reply.dump();
    EXPECT_EQ(reply["places"].size(), 1U) << reply.dump();
    return reply["places"][0];
  }

  config::Config config = test::lan_box(2);
  controlplane::Plan plan;
  std::unique_ptr<SlotBoard> board = std::make_unique<SlotBoard>();
  test::FakeClock clock;
  Snapshot s;
};

TEST_F(Explain, AnOwnAddress) {
  snapshot();
  const json own = place("192.0.2.2");
  EXPECT_EQ(own["kind"], "own");
  EXPECT_EQ(own["port"], "lan");
  EXPECT_EQ(own["vlan"], 0);
  EXPECT_EQ(own["mac"], "02:00:00:00:00:01");
  EXPECT_EQ(place("198.51.100.2")["vlan"], 20);
}

TEST_F(Explain, ASharedAddressInEachPlaceItHas) {
  snapshot();
  reign(0);
  hear(4, "192.0.2.3");
  const json reply = ask("192.0.2.20", kMac);
  EXPECT_EQ(reply["node"], "fw-a");
  EXPECT_EQ(reply["address"], "192.0.2.20");
  EXPECT_EQ(reply["client"], kMac);
  ASSERT_EQ(reply["places"].size(), 2U);
  const json& first = reply["places"][0];
  EXPECT_EQ(first["kind"], "shared");
  EXPECT_EQ(first["group"], "plain");
  EXPECT_EQ(first["balance"], nullptr);
  ASSERT_EQ(first["slots"].size(), 1U);
  const json& slot = first["slots"][0];
  EXPECT_EQ(slot["vhid"], 1);
  EXPECT_EQ(slot["mac"], "00:00:5e:00:01:01");
  EXPECT_EQ(slot["role"], "MASTER");
  EXPECT_EQ(slot["cause"], "master-down timer");
  EXPECT_EQ(slot["answers_now"], true);
  EXPECT_NEAR(slot["lease_ms"].get<double>(), 2000, 0.1);
  EXPECT_EQ(slot["master"]["this_box"], true);
  EXPECT_EQ(slot["master"]["address"], "192.0.2.2");
  const json& second = reply["places"][1];
  EXPECT_EQ(second["group"], "tagged");
  EXPECT_EQ(second["vlan"], 20);
  EXPECT_EQ(second["slots"][0]["answers_now"], false);
  EXPECT_EQ(second["slots"][0]["master"]["this_box"], false);
  EXPECT_EQ(second["slots"][0]["master"]["address"], "192.0.2.3");
}

TEST_F(Explain, AMasterWithoutLeaseDoesNotAnswer) {
  snapshot();
  reign(0, -1s);
  const json slot = ask("192.0.2.20")["places"][0]["slots"][0];
  EXPECT_EQ(slot["role"], "MASTER");
  EXPECT_EQ(slot["answers_now"], false);
  EXPECT_EQ(slot["lease_ms"], 0);
}

TEST_F(Explain, ABackupThatHeardNobody) {
  snapshot();
  EXPECT_EQ(place("192.0.2.10", kMac)["slots"][0]["master"], nullptr);
}

TEST_F(Explain, TheClientsMemberOfABalancedGroup) {
  snapshot();
  reign(1);
  hear(3, "192.0.2.4");
  // protocol.md §10, modulo 3: 52:54.. is 2, 02:de.. is 0.
  const json third = place("192.0.2.10", kMac);
  EXPECT_EQ(third["balance"], (json{{"mode", "arp"},
                                    {"hash", "openbsd"},
                                    {"input", "mac"},
                                    {"members", 3},
                                    {"member", 2},
                                    {"undecided", nullptr}}));
  ASSERT_EQ(third["slots"].size(), 1U);
  EXPECT_EQ(third["slots"][0]["member"], 2);
  EXPECT_EQ(third["slots"][0]["vhid"], 9);
  EXPECT_EQ(third["slots"][0]["mac"], "00:00:5e:00:01:09");
  EXPECT_EQ(third["resolver"], nullptr);
  EXPECT_EQ(third["slots"][0]["answers_now"], false);
  EXPECT_EQ(third["slots"][0]["master"]["address"], "192.0.2.4");
  const json first = place("192.0.2.10", "02:de:ad:be:ef:01");
  ASSERT_EQ(first["slots"].size(), 1U);
  EXPECT_EQ(first["slots"][0]["vhid"], 2);
  EXPECT_EQ(first["slots"][0]["answers_now"], true);
}

TEST_F(Explain, WithoutWhatTheHashNeedsEveryMemberIsListed) {
  snapshot();
  for (const json& client : {json(nullptr), json("192.0.2.77")}) {
    const json all = place("192.0.2.10", client);
    EXPECT_EQ(all["balance"]["member"], nullptr);
    EXPECT_FALSE(all["balance"]["undecided"].get<std::string>().empty());
    ASSERT_EQ(all["slots"].size(), 3U);
    EXPECT_EQ(all["slots"][0]["vhid"], 2);
    EXPECT_EQ(all["slots"][2]["vhid"], 9);
  }
}

TEST_F(Explain, TheOtherHashes) {
  config::Balance& balance = *config.groups[1].balance;
  const auto member = [&](BalanceHash hash, HashBy by, const char* client) {
    balance.hash = hash;
    balance.by = by;
    snapshot();
    return place("192.0.2.10", client)["balance"];
  };
  // Python, see balancer_test.cpp; 192.0.2.74 is 1 modulo 3.
  EXPECT_EQ(member(BalanceHash::freebsd, HashBy::mac, "192.0.2.74")["member"], 1);
  EXPECT_EQ(member(BalanceHash::freebsd, HashBy::mac, "192.0.2.74")["input"], "ip");
  EXPECT_EQ(member(BalanceHash::freebsd, HashBy::mac, kMac)["member"], nullptr);
  EXPECT_EQ(member(BalanceHash::siphash, HashBy::mac, kMac)["member"], 2);
  EXPECT_EQ(member(BalanceHash::siphash, HashBy::mac, "192.0.2.74")["member"], nullptr);
  EXPECT_EQ(member(BalanceHash::siphash, HashBy::ip, "192.0.2.74")["member"], 0);
  EXPECT_EQ(member(BalanceHash::siphash, HashBy::ip, kMac)["member"], nullptr);
  EXPECT_EQ(member(BalanceHash::siphash, HashBy::ip, "0.0.0.0")["member"], nullptr);
}

/// 192.0.2.10 and 2001:db8::10 by vhids 2, 5 and 9; the first is the other box's, the rest are
/// ours.
class ExplainByPacket : public Explain {
 protected:
  ExplainByPacket() {
    config.ports[0].host = config::HostPort::tap;
    config::Group& group = config.groups[1];
    group.balance->mode = config::BalanceMode::ip;
    group.addresses.emplace_back(IpAddress::parse("2001:db8::10").value());
    snapshot();
    hear(1, "192.0.2.4");
    reign(2);
    reign(3);
  }
};

TEST_F(ExplainByPacket, TheMemberThatTakesWhatTheClientSends) {
  // Python: (int(ip_address("192.0.2.77")) ^ int(ip_address("192.0.2.10"))) % 3 == 2
  const json place = this->place("192.0.2.10", "192.0.2.77");
  EXPECT_EQ(place["balance"], (json{{"mode", "ip"},
                                    {"hash", "fold"},
                                    {"input", "ip"},
                                    {"members", 3},
                                    {"member", 2},
                                    {"undecided", nullptr}}));
  ASSERT_EQ(place["slots"].size(), 1U);
  EXPECT_EQ(place["slots"][0]["vhid"], 9);
  EXPECT_EQ(place["slots"][0]["mac"], "01:00:5e:00:01:02");  // what the client is told
  EXPECT_EQ(place["slots"][0]["answers_now"], true);
  EXPECT_EQ(place["slots"][0]["master"]["mac"], "02:00:00:00:00:01");  // where it sends from
  // ARP is the first member's alone.
  EXPECT_EQ(place["resolver"]["vhid"], 2);
  EXPECT_EQ(place["resolver"]["answers_now"], false);
  EXPECT_EQ(place["resolver"]["master"]["address"], "192.0.2.4");
  // The words of 2001:db8::10 and 2001:db8::77 give 0x67, which is 1 modulo 3.
  EXPECT_EQ(this->place("2001:db8::10", "2001:db8::77")["balance"]["member"], 1);
}

TEST_F(ExplainByPacket, ThroughTheAddressToSomebodyElse) {
  // Python: (int(ip_address("192.0.2.77")) ^ int(ip_address("198.51.100.11"))) % 3 == 1
  const auto ask_from = [&](const json& from, const json& client = "192.0.2.77") {
    return explain_json(
        s, {{"command", "explain"}, {"address", "192.0.2.10"}, {"client", client}, {"from", from}});
  };
  const json reply = ask_from("198.51.100.11");
  EXPECT_EQ(reply["from"], "198.51.100.11");
  EXPECT_EQ(reply["places"][0]["balance"]["member"], 1);
  EXPECT_EQ(ask_from("192.0.2.77", "198.51.100.11")["places"][0]["balance"]["member"], 1);
  EXPECT_EQ(ask_from(nullptr)["places"][0]["balance"]["member"], 2);
  for (const json& rubbish : {json("2001:db8::1"), json(kMac), json(7), json("")}) {
    EXPECT_EQ(ask_from(rubbish)["ok"], false) << rubbish.dump();
  }
}

TEST_F(ExplainByPacket, WithoutTheClientsAddressEveryMemberIsListed) {
  for (const json& client : {json(nullptr), json(kMac)}) {
    const json all = place("192.0.2.10", client);
    EXPECT_EQ(all["balance"]["member"], nullptr);
    EXPECT_FALSE(all["balance"]["undecided"].get<std::string>().empty());
    EXPECT_EQ(all["slots"].size(), 3U);
  }
}

TEST_F(Explain, RefusesWhatIsNotItsOwnAndNamesWhatIs) {
  snapshot();
  const json reply = ask("192.0.2.99");
  EXPECT_EQ(reply["ok"], false);
  EXPECT_EQ(reply["error"],
            "this box does not answer for 192.0.2.99; shared addresses are 192.0.2.20 (plain), "
            "192.0.2.10 (shared-out), 192.0.2.20 (tagged)");
  EXPECT_EQ(ask("2001:db8::1")["ok"], false);
  for (int i = 0; i < 20; ++i) config.groups[0].addresses.push_back(ip4("192.0.2.30"));
  EXPECT_TRUE(ask("192.0.2.99")["error"].get<std::string>().ends_with("and 15 more"));
}

TEST_F(Explain, RefusesRubbish) {
  snapshot();
  for (const char* address : {"", "192.0.2", "192.0.2.10/24", "lan-gateway"}) {
    EXPECT_EQ(ask(address)["ok"], false) << address;
  }
  for (const json& client :
       {json(""), json(7), json("52:54:00:12:34"), json(json::object()), json("2001:db8::77")}) {
    EXPECT_EQ(ask("192.0.2.10", client)["ok"], false) << client.dump();
  }
  EXPECT_EQ(explain_json(s, {{"command", "explain"}})["ok"], false);
  EXPECT_EQ(explain_json(s, {{"address", 7}})["ok"], false);
}

}  // namespace
}  // namespace koi::app::explain_test
