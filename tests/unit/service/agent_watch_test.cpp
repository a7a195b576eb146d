#include "controlplane/app/agent_watch.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "controlplane/app/agent_note.h"
#include "tests/support/lab_config.h"

namespace koi::app::agent_watch_test {
namespace {

using std::chrono::system_clock;

TEST(AgentWatch, IsNeededByWhatItDoes) {
  const auto needed = [](auto change) {
    config::Config config = test::lan_box(2);
    change(config);
    return needs_agent(config);
  };
  config::Track track;
  EXPECT_FALSE(needed([](config::Config&) {}));
  EXPECT_FALSE(needed([&](config::Config& c) { c.groups[0].track = {track}; }));  // a port's link
  EXPECT_FALSE(needed([](config::Config& c) { c.ports[0].host = config::HostPort::vdev; }));
  EXPECT_TRUE(needed([](config::Config& c) { c.ports[0].host = config::HostPort::tap; }));
  EXPECT_TRUE(needed([](config::Config& c) { c.ports[0].host = config::HostPort::virtio_user; }));
  EXPECT_TRUE(needed([](config::Config& c) { c.groups[0].assign = config::Assign::master; }));
  EXPECT_TRUE(needed([](config::Config& c) { c.groups[0].hooks = {{"/etc/koi/a"}}; }));
  track.kind = config::Track::Kind::script;
  EXPECT_TRUE(needed([&](config::Config& c) { c.groups[0].track = {track}; }));
}

/// Time is the test's.
class AgentWatchTest : public ::testing::Test {
 protected:
  bool pass(Duration span) {
    now += span;
    return watch.update(now, wall += std::chrono::duration_cast<system_clock::duration>(span));
  }
  Instant now{Duration(1000s)};
  system_clock::time_point wall{};
  AgentWatch watch{true, now, wall};
};

TEST_F(AgentWatchTest, ComesGoesAndReturns) {
  EXPECT_FALSE(pass(1s));
  watch.heard(now);
  EXPECT_TRUE(pass(10ms));
  EXPECT_TRUE(watch.present());
  EXPECT_EQ(watch.since(), wall);
  for (int i = 0; i < 100; ++i) {
    watch.heard(now);
    EXPECT_FALSE(pass(AgentWatch::kPatience));
  }
  EXPECT_TRUE(pass(10ms));
  EXPECT_FALSE(watch.present());
  EXPECT_EQ(watch.since(), wall);
  EXPECT_FALSE(pass(1000s));  // told once
  watch.heard(now);
  EXPECT_TRUE(pass(10ms));
  EXPECT_TRUE(watch.present());
}

TEST_F(AgentWatchTest, OneThatNeverCameIsMissedAfterAWhileSinceTheStart) {
  const auto start = wall;
  EXPECT_FALSE(pass(AgentWatch::kPatience));
  EXPECT_TRUE(pass(10ms));
  EXPECT_FALSE(watch.present());
  EXPECT_EQ(watch.since(), start);
  EXPECT_FALSE(pass(10ms));
}

TEST_F(AgentWatchTest, WhereItIsNotNeededNothingIsTold) {
  AgentWatch idle(false, now, wall);
  EXPECT_FALSE(idle.update(now + 10s, wall));
  idle.heard(now + 10s);
  EXPECT_FALSE(idle.update(now + 10s, wall));
  EXPECT_TRUE(idle.present());
  EXPECT_FALSE(idle.update(now + 20s, wall));
}

TEST(AgentNote, BecomesAnEvent) {
  const auto hook = event_of_note(nlohmann::json::parse(R"({"command":"note","kind":"hook",
    "group":"g","vhid":3,"detail":"/etc/koi/a","cause":"exit code 3","of":12})"));
  ASSERT_TRUE(hook.ok());
  EXPECT_EQ(hook.value().kind, Event::Kind::hook);
  EXPECT_EQ(hook.value().group, "g");
  EXPECT_EQ(hook.value().vhid, 3);
  EXPECT_EQ(hook.value().detail, "/etc/koi/a");
  EXPECT_EQ(hook.value().of, 12U);
  const auto host = event_of_note(nlohmann::json::parse(
      R"({"kind":"host","port":"lan","cause":"bell \u0007 and ä","vhid":256,"of":-1})"));
  ASSERT_TRUE(host.ok());
  EXPECT_EQ(host.value().kind, Event::Kind::host);
  EXPECT_EQ(host.value().cause, "bell ? and ??");
  EXPECT_EQ(host.value().vhid, 0);
  EXPECT_FALSE(host.value().of.has_value());
  for (const char* wrong :
       {"{}", R"({"kind":"role","cause":"x"})", R"({"kind":"hook"})", R"({"kind":7,"cause":"x"})",
        R"({"kind":"hook","cause":"x","group":[]})", R"({"kind":"host","cause":""})"}) {
    EXPECT_FALSE(event_of_note(nlohmann::json::parse(wrong)).ok()) << wrong;
  }
}

}  // namespace
}  // namespace koi::app::agent_watch_test
