#include <chrono>
#include <mutex>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/unit/tools/fake_daemon.h"
#include "tools/agent/follower.h"
#include "tools/agent/now.h"

namespace koi::agent::agent_follower_test {
namespace {

using ctl::Json;
using test::FakeDaemon;

TEST(HostSpec, ReadsWhatKoidWants) {
  const HostSpec host = parse_host(Json::parse(R"({"ok":true,"boot":"b","last":7,"node":"fw-a",
    "interfaces":[{"name":"koi-lan","port":"lan","vlan":0,"mac":"02:00:00:00:00:01","mtu":1500,
      "up":true,"link_local":true,"addresses":[
        {"address":"192.0.2.2/24","shared":false,"wanted":true},
        {"address":"2001:db8::1/128","shared":true,"wanted":false}]}],
    "groups":[{"name":"g","port":"lan","addresses":["192.0.2.1","2001:db8::1"],
      "hooks":[{"program":"/etc/koi/a","timeout":1.5}],"slots":[{"vhid":3,"role":"MASTER"}]}]})"));
  EXPECT_EQ(host.boot, "b");
  EXPECT_EQ(host.last, 7U);
  HostInterface lan;
  lan.name = "koi-lan";
  lan.port = "lan";
  lan.mac = MacAddress::parse("02:00:00:00:00:01");
  lan.mtu = 1500;
  lan.up = lan.link_local = true;
  lan.addresses = {{IpAddress::parse("192.0.2.2").value(), 24, false, true},
                   {IpAddress::parse("2001:db8::1").value(), 128, true, false}};
  EXPECT_EQ(host.interfaces, std::vector<HostInterface>{lan});
  ASSERT_EQ(host.groups.size(), 1U);
  EXPECT_EQ(host.groups[0].addresses, "192.0.2.1 2001:db8::1");
  EXPECT_EQ(host.groups[0].hooks[0].timeout, Duration(1500ms));
  EXPECT_EQ(host.groups[0].slots[0].role, "MASTER");
}

TEST(HostSpec, LeavesOutWhatItDoesNotUnderstand) {
  for (const char* address : {"", "192.0.2.1", "192.0.2.1/", "192.0.2.1/33", "192.0.2.1/2x",
                              "2001:db8::1/129", "x/24", "192.0.2.1/-1"}) {
    Json interface {
      {"name", "koi-lan"}, {"mtu", -1}, { "mac", "x" }
    };
    interface["addresses"] = Json::array({Json{{"address", address}}});
    Json reply;
    reply["interfaces"] = Json::array({interface});
    const HostSpec host = parse_host(reply);
    EXPECT_TRUE(host.interfaces.at(0).addresses.empty()) << address;
    EXPECT_EQ(host.interfaces[0].mtu, 0U);
    EXPECT_FALSE(host.interfaces[0].mac.has_value());
  }
  for (const char* wrong :
       {"{}", "[]", "7", R"({"interfaces":7,"groups":"x"})", R"({"interfaces":[7,null,[]]})",
        R"({"groups":[{"hooks":[{"program":"sh"},{"timeout":1},7],"slots":[7]}]})"}) {
    const HostSpec host = parse_host(Json::parse(wrong));
    for (const HookGroup& group : host.groups) EXPECT_TRUE(group.hooks.empty());
  }
}

/// A koid whose events and roles the test writes; it lets nobody wait.
class FollowerTest : public ::testing::Test {
 protected:
  void happen(const std::string& from, const std::string& to) {
    const std::lock_guard lock(mutex);
    events.push_back({{"sequence", ++last},
                      {"kind", "role"},
                      {"group", "g"},
                      {"vhid", 3},
                      {"from", from},
                      {"to", to},
                      {"cause", "preempt"}});
    role = to;
  }
  void start_anew() {
    const std::lock_guard lock(mutex);
    boot = "second";
    events.clear();
    last = 0;
  }
  std::optional<std::string> reply(const std::string& request) {
    const std::lock_guard lock(mutex);
    const Json asked = Json::parse(request);
    if (!up) return "";
    Json said{{"ok", true}, {"boot", boot}, {"last", last}};
    if (asked["command"] == "host") {
      ++hosts;
      said["groups"] = Json::parse(R"([{"name":"g","slots":[{"vhid":3}]}])");
      said["groups"][0]["slots"][0]["role"] = role;
    } else {
      const double after = asked["boot"] == boot ? ctl::number(asked, "after").value() : 0;
      said["events"] = Json::array();
      for (const Json& event : events) {
        if (ctl::number(event, "sequence").value() > after) said["events"].push_back(event);
      }
      said["lost"] = std::exchange(lost, 0);
    }
    return said.dump() + '\n';
  }
  /// Runs the follower until it has told so many roles.
  void run_until(std::size_t count) {
    const Instant end = now_is() + 10s;
    while (told.size() < count) {
      ASSERT_LT(now_is(), end) << told.size();
      follower.tick(now_is());
      std::vector<pollfd> fds;
      follower.add_to(fds);
      poll(fds.data(), fds.size(), 20);
      follower.ready(fds);
    }
  }

  std::mutex mutex;  // of what the daemon's thread sees
  std::string boot = "first";
  std::string role = "BACKUP";
  std::vector<Json> events;
  int last = 0;
  int lost = 0;
  int hosts = 0;
  bool up = true;
  FakeDaemon daemon{[this](const std::string& request) { return reply(request); }};
  std::vector<std::string> log;
  std::vector<std::string> told;
  Koid koid{daemon.path(), [this](const std::string& line) { log.push_back(line); }};
  Follower follower{
      koid,
      {.host = [](const HostSpec&) {},
       .role =
           [this](const RoleChange& c) {
             told.push_back(std::to_string(c.sequence) + " " + c.from + " " + c.to + " " + c.cause);
           }}};
};

TEST_F(FollowerTest, TellsThePresentRoleAndThenEachChange) {
  happen("INIT", "BACKUP");
  run_until(1);
  happen("BACKUP", "MASTER");
  happen("MASTER", "BACKUP");
  run_until(3);
  happen("BACKUP", "MASTER");
  run_until(4);
  EXPECT_EQ(told,
            (std::vector<std::string>{"1 INIT BACKUP agent-started", "2 BACKUP MASTER preempt",
                                      "3 MASTER BACKUP preempt", "4 BACKUP MASTER preempt"}));
  for (const std::string& request : daemon.requests()) {
    EXPECT_EQ(Json::parse(request)["agent"], true) << request;
  }
}

TEST_F(FollowerTest, WhatHappensWhileKoidIsAwayComesLate) {
  run_until(1);
  {
    const std::lock_guard lock(mutex);
    up = false;
  }
  happen("BACKUP", "MASTER");
  const Instant end = now_is() + 10s;
  while (!koid.away()) {
    ASSERT_LT(now_is(), end);
    follower.tick(now_is());
    std::vector<pollfd> fds;
    follower.add_to(fds);
    poll(fds.data(), fds.size(), 20);
    follower.ready(fds);
  }
  happen("MASTER", "INIT");
  {
    const std::lock_guard lock(mutex);
    up = true;
  }
  run_until(3);
  EXPECT_EQ(told[1], "1 BACKUP MASTER preempt");
  EXPECT_EQ(told[2], "2 MASTER INIT preempt");
  EXPECT_EQ(log.size(), 2U);  // away, back
}

TEST_F(FollowerTest, AKoidThatStartedAnewIsFollowedFromItsFirstEvent) {
  happen("INIT", "BACKUP");
  happen("BACKUP", "MASTER");
  run_until(1);
  start_anew();
  happen("INIT", "BACKUP");
  run_until(2);
  EXPECT_EQ(told,
            (std::vector<std::string>{"2 INIT MASTER agent-started", "1 INIT BACKUP preempt"}));
}

TEST_F(FollowerTest, AfterALossThePresentRolesAreToldAgain) {
  run_until(1);
  {
    const std::lock_guard lock(mutex);
    lost = 4;
    last = 9;
    role = "MASTER";
  }
  happen("BACKUP", "MASTER");
  run_until(3);
  happen("MASTER", "BACKUP");
  run_until(4);
  EXPECT_EQ(told,
            (std::vector<std::string>{"0 INIT BACKUP agent-started", "10 BACKUP MASTER preempt",
                                      "10 INIT MASTER events-lost", "11 MASTER BACKUP preempt"}));
}

}  // namespace
}  // namespace koi::agent::agent_follower_test
