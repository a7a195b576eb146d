#include "controlplane/app/watchdog.h"

#include <memory>
#include <string>

#include <gtest/gtest.h>

namespace koi::app {
namespace {

/// Two workers; told every second.
class WatchdogTest : public ::testing::Test {
 protected:
  void poll(unsigned worker) {
    board->worker(WorkerIndex(static_cast<std::uint8_t>(worker)))
        .polled.store(now.time_since_epoch().count());
  }
  /// Ten looks a second for so long, with these of them alive; returns what it said.
  std::string run(Duration time, bool first, bool second, bool with_control = true) {
    std::string said;
    for (const Instant end = now + time; now < end; now += 100ms) {
      if (first) poll(0);
      if (second) poll(1);
      if (with_control) control = now;
      said += watchdog.update(now, *board, control);
    }
    return said;
  }

  std::unique_ptr<SlotBoard> board = std::make_unique<SlotBoard>();
  Instant now{100s};
  Instant control{};
  int told = 0;
  Watchdog watchdog{2, 3s, now, [this] { ++told; }};
};

TEST_F(WatchdogTest, IsToldThreeTimesInItsTimeWhileAllTurn) {
  EXPECT_EQ(run(9s, true, true), "");
  EXPECT_EQ(told, 9);
}

TEST_F(WatchdogTest, IsWithheldWhenOneWorkerHasHungForTenSeconds) {
  run(1s, true, true);
  EXPECT_EQ(run(10s, true, false), "");
  EXPECT_EQ(told, 11);
  EXPECT_EQ(run(20s, true, false), "worker 1 hangs");
  EXPECT_EQ(told, 11);
}

TEST_F(WatchdogTest, IsWithheldAtOnceWhenAllWorkersHang) {
  run(1s, true, true);
  EXPECT_EQ(run(20s, false, false), "all workers hang");
  EXPECT_LE(told, 2);
}

TEST_F(WatchdogTest, IsWithheldWhenControlHasHungForTenSeconds) {
  run(1s, true, true);
  EXPECT_EQ(run(10s, true, true, false), "");
  EXPECT_EQ(run(20s, true, true, false), "control hangs");
  EXPECT_EQ(told, 11);
}

TEST_F(WatchdogTest, GoesOnWhenTheHangIsOver) {
  run(1s, true, true);
  EXPECT_EQ(run(5s, false, false), "all workers hang");
  const int before = told;
  EXPECT_EQ(run(3s, true, true), "");
  EXPECT_EQ(told, before + 3);
  EXPECT_EQ(run(5s, false, false), "all workers hang") << "and says it again";
}

TEST_F(WatchdogTest, AThreadThatHasNotBegunYetHasItsTime) {
  EXPECT_EQ(run(800ms, false, false, false), "");
  EXPECT_EQ(run(12s, true, false, false), "worker 1 hangs");
}

TEST_F(WatchdogTest, TellsNothingWhereThereIsNone) {
  Watchdog none(2, Duration::zero(), now, [] { FAIL(); });
  for (int i = 0; i < 100; ++i, now += 1s) EXPECT_EQ(none.update(now, *board, control), "");
}

}  // namespace
}  // namespace koi::app
