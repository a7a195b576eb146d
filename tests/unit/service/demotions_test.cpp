#include "controlplane/app/demotions.h"

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "controlplane/app/snapshot.h"
#include "tests/support/lab_config.h"
#include "tests/support/temporary_folder.h"

namespace koi::app::demotions_test {
namespace {

using nlohmann::json;

/// Two groups, the second on port wan, which tracks a script. Time and links are the test's.
class DemotionsTest : public ::testing::Test {
 protected:
  DemotionsTest() {
    config.ports.push_back(test::lan_port(2));
    config.ports.back().name = "wan";
    config.groups.push_back(test::lan_group());
    config.groups.back().name = "wan-gateway";
    config.groups.back().port = "wan";
    config::Track track;
    track.name = "script /usr/lib/koi/uplink";
    track.kind = config::Track::Kind::script;
    track.program = "/usr/lib/koi/uplink";
    track.interval = 200ms;
    track.rise = 1;
    track.fall = 2;
    track.weight = 4;
    config.groups.back().track = {track};
    start();
  }
  void start() {
    state_file.emplace(StateFile::open(folder / "state").value());
    demotions.emplace(config, *state_file, now);
  }

  json shown() const { return demotion_json(demotions->ledger(), config, now); }
  int total(std::size_t group) const { return demotions->ledger().total(group); }
  void pass(Duration span) {
    now += span;
    demotions->update({true, true}, now);
  }
  Status demote(const json& request) { return demotions->demote(request, "tester", now); }

  test::TemporaryFolder folder;
  config::Config config = test::lan_box(2);
  Instant now{Duration(1000s)};
  std::optional<StateFile> state_file;
  std::optional<Demotions> demotions;
};

TEST_F(DemotionsTest, TheListSaysWhoAndSinceWhenAndForHowLong) {
  const auto before = std::chrono::system_clock::now();
  ASSERT_TRUE(demote({{"cause", "upgrade"}, {"seconds", 600}}).ok());
  pass(100s);  // and koi-agent is silent
  const json all = shown();
  EXPECT_EQ(all["total"], 1);
  EXPECT_EQ(all["causes"],
            (json{{"command", 0}, {"upgrade", 1}, {"track script /usr/lib/koi/uplink", 4}}));
  ASSERT_EQ(all["list"].size(), 2U);
  const json& upgrade = all["list"][0];
  EXPECT_EQ(upgrade["name"], "upgrade");
  EXPECT_EQ(upgrade["count"], 1);
  EXPECT_EQ(upgrade["owner"], "tester");
  EXPECT_EQ(upgrade["groups"], nullptr);
  EXPECT_DOUBLE_EQ(upgrade["seconds_left"].get<double>(), 500);
  EXPECT_GE(upgrade["since"].get<std::string>(), utc(before));
  EXPECT_LE(upgrade["since"].get<std::string>(), utc(std::chrono::system_clock::now()));
  const json& track = all["list"][1];
  EXPECT_EQ(track["owner"], "koi-agent silent");
  EXPECT_EQ(track["seconds_left"], nullptr);
  EXPECT_EQ(track["groups"], json::array({"wan-gateway"}));
  EXPECT_EQ(total(0), 1);
  EXPECT_EQ(total(1), 5);
}

// C18.8 kept
TEST_F(DemotionsTest, ATimeoutEndsACauseByItself) {
  ASSERT_TRUE(demote({{"cause", "upgrade"}, {"seconds", 1.5}}).ok());
  ASSERT_TRUE(demote(json::object()).ok());
  pass(1499ms);
  EXPECT_EQ(total(0), 2);
  pass(1ms);
  EXPECT_EQ(total(0), 1);
  pass(1000s);
  EXPECT_EQ(total(0), 1);
  EXPECT_EQ(shown()["causes"]["command"], 1);
}

TEST_F(DemotionsTest, UndemoteEndsOneOrAllThatWereCommanded) {
  for (const char* name : {"a", "b", "c"}) ASSERT_TRUE(demote({{"cause", name}}).ok());
  ASSERT_TRUE(demotions->maintenance({{"on", true}}, "tester").ok());
  EXPECT_EQ(total(0), 3 + kMaintenanceWeight);
  EXPECT_TRUE(demotions->undemote({{"cause", "b"}}).ok());
  EXPECT_EQ(total(0), 2 + kMaintenanceWeight);
  const Status unknown = demotions->undemote({{"cause", "b"}});
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.error().message, "no cause \"b\" was set by demote; there are: a, c");
  EXPECT_FALSE(demotions->undemote({{"cause", "maintenance"}}).ok());
  EXPECT_TRUE(demotions->undemote(json::object()).ok());
  EXPECT_EQ(total(0), kMaintenanceWeight);
  EXPECT_TRUE(demotions->undemote(json::object()).ok());  // nothing to end is no mistake
  EXPECT_EQ(demotions->undemote({{"cause", "x"}}).error().message,
            "no cause \"x\" was set by demote; there are none");
}

TEST_F(DemotionsTest, AGroupWithASyncWaitGivesWayFromTheStartUntilItIsTold) {
  config.groups[1].sync_wait = 30s;
  start();
  EXPECT_EQ(total(0), 0);
  EXPECT_EQ(total(1), 1);
  pass(10s);
  const json all = shown();
  ASSERT_EQ(all["list"].size(), 2U);  // and koi-agent is silent
  EXPECT_EQ(all["list"][0]["name"], "state-sync");
  EXPECT_EQ(all["list"][0]["owner"], "koid");
  EXPECT_EQ(all["list"][0]["count"], 1);
  EXPECT_DOUBLE_EQ(all["list"][0]["seconds_left"].get<double>(), 20);
  EXPECT_EQ(all["list"][0]["groups"], json::array({"wan-gateway"}));
  EXPECT_TRUE(demotions->undemote(json::object()).ok());  // what demote began, and only that
  EXPECT_EQ(shown()["causes"]["state-sync"], 1);
  EXPECT_TRUE(demotions->undemote({{"cause", "state-sync"}}).ok());
  EXPECT_FALSE(shown()["causes"].contains("state-sync"));
  EXPECT_TRUE(demotions->undemote({{"cause", "state-sync"}}).ok());  // who is late is not wrong
}

TEST_F(DemotionsTest, ASyncWaitEndsByItselfAndBeginsAnewWithTheLink) {
  config.groups[1].sync_wait = 30s;
  start();
  pass(29s);
  EXPECT_EQ(shown()["causes"]["state-sync"], 1);
  pass(1s);
  EXPECT_FALSE(shown()["causes"].contains("state-sync"));
  demotions->link_is_back(0, now);  // another port
  EXPECT_FALSE(shown()["causes"].contains("state-sync"));
  demotions->link_is_back(1, now);
  pass(20s);
  demotions->link_is_back(1, now);
  pass(29s);
  EXPECT_EQ(shown()["causes"]["state-sync"], 1);
  pass(1s);
  EXPECT_FALSE(shown()["causes"].contains("state-sync"));
}

TEST_F(DemotionsTest, ATieWaitsAsOneForTheLongestOfItsWaits) {
  config.groups[0].tie = {"wan-gateway"};
  config.groups[0].sync_wait = 10s;
  config.groups[1].sync_wait = 5s;
  start();
  EXPECT_EQ(total(0), 1);
  EXPECT_EQ(total(1), 1);
  demotions->link_is_back(1, now);  // does not make it shorter
  pass(9s);
  EXPECT_EQ(shown()["causes"]["state-sync"], 1);
  demotions->link_is_back(1, now);
  pass(4s);
  EXPECT_EQ(shown()["causes"]["state-sync"], 1);
  pass(1s);
  EXPECT_FALSE(shown()["causes"].contains("state-sync"));
}

// C20.2 kept, C20.1 kept
TEST_F(DemotionsTest, AGroupThatAReloadBringsWaitsAndWhatItIsTiedToDoesNot) {
  config.groups[1].sync_wait = 30s;
  config.groups[1].track.clear();
  start();
  pass(31s);
  ASSERT_TRUE(demote({{"cause", "disk"}}).ok());
  config::Config next = config;  // lan-gateway goes; another one, tied to what stays, comes first
  next.groups[0].name = "third";
  next.groups[0].tie = {"wan-gateway"};
  next.groups[0].sync_wait = 10s;
  const Regrouping groups{.where = {std::nullopt, 1}, .begun = {true, false}};
  EXPECT_EQ(demotions->with(next, groups, now), (std::vector<std::uint8_t>{2, 1}));
  EXPECT_EQ(total(0), 1);  // not yet
  config = next;
  demotions->config_changed(groups, now);
  EXPECT_EQ(total(0), 2);
  EXPECT_EQ(total(1), 1);
  const json all = shown();
  EXPECT_EQ(all["list"].back()["name"], "state-sync");
  EXPECT_EQ(all["list"].back()["groups"], json::array({"third"}));
  EXPECT_DOUBLE_EQ(all["list"].back()["seconds_left"].get<double>(), 10);
  // A reload that leaves it as it is begins nothing.
  pass(4s);
  demotions->config_changed({.where = {0, 1}, .begun = {false, false}}, now);
  pass(6s);
  EXPECT_FALSE(shown()["causes"].contains("state-sync"));
}

TEST_F(DemotionsTest, AGroupThatAReloadBringsWaitsAsLongAsTheTieItComesTo) {
  config.groups[1].sync_wait = 30s;
  config.groups[1].track.clear();
  start();
  pass(10s);
  config.groups[0].name = "third";
  config.groups[0].tie = {"wan-gateway"};
  config.groups[0].sync_wait = 5s;
  demotions->config_changed({.where = {std::nullopt, 1}, .begun = {true, false}}, now);
  pass(19s);
  EXPECT_EQ(total(0), 1);
  pass(1s);
  EXPECT_EQ(total(0), 0);
}

TEST_F(DemotionsTest, WhatItDoesNotUnderstandChangesNothing) {
  const std::vector<json> wrong = {{{"cause", 7}},
                                   {{"cause", nullptr}},
                                   {{"cause", ""}},
                                   {{"cause", " a"}},
                                   {{"cause", "a\nb"}},
                                   {{"cause", "\x1b[2J"}},
                                   {{"cause", "caf\xc3\xa9"}},
                                   {{"cause", std::string(65, 'x')}},
                                   {{"cause", "maintenance"}},
                                   {{"cause", "link lan"}},
                                   {{"cause", "track me"}},
                                   {{"seconds", "7"}},
                                   {{"seconds", 0}},
                                   {{"seconds", -1}},
                                   {{"seconds", nullptr}}};
  for (const json& request : wrong) {
    EXPECT_FALSE(demote(request).ok()) << request.dump();
  }
  EXPECT_FALSE(demotions->undemote({{"cause", 7}}).ok());
  for (const json& request : {json::object(), json{{"on", 1}}, json{{"on", "true"}}}) {
    EXPECT_FALSE(demotions->maintenance(request, "tester").ok()) << request.dump();
  }
  EXPECT_TRUE(demotions->ledger().list().empty());
  EXPECT_TRUE(demote({{"cause", std::string(64, 'x')}, {"seconds", 1e300}}).ok());
}

TEST_F(DemotionsTest, RefusesTheSixtyFifth) {
  for (int i = 0; i < 64; ++i) ASSERT_TRUE(demote({{"cause", "c" + std::to_string(i)}}).ok());
  const Status full = demote({{"cause", "one more"}});
  ASSERT_FALSE(full.ok());
  EXPECT_NE(full.error().message.find("64 causes"), std::string::npos);
  EXPECT_EQ(total(0), 64);
}

// C18.8 kept
TEST_F(DemotionsTest, MaintenanceOutlivesARestart) {
  ASSERT_TRUE(demotions->maintenance({{"on", true}}, "koictl by uid 7").ok());
  const json before = shown()["list"][0];
  EXPECT_EQ(before["name"], "maintenance");
  start();
  const json after = shown()["list"][0];
  EXPECT_EQ(after["owner"], "koictl by uid 7");
  // Since then, not since the restart; the file keeps whole seconds.
  EXPECT_EQ(after["since"].get<std::string>().substr(0, 19),
            before["since"].get<std::string>().substr(0, 19));
  EXPECT_EQ(total(0), kMaintenanceWeight);
  EXPECT_EQ(total(1), kMaintenanceWeight);
  ASSERT_TRUE(demotions->maintenance({{"on", true}}, "again").ok());
  EXPECT_EQ(total(0), kMaintenanceWeight);
  ASSERT_TRUE(demotions->maintenance({{"on", false}}, "tester").ok());
  EXPECT_EQ(total(0), 0);
  start();
  EXPECT_EQ(total(0), 0);
}

TEST_F(DemotionsTest, MaintenanceThatCannotBeKeptIsRefused) {
  std::filesystem::remove_all(folder / "");
  const Status s = demotions->maintenance({{"on", true}}, "tester");
  ASSERT_FALSE(s.ok());
  EXPECT_NE(s.error().message.find(folder / "state"), std::string::npos);
  EXPECT_EQ(total(0), 0);
}

TEST_F(DemotionsTest, TheAgentLearnsWhatToCheck) {
  EXPECT_EQ(demotions->checks(), (json{{{"name", "script /usr/lib/koi/uplink"},
                                        {"kind", "script"},
                                        {"program", "/usr/lib/koi/uplink"},
                                        {"interval", 0.2},
                                        {"timeout", 1.0},
                                        {"rise", 1},
                                        {"fall", 2},
                                        {"healthy", true}}}));
  config::Track tcp;
  tcp.name = "tcp 2001:db8::1 port 443";
  tcp.kind = config::Track::Kind::tcp;
  tcp.address = Ipv6Address::parse("2001:db8::1").value();
  tcp.number = 443;
  config.groups[1].track = {tcp};
  start();
  EXPECT_EQ(demotions->checks()[0]["kind"], "tcp");
  EXPECT_EQ(demotions->checks()[0]["address"], "2001:db8::1");
  EXPECT_EQ(demotions->checks()[0]["port"], 443);
}

TEST_F(DemotionsTest, AResultDemotesAndIsCleanedForTheTerminal) {
  const char* name = "script /usr/lib/koi/uplink";
  ASSERT_TRUE(
      demotions->check({{"name", name}, {"healthy", false}, {"detail", "exit\x1b[2J 3"}}, now)
          .ok());
  pass(1ms);
  EXPECT_EQ(total(0), 0);
  EXPECT_EQ(total(1), 4);
  EXPECT_EQ(shown()["list"][0]["detail"], "exit?[2J 3");
  EXPECT_EQ(shown()["total"], 0);  // node-wide causes only
  EXPECT_EQ(demotions->checks()[0]["healthy"], false);
  ASSERT_TRUE(demotions->check({{"name", name}, {"healthy", true}}, now).ok());
  pass(1ms);
  EXPECT_EQ(total(1), 0);
}

TEST_F(DemotionsTest, AResultThatIsNoneIsRefused) {
  const std::vector<json> wrong = {
      json::object(),
      {{"name", "script /usr/lib/koi/uplink"}},
      {{"name", "script /usr/lib/koi/uplink"}, {"healthy", 0}},
      {{"name", 7}, {"healthy", false}},
      {{"name", "nobody"}, {"healthy", false}},
      {{"name", "script /usr/lib/koi/uplink"}, {"healthy", false}, {"detail", json::array()}}};
  for (const json& request : wrong) {
    EXPECT_FALSE(demotions->check(request, now).ok()) << request.dump();
  }
  pass(1ms);
  EXPECT_EQ(total(1), 0);
}

TEST_F(DemotionsTest, TheExportersMapHasTheHighestOfAName) {
  config.groups[0].track = config.groups[1].track;
  config.groups[0].track[0].weight = 9;
  start();
  ASSERT_TRUE(
      demotions->check({{"name", "script /usr/lib/koi/uplink"}, {"healthy", false}}, now).ok());
  pass(1ms);
  EXPECT_EQ(demotion_causes_json(demotions->ledger()),
            (json{{"command", 0}, {"track script /usr/lib/koi/uplink", 9}}));
}

}  // namespace
}  // namespace koi::app::demotions_test
