// The other boxes of a group, as status, metrics, events and the log show them: CARP.md §21.
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "controlplane/app/peer_keeper.h"
#include "tests/unit/service/service_rig.h"

namespace koi::app::service_peers_test {
namespace {

using controlplane::PeerReport;
using nlohmann::json;

const IpAddress kPeer = test::ip4("192.0.2.3");
const IpAddress kConfigured = test::ip4("192.0.2.4");

class ServicePeers : public test::ServiceRig {
 protected:
  ServicePeers() {
    config.groups[0].trailer = {
        .mode = config::TrailerMode::enforce,
        .key = config::TrailerKey{.file = "a", .id = 3, .key = test::secret(std::string(32, 'k'))}};
    config.groups[0].peers = {kConfigured};
    plan = controlplane::make_plan(config, {test::port_facts()});
  }
  PeerReport report(wire::MismatchSet differs = 0) const {
    PeerReport peer;
    peer.slot = SlotIndex(0);
    peer.address = kPeer;
    peer.mac = mac_from({2, 0, 0, 0, 0, 3});
    peer.heard = clock.time;
    peer.node = NodeId(3);
    peer.differs = differs;
    peer.backups = 1;
    peer.version = wire::version_text("0.1.0");
    return peer;
  }
};

/// A journal of its own, with the keeper's clock in the test's hand.
class Keeper : public ServicePeers {
 protected:
  Keeper() {
    snapshot.config = &config;
    snapshot.plan = &plan;
  }
  std::vector<std::string> events() {
    std::vector<std::string> texts;
    for (const Event* event : journal.recorder().after(seen, 100).events) {
      EXPECT_EQ(to_json(*event)["kind"], "peer");
      EXPECT_EQ(event->group, "lan-gateway");
      texts.push_back(event->cause + ": " + event->detail);
      seen = event->sequence;
    }
    return texts;
  }
  void hear(wire::MismatchSet differs = 0) { keeper.on(report(differs), journal); }
  json peer(std::size_t at = 0) const { return keeper.status(SlotIndex(0)).at(at); }

  Snapshot snapshot;
  Journal journal{snapshot};
  PeerKeeper keeper{{.plan = &plan, .clock = &clock}};
  std::uint64_t seen = 0;
};
using Texts = std::vector<std::string>;

// C21.14 kept
TEST_F(Keeper, SeenSilentAndSeenAgain) {
  hear();
  EXPECT_EQ(events(), Texts{"seen: 192.0.2.3 (node 3): BACKUP, koid 0.1.0"});
  clock.advance(34s);
  keeper.update(journal);
  EXPECT_EQ(events(), Texts{});
  EXPECT_EQ(peer()["silent"], false);
  EXPECT_EQ(peer()["last_seen_seconds"], 34.0);
  clock.advance(1s);
  keeper.update(journal);
  keeper.update(journal);
  EXPECT_EQ(events(), (Texts{"silent: 192.0.2.3 (node 3): no hello of it for 35.0 s, it was BACKUP",
                             "silent: 192.0.2.4: no hello of it yet, for 35 s"}));
  EXPECT_EQ(peer()["silent"], true);
  EXPECT_EQ(peer(1)["heard"], false);
  hear();
  hear();
  EXPECT_EQ(events(), Texts{"seen again: 192.0.2.3 (node 3): BACKUP, koid 0.1.0"});
  EXPECT_EQ(peer()["silent"], false);
}

// C21.13 kept
TEST_F(Keeper, WhatDiffersIsToldWhenItChanges) {
  const auto addresses = wire::mismatch_bit(wire::Mismatch::addresses);
  const auto advbase = wire::mismatch_bit(wire::Mismatch::advbase);
  hear();
  events();
  hear(addresses);
  hear(addresses);
  EXPECT_EQ(events(), Texts{"differs: 192.0.2.3 (node 3) has other addresses than this box"});
  hear(addresses | advbase);
  EXPECT_EQ(peer()["differs"], json({"addresses", "advbase"}));
  EXPECT_EQ(keeper.counters(SlotIndex(0))[0]["differs"]["advbase"], 1);
  EXPECT_EQ(keeper.counters(SlotIndex(0))[0]["differs"]["hash"], 0);
  hear();
  EXPECT_EQ(events(),
            (Texts{"differs: 192.0.2.3 (node 3) has other addresses, advbase than this box",
                   "agrees: 192.0.2.3 (node 3)"}));
}

TEST_F(Keeper, ForgottenOnesAndOtherGroups) {
  hear();
  PeerReport gone = report();
  gone.gone = true;
  keeper.on(gone, journal);
  EXPECT_EQ(keeper.status(SlotIndex(0)).size(), 1U);  // the configured one
  EXPECT_TRUE(keeper.status(SlotIndex(9)).is_null());
  hear();
  plan.hellos[0].peers.clear();  // a reload
  keeper.config_changed();
  ASSERT_EQ(keeper.status(SlotIndex(0)).size(), 1U);
  EXPECT_EQ(peer()["address"], "192.0.2.3");
}

TEST_F(ServicePeers, StatusAndCounters) {
  reports.try_send(report());
  control.slots[0].hellos_sent.add(4);
  control.slots[0].hellos[static_cast<std::size_t>(controlplane::HelloVerdict::old)].add(2);
  start();
  const json status = ask(R"({"command":"status"})");
  const json counters = ask(R"({"command":"counters"})");
  stop();
  const json peer = status["groups"][0]["peers"][0];
  EXPECT_EQ(peer["address"], "192.0.2.3");
  EXPECT_EQ(peer["role"], "BACKUP");
  EXPECT_EQ(peer["version"], "0.1.0");
  EXPECT_EQ(peer["node_id"], 3);
  EXPECT_EQ(peer["mac"], "02:00:00:00:00:03");
  EXPECT_EQ(peer["configured"], false);
  const json slot = counters["slots"][0];
  EXPECT_EQ(slot["hellos_sent"], 4);
  EXPECT_EQ(slot["hellos_received"]["hello_old"], 2);
  EXPECT_EQ(slot["peers"][1]["address"], "192.0.2.4");
  EXPECT_FALSE(slot["peers"][1].contains("differs"));  // nothing is known of it
}

}  // namespace
}  // namespace koi::app::service_peers_test
