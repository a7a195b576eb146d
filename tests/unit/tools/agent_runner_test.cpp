#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tools/agent/check_state.h"
#include "tools/agent/runner.h"

namespace koi::agent::agent_runner_test {
namespace {

// C18.6 kept
TEST(CheckState, SoManyFailuresInARowAreAFall) {
  CheckState state(true, 2, 3);
  for (int round = 0; round < 5; ++round) {  // two are not three
    EXPECT_FALSE(state.add(false));
    EXPECT_FALSE(state.add(false));
    EXPECT_EQ(state.against(), 2U);
    EXPECT_FALSE(state.add(true));
    EXPECT_EQ(state.against(), 0U);
    EXPECT_TRUE(state.healthy());
  }
  state.add(false);
  state.add(false);
  EXPECT_TRUE(state.add(false));
  EXPECT_FALSE(state.healthy());
  EXPECT_FALSE(state.add(false));
}

// C18.6 kept
TEST(CheckState, SoManySuccessesInARowAreARise) {
  CheckState state(false, 2, 3);
  EXPECT_FALSE(state.add(true));
  EXPECT_FALSE(state.add(false));
  EXPECT_FALSE(state.add(true));
  EXPECT_FALSE(state.healthy());
  EXPECT_TRUE(state.add(true));
  EXPECT_TRUE(state.healthy());
}

TEST(CheckState, OneIsEnoughWhereOneIsAskedFor) {
  CheckState state(true, 1, 1);
  EXPECT_TRUE(state.add(false));
  EXPECT_TRUE(state.add(true));
  EXPECT_FALSE(state.add(true));
  CheckState longest(true, 255, 255);
  for (int i = 0; i < 254; ++i) EXPECT_FALSE(longest.add(false));
  EXPECT_TRUE(longest.add(false));
}

/// What a probe was told, and what it says when it is asked.
struct Script {
  std::vector<Instant> starts;
  std::optional<Verdict> at_once;
  std::optional<Verdict> when_ready;
  bool lingers = false;
  int given_up = 0;
  const Instant* now = nullptr;
};

class FakeProbe final : public Probe {
 public:
  explicit FakeProbe(Script& script) : s_(script) {}
  std::optional<Verdict> start() override {
    s_.starts.push_back(*s_.now);
    return s_.at_once;
  }
  int fd() const override { return 42; }
  short events() const override { return 1; }
  std::optional<Verdict> ready() override { return s_.when_ready; }
  Verdict give_up() override {
    ++s_.given_up;
    return {false, "too late"};
  }
  bool lingers() const override { return s_.lingers; }

 private:
  Script& s_;
};

class RunnerTest : public ::testing::Test {
 protected:
  RunnerTest() {
    script.now = &now;
    check.spec.name = "x";
    check.spec.interval = 100ms;
    check.spec.timeout = 50ms;
    check.spec.fall = 2;
  }
  Runner runner() { return Runner(check, std::make_unique<FakeProbe>(script), now); }
  void tick(Runner& r, Duration span) {
    now += span;
    r.tick(now);
  }

  Instant now{Duration(100s)};
  ListedCheck check;
  Script script;
};

TEST_F(RunnerTest, RunsAtItsIntervalWhateverARunTakes) {
  Runner r = runner();
  EXPECT_EQ(r.fd(), -1);
  tick(r, 0ms);
  EXPECT_EQ(r.fd(), 42);
  EXPECT_EQ(r.next(), now + 50ms);
  script.when_ready = Verdict{true, {}};
  now += 30ms;
  r.ready();
  EXPECT_EQ(r.fd(), -1);
  EXPECT_EQ(r.next(), now + 70ms);
  tick(r, 69ms);
  EXPECT_EQ(script.starts.size(), 1U);
  tick(r, 1ms);
  EXPECT_EQ(script.starts.size(), 2U);
  EXPECT_EQ(script.starts[1] - script.starts[0], Duration(100ms));
}

TEST_F(RunnerTest, ATimeoutIsAFailure) {
  Runner r = runner();
  tick(r, 0ms);
  tick(r, 49ms);
  EXPECT_EQ(script.given_up, 0);
  tick(r, 1ms);
  EXPECT_EQ(script.given_up, 1);
  tick(r, 50ms);
  tick(r, 50ms);
  EXPECT_FALSE(r.healthy());
  ASSERT_TRUE(r.due(now).has_value());
  EXPECT_FALSE(r.due(now)->healthy);
  EXPECT_EQ(r.due(now)->detail, "too late");
}

TEST_F(RunnerTest, AFailureAtOnceDoesNotSpin) {
  script.at_once = Verdict{false, "no route"};
  Runner r = runner();
  for (int i = 0; i < 100; ++i) r.tick(now);
  EXPECT_EQ(script.starts.size(), 1U);
  now += 10s;  // long asleep: one run, not a hundred
  for (int i = 0; i < 100; ++i) r.tick(now);
  EXPECT_EQ(script.starts.size(), 2U);
  EXPECT_GT(r.next(), now);
}

TEST_F(RunnerTest, NoRunWhileAKilledOneIsNotGone) {
  Runner r = runner();
  tick(r, 0ms);
  script.lingers = true;
  tick(r, 50ms);
  EXPECT_EQ(r.next(), Instant::max());
  EXPECT_EQ(r.fd(), 42);
  tick(r, 1000ms);
  EXPECT_EQ(script.starts.size(), 1U);
  script.lingers = false;
  r.ready();  // the end of the killed one is no verdict
  EXPECT_TRUE(r.healthy());
  tick(r, 0ms);
  EXPECT_EQ(script.starts.size(), 2U);
}

TEST_F(RunnerTest, ReportsTheFirstResultEachChangeAndNowAndThen) {
  check.spec.interval = 1s;
  Runner r = runner();
  EXPECT_FALSE(r.due(now).has_value());  // nothing is known yet
  script.at_once = Verdict{true, {}};
  tick(r, 0ms);
  ASSERT_TRUE(r.due(now).has_value());
  EXPECT_TRUE(r.due(now)->healthy);
  r.reported(now);
  EXPECT_FALSE(r.due(now).has_value());
  tick(r, 1s);
  EXPECT_FALSE(r.due(now).has_value());
  tick(r, 1s);
  EXPECT_TRUE(r.due(now).has_value());  // two intervals
  r.reported(now);
  script.at_once = Verdict{false, "no"};
  tick(r, 1s);
  EXPECT_FALSE(r.due(now).has_value());  // one failure is no fall
  tick(r, 1s);
  ASSERT_TRUE(r.due(now).has_value());
  EXPECT_FALSE(r.due(now)->healthy);
  r.reported(now);
  r.report_again();
  EXPECT_TRUE(r.due(now).has_value());
}

TEST_F(RunnerTest, BeginsWithWhatKoidThinks) {
  check.healthy = false;
  check.spec.rise = 2;
  script.at_once = Verdict{true, {}};
  Runner r = runner();
  tick(r, 0ms);
  EXPECT_FALSE(r.healthy());
  EXPECT_FALSE(r.due(now)->healthy);  // a start clears nothing
  tick(r, 100ms);
  EXPECT_TRUE(r.healthy());
}

}  // namespace
}  // namespace koi::agent::agent_runner_test
