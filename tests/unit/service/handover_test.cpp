#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/unit/service/service_rig.h"

namespace koi::app::handover_test {
namespace {

using controlplane::SetDemotion;
using election::Role;
using nlohmann::json;
using ::testing::HasSubstr;

/// The service without its thread: the test is control, and looks for the reply itself.
class HandoverTest : public test::ServiceRig {
 protected:
  void SetUp() override {
    open();
    report(Role::master);
  }
  void report(Role role, bool master_known = false) {
    controlplane::SlotReport report;
    report.role = role;
    report.master_known = master_known;
    report.master = IpAddress(test::ip4("192.0.2.3"));
    reports.try_send(report);
    tell(R"({"command":"status"})");
  }
  void advertised() {
    counters->slots[0].received[static_cast<std::size_t>(Verdict::accepted)].add();
  }
  json tell(const std::string& line) {
    Answer answer = service->handle(line, 0);
    if (auto* later = std::get_if<Later>(&answer)) {
      later_ = std::move(*later);
      return nullptr;
    }
    return json::parse(std::get<std::string>(answer));
  }
  /// The reply that is waited for; null: not yet.
  json reply() {
    const auto text = later_();
    return text ? json::parse(*text) : json(nullptr);
  }
  Snapshot as_master() const {
    Snapshot snapshot;
    snapshot.config = &config;
    snapshot.plan = &plan;
    snapshot.workers = {counters.get()};
    snapshot.slots.resize(1);
    snapshot.slots[0].role = Role::master;
    return snapshot;
  }
  json causes() { return tell(R"({"command":"status"})")["demotion"]["list"]; }

  static constexpr const char* kHandOver = R"({"command":"handover","group":"lan-gateway"})";
  Later later_;
};

TEST_F(HandoverTest, EndsOnceAnotherBoxAdvertises) {
  EXPECT_EQ(tell(kHandOver), json(nullptr));
  ASSERT_EQ(commands.take<SetDemotion>().back().count, 1);
  EXPECT_EQ(causes()[0]["groups"], json::array({"lan-gateway"}));
  EXPECT_EQ(reply(), json(nullptr));
  report(Role::backup);
  EXPECT_EQ(reply(), json(nullptr));
  advertised();
  EXPECT_EQ(reply(), json(nullptr));  // who it is, control has not said yet
  report(Role::backup, true);
  const json done = reply();
  EXPECT_EQ(done["ok"], true) << done;
  EXPECT_EQ(done["masters"][0]["address"], "192.0.2.3");
  EXPECT_EQ(done["masters"][0]["vhid"], 1);
  EXPECT_EQ(done["held_back"], false);  // without preempt nothing brings it back
  EXPECT_EQ(commands.take<SetDemotion>().back().count, 0);
  EXPECT_TRUE(causes().empty());
}

TEST_F(HandoverTest, HoldsBackWhereItWouldPreempt) {
  config.groups[0].preempt = true;
  tell(kHandOver);
  report(Role::backup, true);
  advertised();
  reply();
  EXPECT_EQ(reply()["held_back"], true);
  EXPECT_EQ(causes()[0]["name"], "handover");
  EXPECT_EQ(causes()[0]["seconds_left"], json(nullptr));
  EXPECT_EQ(tell(R"({"command":"undemote","cause":"handover"})")["ok"], true);
  EXPECT_TRUE(causes().empty());
}

TEST_F(HandoverTest, WithoutPreemptTheDemotionEndsThoughNobodyWaitsForTheReply) {
  tell(kHandOver);
  EXPECT_GT(causes()[0]["seconds_left"], 1);
  EXPECT_LE(causes()[0]["seconds_left"], 15);
}

TEST_F(HandoverTest, ATiedGroupThatPreemptsHoldsItBackToo) {
  const Snapshot snapshot = as_master();
  const json request{{"group", "lan-gateway"}, {"seconds", 90}};
  config.groups.push_back(config.groups[0]);
  config.groups[1].name = "wan-gateway";
  config.groups[1].preempt = true;
  EXPECT_FALSE(Handover::of(request, snapshot, {}).value().comes_back());
  config.groups[0].tie = {"wan-gateway"};
  const Handover tied = Handover::of(request, snapshot, {}).value();
  EXPECT_TRUE(tied.comes_back());
  EXPECT_EQ(tied.seconds(), 90);
}

TEST_F(HandoverTest, SaysThatNobodyTookIt) {
  config.groups[0].preempt = true;
  tell(kHandOver);
  report(Role::backup);
  EXPECT_EQ(reply(), json(nullptr));
  report(Role::master);
  const json refused = reply();
  EXPECT_EQ(refused["ok"], false);
  EXPECT_EQ(refused["error"], "lan-gateway: nobody took it over: this box is MASTER again");
  EXPECT_TRUE(causes().empty());
}

TEST_F(HandoverTest, GivesUpInTime) {
  const Instant now{1000s};
  Snapshot snapshot = as_master();
  auto handover = Handover::of(json{{"group", "lan-gateway"}}, snapshot, now);
  ASSERT_TRUE(handover.ok());
  snapshot.slots[0].role = Role::backup;
  EXPECT_FALSE(handover.value().ended(snapshot, now + 5s));
  const auto ended = handover.value().ended(snapshot, now + 7s);  // advbase 1: twice 3 s
  ASSERT_TRUE(ended);
  EXPECT_FALSE(ended->ok());
}

TEST_F(HandoverTest, RefusesWhatIsNotThere) {
  EXPECT_THAT(tell(R"({"command":"handover"})")["error"], HasSubstr("name of a group"));
  EXPECT_EQ(tell("{\"command\":\"handover\",\"group\":\"dmz\\n\"}")["error"],
            "no group \"dmz?\"; there are lan-gateway");
  EXPECT_THAT(tell(R"({"command":"handover","group":"lan-gateway","seconds":-1})")["error"],
              HasSubstr("above 0"));
  report(Role::backup, true);
  EXPECT_EQ(tell(kHandOver)["error"], "this box is not MASTER of lan-gateway; 192.0.2.3 is MASTER");
  EXPECT_TRUE(commands.take<SetDemotion>().empty());
  turn.store((clock.time - 3s).time_since_epoch().count());
  EXPECT_THAT(tell(kHandOver)["error"], HasSubstr("control thread hangs"));
}

}  // namespace
}  // namespace koi::app::handover_test
