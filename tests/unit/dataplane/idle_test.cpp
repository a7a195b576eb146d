// What a worker does between two turns (`idle`).
#include "dataplane/idle.h"

#include <gtest/gtest.h>

#include "dataplane/lease.h"

namespace koi::dataplane::idle_test {
namespace {

using Step = Idle::Step;
using Kind = Idle::Kind;
constexpr Instant kStart{1s};
constexpr Duration kTurn = 1us;

/// A worker on paper: turns take a microsecond, sleeps what they are to.
class Paper {
 public:
  explicit Paper(Kind kind) : idle(kind) {}

  Step turn(bool busy) {
    const Step step = idle.next(busy, now);
    now += kTurn;
    if (step == Step::nap) rest(Idle::kNap);
    if (step == Step::wait && !calls) rest(Idle::kLongestWait);
    if (step == Step::wait && calls) idle.called(now);
    return step;
  }
  /// Empty turns until one ends with this step. Returns how long that took; no longer than a
  /// second.
  Duration until(Step wanted) {
    const Instant from = now;
    while (turn(false) != wanted && now - from < 1s) {
    }
    return now - from;
  }

  Idle idle;
  Instant now = kStart;
  bool calls = false;  // a wait ends at once

 private:
  void rest(Duration time) {
    now += time;
    idle.rested(now);
  }
};

TEST(Idle, PollNeverSleeps) {
  Paper worker(Kind::poll);
  for (int i = 0; i < 100'000; ++i) ASSERT_EQ(worker.turn(false), Step::pause);
  for (int i = 0; i < 100'000; ++i) ASSERT_EQ(worker.turn(true), Step::again);
  EXPECT_FALSE(worker.idle.sleeps());
}

TEST(Idle, NapsAfterSomeEmptyTurns) {
  Paper worker(Kind::naps);
  worker.turn(true);  // nap: it has run for long
  EXPECT_EQ(worker.turn(true), Step::again);
  for (unsigned i = 1; i < Idle::kBusyTurns; ++i) ASSERT_EQ(worker.turn(false), Step::pause);
  EXPECT_EQ(worker.turn(false), Step::nap);
  EXPECT_EQ(worker.turn(false), Step::nap);  // and after it at once
  EXPECT_EQ(worker.turn(true), Step::again);
}

TEST(Idle, NapsUnderLoadNowAndThen) {
  for (const Kind kind : {Kind::naps, Kind::interrupts}) {
    Paper worker(kind);
    worker.turn(true);
    const Instant from = worker.now;
    while (worker.turn(true) == Step::again) ASSERT_LT(worker.now - from, 1s);
    EXPECT_EQ(worker.now - from, Idle::kLongestRun + kTurn + Idle::kNap);
  }
}

TEST(Idle, WithoutInterruptsItNeverWaits) {
  Paper worker(Kind::naps);
  EXPECT_GE(worker.until(Step::arm), 1s);
}

TEST(Idle, WaitsAfterTenMillisecondsOfQuiet) {
  Paper worker(Kind::interrupts);
  worker.turn(true);  // nap: it has run for long
  worker.turn(true);
  const Duration quiet = worker.until(Step::arm);
  EXPECT_GE(quiet, Idle::kQuiet - kTurn);
  EXPECT_LE(quiet, Idle::kQuiet + Idle::kNap + Idle::kBusyTurns * kTurn);
  // Armed once, and a turn between arming and waiting.
  for (int i = 0; i < 10; ++i) ASSERT_EQ(worker.turn(false), Step::wait);
}

TEST(Idle, WhatTheTurnAfterArmingFindsIsNotWaitedFor) {
  Paper worker(Kind::interrupts);
  worker.turn(true);
  worker.until(Step::arm);
  EXPECT_EQ(worker.turn(true), Step::disarm);
  EXPECT_EQ(worker.turn(true), Step::again);
  EXPECT_GE(worker.until(Step::arm), Idle::kQuiet - 2 * kTurn);
}

TEST(Idle, WhatTheTurnAfterALongWaitFindsEndsIt) {
  Paper worker(Kind::interrupts);
  worker.until(Step::wait);
  EXPECT_EQ(worker.turn(true), Step::disarm);
  EXPECT_EQ(worker.turn(true), Step::again);
}

TEST(Idle, PollsOnceCalledAndNapsForAWhile) {
  Paper worker(Kind::interrupts);
  worker.until(Step::arm);
  worker.calls = true;
  ASSERT_EQ(worker.turn(false), Step::wait);
  EXPECT_EQ(worker.turn(false), Step::pause);  // net_tap's frame may not be there yet
  const Instant called = worker.now;
  worker.until(Step::nap);
  EXPECT_LE(worker.now - called, Idle::kBusyTurns * kTurn + Idle::kNap);
  worker.until(Step::arm);
  EXPECT_GE(worker.now - called, Idle::kQuiet - 2 * kTurn);
}

TEST(Idle, NapsOnceTheDriverRefuses) {
  Paper worker(Kind::interrupts);
  worker.until(Step::arm);
  worker.idle.no_interrupts();
  EXPECT_EQ(worker.turn(false), Step::nap);
  EXPECT_GE(worker.until(Step::arm), 1s);
}

TEST(Idle, L8_AWaitLeavesHalfOfTheToleranceForWakingUpLate) {
  EXPECT_LE(2 * Idle::kLongestWait, WorkerLease::kTolerance);
}

}  // namespace
}  // namespace koi::dataplane::idle_test
