#include "controlplane/health.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "controlplane/ties.h"
#include "tests/support/lab_config.h"

namespace koi::controlplane::health_test {
namespace {

using Groups = std::vector<std::uint16_t>;
constexpr std::chrono::system_clock::time_point kWall{std::chrono::seconds(1000)};

/// Four groups: g0 on lan, g1 on wan, g2 on dmz, g3 on lan.
config::Config four_groups() {
  config::Config config = test::lan_box(2);
  for (const char* name : {"wan", "dmz"}) {
    config.ports.push_back(test::lan_port(2));
    config.ports.back().name = name;
  }
  config.groups.clear();
  for (const char* port : {"lan", "wan", "dmz", "lan"}) {
    config.groups.push_back(test::lan_group());
    config.groups.back().name = "g" + std::to_string(config.groups.size() - 1);
    config.groups.back().port = port;
  }
  return config;
}

config::Track ping(std::uint8_t weight) {
  config::Track track;
  track.name = "ping 192.0.2.9";
  track.kind = config::Track::Kind::ping;
  track.address = test::ip4("192.0.2.9");
  track.weight = weight;
  return track;
}

config::Track port(const std::string& name, std::uint8_t weight) {
  config::Track track;
  track.name = "port " + name;
  track.port = name;
  track.weight = weight;
  return track;
}

class HealthTest : public ::testing::Test {
 protected:
  Health& health() {
    if (!made_) made_.emplace(config, start);
    return *made_;
  }
  /// Brings the ledger up to date; returns each group's total.
  std::vector<int> totals(Duration after = Duration::zero()) {
    lines = health().update(ledger, links, start + after, kWall);
    std::vector<int> all;
    for (std::size_t g = 0; g < config.groups.size(); ++g) all.push_back(ledger.total(g));
    return all;
  }

  config::Config config = four_groups();
  const Instant start{Duration(500s)};
  std::vector<bool> links = {true, true, true};
  DemotionLedger ledger;
  std::vector<std::string> lines;

 private:
  std::optional<Health> made_;
};

using All = std::vector<int>;

// C18.3 kept
TEST_F(HealthTest, TiesGoBothWaysAndThroughOthers) {
  EXPECT_EQ(tied_groups(config.groups), (std::vector<Groups>{{0}, {1}, {2}, {3}}));
  config.groups[0].tie = {"g2", "nobody"};
  config.groups[3].tie = {"g2", "g3"};
  EXPECT_EQ(tied_groups(config.groups),
            (std::vector<Groups>{{0, 2, 3}, {1}, {0, 2, 3}, {0, 2, 3}}));
  config.groups[1].tie = {"g0"};
  EXPECT_EQ(tied_groups(config.groups)[1], (Groups{0, 1, 2, 3}));
  EXPECT_TRUE(tied_groups({}).empty());
}

TEST_F(HealthTest, ALinkThatIsDownDemotesNobodyUntied) {
  links[0] = false;
  EXPECT_EQ(totals(), (All{0, 0, 0, 0}));
  EXPECT_TRUE(lines.empty());
}

// issue: "a demotion cause of one counts for all"; the groups on the port are in INIT.
// C9.13 kept, C18.3 kept
TEST_F(HealthTest, ALinkThatIsDownDemotesThoseTiedByOne) {
  config.groups[0].tie = {"g1"};
  config.groups[1].tie = {"g2"};
  links[1] = false;
  EXPECT_EQ(totals(), (All{1, 0, 1, 0}));
  ASSERT_EQ(ledger.list().size(), 1U);
  EXPECT_EQ(ledger.list()[0].name, "link wan");
  EXPECT_EQ(ledger.list()[0].owner, "port wan");
  EXPECT_EQ(ledger.list()[0].since, kWall);
  EXPECT_EQ(ledger.list()[0].groups, (Groups{0, 2}));
  EXPECT_EQ(lines, std::vector<std::string>{"demoted by 1: link wan (port wan: no link)"});
  EXPECT_EQ(totals(), (All{1, 0, 1, 0}));
  EXPECT_TRUE(lines.empty());  // said once
  links[2] = false;
  EXPECT_EQ(totals(), (All{2, 1, 1, 0}));
  links[1] = true;
  EXPECT_EQ(totals(), (All{1, 1, 0, 0}));
  EXPECT_EQ(lines, std::vector<std::string>{"no longer demoted by 1: link wan"});
  links[2] = true;
  EXPECT_EQ(totals(), (All{0, 0, 0, 0}));
  EXPECT_TRUE(ledger.list().empty());
}

// C18.6 kept
TEST_F(HealthTest, ATrackedPortDemotesByItsWeight) {
  config.groups[0].track = {port("wan", 7), port("nowhere", 9)};
  config.groups[0].tie = {"g3"};
  links[1] = false;
  EXPECT_EQ(totals(), (All{7, 0, 0, 7}));
  EXPECT_EQ(ledger.list()[0].name, "track port wan");
  EXPECT_TRUE(health().checks().empty());  // nothing for koi-agent
  links[1] = true;
  EXPECT_EQ(totals(), (All{0, 0, 0, 0}));
}

TEST_F(HealthTest, ACheckIsHealthyUntilItsFirstResult) {
  config.groups[1].track = {ping(3)};
  EXPECT_EQ(totals(), (All{0, 0, 0, 0}));
  ASSERT_EQ(health().checks().size(), 1U);
  EXPECT_EQ(health().checks()[0].name, "ping 192.0.2.9");
  EXPECT_TRUE(health().checks()[0].counts_as_healthy());
  EXPECT_TRUE(health().report("ping 192.0.2.9", false, "no reply within 1 s", start));
  EXPECT_EQ(totals(), (All{0, 3, 0, 0}));
  EXPECT_EQ(ledger.list()[0].name, "track ping 192.0.2.9");
  EXPECT_EQ(ledger.list()[0].owner, "koi-agent");
  EXPECT_EQ(ledger.list()[0].detail, "no reply within 1 s");
  EXPECT_TRUE(health().report("ping 192.0.2.9", true, "", start + 1s));
  EXPECT_EQ(totals(1s), (All{0, 0, 0, 0}));
}

TEST_F(HealthTest, AnUnknownNameIsNoCheck) {
  config.groups[1].track = {ping(3), port("lan", 1)};
  EXPECT_FALSE(health().report("ping 192.0.2.10", false, "", start));
  EXPECT_FALSE(health().report("port lan", false, "", start));
  EXPECT_FALSE(health().report("", false, "", start));
  EXPECT_EQ(totals(), (All{0, 0, 0, 0}));
}

// C18.7 kept
TEST_F(HealthTest, PatienceIsThreeIntervalsAndATimeoutButFiveSeconds) {
  config::Track track = ping(1);
  track.interval = 200ms;
  track.timeout = 1s;
  EXPECT_EQ(Health::patience(track), Duration(5s));
  track.interval = 2s;
  track.timeout = 3s;
  EXPECT_EQ(Health::patience(track), Duration(9s));
}

// C18.7 kept
TEST_F(HealthTest, AnAgentThatIsSilentCountsAsFailure) {
  config.groups[1].track = {ping(3)};
  EXPECT_EQ(totals(5s), (All{0, 0, 0, 0}));  // from the start on
  EXPECT_EQ(totals(5s + 1ns), (All{0, 3, 0, 0}));
  ASSERT_EQ(ledger.list().size(), 1U);
  EXPECT_EQ(ledger.list()[0].owner, "koi-agent silent");
  EXPECT_FALSE(health().checks()[0].counts_as_healthy());
  EXPECT_TRUE(health().report("ping 192.0.2.9", true, "", start + 6s));
  EXPECT_EQ(totals(6s), (All{0, 0, 0, 0}));
  EXPECT_EQ(totals(11s), (All{0, 0, 0, 0}));
  EXPECT_EQ(totals(12s), (All{0, 3, 0, 0}));
  // The same cause goes on when the agent is back and the check fails.
  EXPECT_TRUE(health().report("ping 192.0.2.9", false, "no route", start + 13s));
  EXPECT_EQ(totals(13s), (All{0, 3, 0, 0}));
  ASSERT_EQ(ledger.list().size(), 1U);
  EXPECT_EQ(ledger.list()[0].owner, "koi-agent");
  EXPECT_EQ(ledger.list()[0].detail, "no route");
}

TEST_F(HealthTest, GroupsShareACheckAndEachHasItsWeight) {
  config.groups[0].track = {ping(2)};
  config.groups[1].track = {ping(5)};
  config.groups[2].track = {ping(2)};
  ASSERT_EQ(health().checks().size(), 1U);
  health().report("ping 192.0.2.9", false, "", start);
  EXPECT_EQ(totals(), (All{2, 5, 2, 0}));
  health().report("ping 192.0.2.9", true, "", start);
  EXPECT_EQ(totals(), (All{0, 0, 0, 0}));
}

// C18.3 kept
TEST_F(HealthTest, OneFailureCountsOnceForGroupsThatAreTied) {
  config.groups[0].track = {ping(2)};
  config.groups[1].track = {ping(5)};
  config.groups[0].tie = {"g1", "g3"};
  health().report("ping 192.0.2.9", false, "", start);
  EXPECT_EQ(totals(), (All{5, 5, 0, 5}));
}

TEST_F(HealthTest, TheSameTargetInTwoWaysIsTwoChecks) {
  config.groups[0].track = {ping(1)};
  config.groups[1].track = {ping(1)};
  config.groups[1].track[0].interval = 5s;
  ASSERT_EQ(health().checks().size(), 2U);
  EXPECT_EQ(health().checks()[1].name, "ping 192.0.2.9 of g1");
  health().report("ping 192.0.2.9 of g1", false, "", start);
  EXPECT_EQ(totals(), (All{0, 1, 0, 0}));
}

// What a check said stays with it when the configuration changes around it.
TEST_F(HealthTest, AnotherConfigurationKeepsWhatIsKnownOfACheck) {
  config.groups[0].track = {ping(2)};
  config.groups[1].track = {ping(2)};
  config.groups[1].track[0].address = test::ip4("192.0.2.99");
  config.groups[1].track[0].name = "ping 192.0.2.99";
  health().report("ping 192.0.2.9", false, "", start);
  health().report("ping 192.0.2.99", false, "", start);
  EXPECT_EQ(totals(), (All{2, 2, 0, 0}));
  // The first group comes last; the second one's check has gone.
  std::rotate(config.groups.begin(), config.groups.begin() + 1, config.groups.end());
  config.groups[0].track.clear();
  ledger.renumber({std::uint16_t{3}, std::uint16_t{0}, std::uint16_t{1}, std::uint16_t{2}});
  health().config_changed(ledger, start + 1s);
  EXPECT_EQ(ledger.total(3), 2);
  EXPECT_EQ(totals(1s), (All{0, 0, 0, 2}));
  EXPECT_TRUE(lines.empty());  // no cause began or ended
  health().report("ping 192.0.2.9", true, "", start + 2s);
  EXPECT_EQ(totals(2s), (All{0, 0, 0, 0}));
}

TEST_F(HealthTest, LeavesACommandOfTheSameNameAlone) {
  config.groups[1].track = {ping(3)};
  DemotionCause cause;
  cause.name = "track ping 192.0.2.9";
  cause.groups = Groups{1};
  cause.commanded = true;
  ledger.set(cause);
  health().report("ping 192.0.2.9", false, "", start);
  EXPECT_EQ(totals(), (All{0, 4, 0, 0}));
  health().report("ping 192.0.2.9", true, "", start);
  EXPECT_EQ(totals(), (All{0, 1, 0, 0}));
}

}  // namespace
}  // namespace koi::controlplane::health_test
