#include "controlplane/demotion.h"

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace koi::controlplane::demotion_test {
namespace {

using Outcome = DemotionLedger::Outcome;
using Groups = std::vector<std::uint16_t>;

DemotionCause cause(const std::string& name, std::uint8_t count) {
  DemotionCause c;
  c.name = name;
  c.owner = "test";
  c.count = count;
  return c;
}

DemotionCause commanded(const std::string& name) {
  DemotionCause c = cause(name, 1);
  c.commanded = true;
  return c;
}

std::vector<std::string> names(const std::vector<DemotionCause>& causes) {
  std::vector<std::string> all;
  for (const DemotionCause& c : causes) all.push_back(c.name);
  return all;
}

TEST(DemotionLedger, AnEmptyOneDemotesNobody) {
  const DemotionLedger ledger;
  EXPECT_EQ(ledger.total(0), 0);
  EXPECT_EQ(ledger.node_total(), 0);
  EXPECT_TRUE(ledger.list().empty());
}

// C9.1 kept, C9.13 kept
TEST(DemotionLedger, AddsUpWhatConcernsAGroup) {
  DemotionLedger ledger;
  DemotionCause link = cause("link wan", 5);
  link.groups = Groups{1, 3};
  EXPECT_EQ(ledger.set(cause("maintenance", 100)), Outcome::added);
  EXPECT_EQ(ledger.set(link), Outcome::added);
  EXPECT_EQ(ledger.total(0), 100);
  EXPECT_EQ(ledger.total(1), 105);
  EXPECT_EQ(ledger.total(2), 100);
  EXPECT_EQ(ledger.total(3), 105);
  EXPECT_EQ(ledger.node_total(), 100);
}

// protocol.md §8: capped at 255; a sum that wrapped would make the sickest box the best.
// C9.1 refused
TEST(DemotionLedger, SaturatesAt255) {
  DemotionLedger ledger;
  ledger.set(cause("a", 200));
  ledger.set(cause("b", 55));
  EXPECT_EQ(ledger.total(0), 255);
  ledger.set(cause("c", 1));
  EXPECT_EQ(ledger.total(0), 255);
  EXPECT_EQ(ledger.node_total(), 255);
  for (int i = 0; i < 100; ++i) ledger.set(cause("d" + std::to_string(i), 255));
  EXPECT_EQ(ledger.total(7), 255);
}

TEST(DemotionLedger, AWeightSaturatesBothWays) {
  EXPECT_EQ(saturated_count(-1), 0);
  EXPECT_EQ(saturated_count(std::numeric_limits<std::int64_t>::min()), 0);
  EXPECT_EQ(saturated_count(0), 0);
  EXPECT_EQ(saturated_count(254), 254);
  EXPECT_EQ(saturated_count(256), 255);
  EXPECT_EQ(saturated_count(std::numeric_limits<std::int64_t>::max()), 255);
}

TEST(DemotionLedger, AnEndSaturatesBothWays) {
  const Instant now{Duration(3600s)};
  EXPECT_EQ(end_after(now, 1.5), now + 1500ms);
  EXPECT_EQ(end_after(now, -7), now);
  const Instant last = now + std::chrono::hours(24 * 3650);
  EXPECT_EQ(end_after(now, 1e300), last);
  EXPECT_EQ(end_after(now, std::numeric_limits<double>::infinity()), last);
  EXPECT_EQ(end_after(now, std::numeric_limits<double>::quiet_NaN()), last);
}

TEST(DemotionLedger, TheSameCauseAgainIsOneCauseSinceTheFirstTime) {
  DemotionLedger ledger;
  DemotionCause first = cause("command", 1);
  first.since = std::chrono::system_clock::time_point(std::chrono::seconds(100));
  ledger.set(first);
  DemotionCause again = first;
  again.since += std::chrono::seconds(50);
  EXPECT_EQ(ledger.set(again), Outcome::unchanged);
  again.until = Instant(Duration(9s));
  again.owner = "somebody else";
  EXPECT_EQ(ledger.set(again), Outcome::changed);
  ASSERT_EQ(ledger.list().size(), 1U);
  EXPECT_EQ(ledger.list()[0].since, first.since);
  EXPECT_EQ(ledger.list()[0].owner, "somebody else");
  EXPECT_EQ(ledger.list()[0].until, Instant(Duration(9s)));
  EXPECT_EQ(ledger.total(0), 1);
}

TEST(DemotionLedger, TheSameNameForOtherGroupsIsAnotherCause) {
  DemotionLedger ledger;
  DemotionCause some = cause("track x", 1);
  some.groups = Groups{0};
  DemotionCause others = cause("track x", 5);
  others.groups = Groups{1};
  ledger.set(some);
  EXPECT_EQ(ledger.set(others), Outcome::added);
  EXPECT_EQ(ledger.total(0), 1);
  EXPECT_EQ(ledger.total(1), 5);
}

TEST(DemotionLedger, ACauseForNoGroupIsNotOneForAll) {
  DemotionLedger ledger;
  DemotionCause nobody = cause("link lan", 9);
  nobody.groups = Groups{};
  ledger.set(nobody);
  EXPECT_EQ(ledger.total(0), 0);
  EXPECT_EQ(ledger.node_total(), 0);
}

// C18.8 kept
TEST(DemotionLedger, EndsByItselfAtItsTimeAndNotBefore) {
  DemotionLedger ledger;
  const Instant start{Duration(100s)};
  DemotionCause timed = cause("upgrade", 3);
  timed.until = start + 10s;
  ledger.set(timed);
  ledger.set(cause("for good", 1));
  EXPECT_TRUE(ledger.expire(start).empty());
  EXPECT_TRUE(ledger.expire(start + 10s - 1ns).empty());
  EXPECT_EQ(ledger.total(0), 4);
  EXPECT_EQ(names(ledger.expire(start + 10s)), std::vector<std::string>{"upgrade"});
  EXPECT_EQ(ledger.total(0), 1);
  EXPECT_TRUE(ledger.expire(start + 10000s).empty());
}

TEST(DemotionLedger, ALaterEndCounts) {
  DemotionLedger ledger;
  DemotionCause timed = commanded("upgrade");
  timed.until = Instant(Duration(10s));
  ledger.set(timed);
  timed.until = Instant(Duration(20s));
  ledger.set(timed);
  EXPECT_TRUE(ledger.expire(Instant(Duration(15s))).empty());
  timed.until.reset();
  ledger.set(timed);
  EXPECT_TRUE(ledger.expire(Instant(Duration(1000s))).empty());
}

TEST(DemotionLedger, ClearsWhatIsChosenAndKeepsTheOrder) {
  DemotionLedger ledger;
  for (const char* name : {"a", "b", "c", "d"}) ledger.set(cause(name, 1));
  const auto gone = ledger.clear_if(
      [](const DemotionCause& c) { return c.name == "b" || c.name == "d" || c.name == "x"; });
  EXPECT_EQ(names(gone), (std::vector<std::string>{"b", "d"}));
  EXPECT_EQ(names(ledger.list()), (std::vector<std::string>{"a", "c"}));
}

TEST(DemotionLedger, FollowsItsGroupsToOtherPositions) {
  DemotionLedger ledger;
  const auto of = [](const char* name, std::vector<std::uint16_t> groups) {
    DemotionCause made = cause(name, 1);
    made.groups = std::move(groups);
    return made;
  };
  ledger.set(of("both", {0, 1}));
  ledger.set(of("gone", {1}));
  ledger.set(cause("node", 4));
  ledger.renumber({std::uint16_t{2}, std::nullopt});
  EXPECT_EQ(names(ledger.list()), (std::vector<std::string>{"both", "node"}));
  EXPECT_EQ(ledger.total(2), 5);
  EXPECT_EQ(ledger.total(0), 4);
}

TEST(DemotionLedger, CommandsFillItOnlySoFar) {
  DemotionLedger ledger;
  for (std::size_t i = 0; i < DemotionLedger::kMostCommanded; ++i) {
    EXPECT_EQ(ledger.set(commanded("c" + std::to_string(i))), Outcome::added);
  }
  EXPECT_EQ(ledger.set(commanded("one more")), Outcome::full);
  EXPECT_EQ(ledger.set(commanded("c0")), Outcome::unchanged);  // one that is there
  // A port that loses its link is never refused.
  EXPECT_EQ(ledger.set(cause("link lan", 1)), Outcome::added);
  EXPECT_EQ(ledger.list().size(), DemotionLedger::kMostCommanded + 1);
}

}  // namespace
}  // namespace koi::controlplane::demotion_test
