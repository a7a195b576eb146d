#include <chrono>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/unit/service/service_rig.h"

namespace koi::app::service_events_test {
namespace {

using nlohmann::json;

class ServiceEvents : public test::ServiceRig {
 protected:
  json events() { return ask(R"({"command":"events"})")["events"]; }
  json of_kind(const char* kind) {
    json some = json::array();
    for (const json& event : events()) {
      if (event["kind"] == kind) some.push_back(event);
    }
    return some;
  }
  controlplane::RoleChange change(election::Role from, election::Role to) const {
    controlplane::RoleChange made;
    made.from = from;
    made.to = to;
    made.cause = election::Cause::master_down;
    made.at = clock.time - 1s;
    made.since_heard = 12500us;
    made.term = Term(3);
    return made;
  }
};

TEST_F(ServiceEvents, ARoleChangeWithTheNumbersBehindIt) {
  plan.slots[0].parameters.advskew = 7;
  reports.try_send(change(election::Role::backup, election::Role::master));
  const auto before = std::chrono::system_clock::now() - 1s;
  start();
  const json status = ask(R"({"command":"status"})");
  const json role = of_kind("role");
  stop();
  EXPECT_EQ(status["groups"][0]["slots"][0]["role"], "MASTER");  // before the slot's own report
  ASSERT_EQ(role.size(), 1U);
  EXPECT_GE(role[0]["time"], utc(before));
  EXPECT_LE(role[0]["time"], utc(std::chrono::system_clock::now() - 1s));
  json rest = role[0];
  rest.erase("time");
  rest.erase("sequence");
  EXPECT_EQ(rest, json::parse(R"({"kind":"role","group":"lan-gateway","vhid":1,"from":"BACKUP",
    "to":"MASTER","cause":"master-down timer","term":3,"since_heard_ms":12.5,"advskew":7,
    "demotion":0})"));
}

TEST_F(ServiceEvents, AChangeThatTheRingLostIsMadeUpFor) {
  controlplane::SlotReport report;
  report.role = election::Role::backup;
  report.cause = election::Cause::link_up;
  reports.try_send(change(election::Role::init, election::Role::backup));
  reports.try_send(report);
  report.role = election::Role::master;
  report.cause = election::Cause::preempt;
  reports.try_send(report);
  reports.try_send(report);
  start();
  const json role = of_kind("role");
  stop();
  ASSERT_EQ(role.size(), 2U);
  EXPECT_EQ(role[1]["from"], "BACKUP");
  EXPECT_EQ(role[1]["to"], "MASTER");
  EXPECT_EQ(role[1]["cause"], "preempt");
}

TEST_F(ServiceEvents, StartLinksAndDemotionsAreEvents) {
  config.groups.push_back(test::lan_group());
  start();
  ask(R"({"command":"demote","cause":"upgrade"})");
  ask(R"({"command":"undemote","cause":"upgrade"})");
  const json all = events();
  stop();
  ASSERT_EQ(all.size(), 4U) << all.dump(2);
  EXPECT_EQ(all[0]["kind"], "koid");
  EXPECT_EQ(all[0]["sequence"], 1);
  EXPECT_EQ(all[1]["kind"], "link");
  EXPECT_EQ(all[1]["port"], "lan");
  EXPECT_EQ(all[1]["to"], "up");
  EXPECT_EQ(all[2]["kind"], "demotion");
  EXPECT_EQ(all[2]["cause"], "upgrade");
  EXPECT_EQ(all[2]["from"], "0");
  EXPECT_EQ(all[2]["to"], "1");
  EXPECT_EQ(all[2]["detail"], "koictl by uid " + std::to_string(geteuid()));
  EXPECT_EQ(all[3]["from"], "1");
  EXPECT_EQ(all[3]["to"], "0");
}

TEST_F(ServiceEvents, RepeatedNoticesAreCounted) {
  controlplane::NoticeRaised notice;
  notice.notice = election::Notice::address_claimed;
  notice.source = test::ip4("192.0.2.99");
  for (int i = 0; i < 50; ++i) reports.try_send(notice);
  notice.notice = election::Notice::deaf;
  reports.try_send(notice);
  start();
  const json notices = of_kind("notice");
  stop();
  ASSERT_EQ(notices.size(), 2U);
  EXPECT_EQ(notices[0]["cause"], "address-claimed");
  EXPECT_EQ(notices[0]["detail"], "192.0.2.99 at 00:00:00:00:00:00");
  EXPECT_EQ(notices[1]["cause"], "deaf");
}

TEST_F(ServiceEvents, AWaitingClientIsToldAndHoldsUpNobody) {
  start();
  ASSERT_EQ(of_kind("link").size(), 1U);  // after that nothing happens by itself
  const json last = ask(R"({"command":"events"})")["last"];
  const std::string request =
      R"({"command":"events","wait_ms":60000,"after":)" + last.dump() + "}\n";
  test::SocketPeer first(folder / "sock");
  test::SocketPeer second(folder / "sock");
  first.write(request);
  second.write(request + R"({"command":"status"})" + "\n");
  EXPECT_EQ(ask(R"({"command":"status"})")["ok"], true);
  ask(R"({"command":"demote"})");
  for (test::SocketPeer* peer : {&first, &second}) {
    const json reply = json::parse(peer->line());
    ASSERT_EQ(reply["events"].size(), 1U);
    EXPECT_EQ(reply["events"][0]["cause"], "command");
  }
  EXPECT_EQ(json::parse(second.line())["node"], "fw-a");  // its next request, in its turn
  stop();
}

TEST_F(ServiceEvents, TheAgentIsMissedAndItsNotesAreKept) {
  config.groups[0].hooks = {{"/etc/koi/a"}};
  start();
  EXPECT_EQ(ask(R"({"command":"status"})")["agent"]["present"], false);
  EXPECT_EQ(ask(R"({"command":"host","agent":true})")["groups"][0]["name"], "lan-gateway");
  EXPECT_EQ(ask(R"({"command":"note","agent":true,"kind":"hook","cause":"exit code 0"})")["ok"],
            true);
  EXPECT_EQ(ask(R"({"command":"note","agent":true,"kind":"role","cause":"x"})")["ok"], false);
  ask(R"({"command":"status"})");  // one more turn
  const json there = ask(R"({"command":"status"})")["agent"];
  EXPECT_EQ(there["needed"], true);
  EXPECT_EQ(there["present"], true);
  EXPECT_EQ(ask(R"({"command":"counters"})")["agent"], (json{{"needed", true}, {"present", true}}));
  ask(R"({"command":"events","agent":false})");  // somebody else
  json agent = of_kind("agent");
  for (int i = 0; i < 1000 && agent.size() < 2; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    agent = of_kind("agent");
  }
  EXPECT_EQ(ask(R"({"command":"status"})")["agent"]["present"], false);
  const json hooks = of_kind("hook");
  stop();
  ASSERT_EQ(agent.size(), 2U);
  EXPECT_EQ(agent[0]["to"], "present");
  EXPECT_EQ(agent[1]["to"], "absent");
  EXPECT_EQ(hooks.size(), 1U);
}

TEST_F(ServiceEvents, WhoFollowsHearsHowItEnded) {
  start();
  ASSERT_EQ(of_kind("link").size(), 1U);
  std::uint64_t after = ask(R"({"command":"events"})")["last"].get<std::uint64_t>();
  test::SocketPeer peer(folder / "sock");
  const auto follow = [&] {
    peer.write(R"({"command":"events","wait_ms":60000,"after":)" + std::to_string(after) + "}\n");
  };
  follow();
  ask(R"({"command":"status"})");  // so that the other is parked by now
  signal(SIGTERM);
  const json first = json::parse(peer.line());
  ASSERT_EQ(first["events"].size(), 1U);
  EXPECT_EQ(first["events"][0]["cause"], "SIGTERM: stepping down");
  after = first["last"].get<std::uint64_t>();
  follow();
  ask(R"({"command":"demote"})");
  EXPECT_EQ(json::parse(peer.line())["events"][0]["cause"], "command");
  thread.join();
}

TEST_F(ServiceEvents, TheLastReportOfControlGoesOutToo) {
  reports.on_receive = [this, n = 0]() mutable {
    if (++n != 20) return;
    reports.messages.push_back(change(election::Role::master, election::Role::backup));
    reports.messages.push_back(controlplane::AllDown{});
  };
  start();
  std::string all;
  for (std::uint64_t after = 0; all.find(R"("to":"BACKUP")") == std::string::npos;) {
    test::SocketPeer peer(folder / "sock");
    peer.write(R"({"command":"events","wait_ms":60000,"after":)" + std::to_string(after) + "}\n");
    const json reply = json::parse(peer.line(), nullptr, false);
    ASSERT_TRUE(reply.is_object()) << all;
    all += reply.dump();
    after = reply["last"].get<std::uint64_t>();
  }
  thread.join();
}

}  // namespace
}  // namespace koi::app::service_events_test
