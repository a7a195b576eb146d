// L9: `emptied`, the moment as of which everything that was waiting has been handled.
#include "dataplane/drain.h"

#include <gtest/gtest.h>

#include "tests/unit/dataplane/two_workers.h"

namespace koi::dataplane {
namespace {

constexpr std::uint32_t kDeepest = DrainTracker::kDeepestQueue;
constexpr Instant kPoll = kStart;

TEST(DrainTracker, L9_OneQueueEmptiedAtOnce) {
  DrainTracker drain(1);
  drain.begin_poll(kPoll);
  EXPECT_FALSE(drain.end_poll());
  drain.took(0, 0);
  EXPECT_EQ(drain.end_poll(), kPoll);
}

TEST(DrainTracker, L9_StartOfThePollFromWhichAllQueuesWereEmptied) {
  DrainTracker drain(2);
  drain.begin_poll(kPoll);
  drain.took(0, 0);
  drain.took(1, 64);
  EXPECT_FALSE(drain.end_poll());
  drain.begin_poll(kPoll + 10us);
  drain.took(0, 64);  // what came later does not matter
  drain.took(1, 64);
  EXPECT_FALSE(drain.end_poll());
  drain.begin_poll(kPoll + 20us);
  drain.took(0, 64);
  drain.took(1, 0);
  EXPECT_EQ(drain.end_poll(), kPoll);
  drain.begin_poll(kPoll + 30us);
  drain.took(0, 0);
  EXPECT_FALSE(drain.end_poll());
  drain.took(1, 0);
  EXPECT_EQ(drain.end_poll(), kPoll + 30us);
}

TEST(DrainTracker, L9_AShortBurstIsNoEmptyQueue) {
  DrainTracker drain(1);
  drain.begin_poll(kPoll);
  drain.took(0, 3);  // some drivers stop at the end of a cache line of descriptors
  EXPECT_FALSE(drain.end_poll());
  drain.begin_poll(kPoll + 1us);
  drain.took(0, 0);
  EXPECT_EQ(drain.end_poll(), kPoll);
}

TEST(DrainTracker, L9_UnderAFloodAfterAsManyAsAQueueCanHold) {
  EXPECT_EQ(kDeepest, 8192U);
  DrainTracker drain(1);
  Instant at = kPoll;
  for (std::uint32_t taken = 0; taken < kDeepest; taken += 64, at += 2us) {
    drain.begin_poll(at);
    EXPECT_FALSE(drain.end_poll()) << taken;
    drain.took(0, 64);
  }
  EXPECT_EQ(drain.end_poll(), kPoll);
  drain.begin_poll(at);
  EXPECT_FALSE(drain.end_poll());
}

TEST(DrainTracker, L9_UnderAFloodOneFrameLessIsNotEnough) {
  DrainTracker drain(1);
  drain.begin_poll(kPoll);
  drain.took(0, kDeepest - 1);
  EXPECT_FALSE(drain.end_poll());
  drain.took(0, 1);
  EXPECT_EQ(drain.end_poll(), kPoll);
}

TEST(DrainTracker, L9_UnderAFloodEachQueueCountsForItself) {
  DrainTracker drain(3);
  drain.begin_poll(kPoll);
  drain.took(0, kDeepest + 5);
  drain.took(1, kDeepest);
  drain.took(1, kDeepest);
  drain.took(2, kDeepest - 1);
  EXPECT_FALSE(drain.end_poll());
  drain.took(2, 0);
  EXPECT_EQ(drain.end_poll(), kPoll);
}

TEST(DrainTracker, L9_EveryQueueOfAWorker) {
  DrainTracker drain(kMaxPorts);
  drain.begin_poll(kPoll);
  for (std::size_t q = 0; q < kMaxPorts; ++q) {
    EXPECT_FALSE(drain.end_poll());
    drain.took(q, 0);
  }
  EXPECT_TRUE(drain.end_poll());
}

class Emptied : public LeaseTest {};

TEST_F(Emptied, L9_IsPublished) { EXPECT_EQ(board->emptied(kFirst), kStart); }

TEST_F(Emptied, L9_NotWhileMoreIsWaiting) {
  for (int i = 0; i < 10; ++i) {
    now += 500us;
    first.begin_poll(now);
    first.end_poll(std::nullopt);
    EXPECT_EQ(board->emptied(kFirst), kStart);
  }
}

TEST_F(Emptied, L9_NotBeforeThePollIsOver) {
  now += 500us;
  first.begin_poll(now);
  EXPECT_EQ(board->emptied(kFirst), kStart);
  first.end_poll(now);
  EXPECT_EQ(board->emptied(kFirst), now);
}

TEST_F(Emptied, L9_IsTheDrainedMomentAndNotTheLastPoll) {
  const Instant began = now + 500us;
  first.begin_poll(began);
  first.end_poll(std::nullopt);
  first.begin_poll(began + 300us);
  first.end_poll(began);
  EXPECT_EQ(board->emptied(kFirst), began);
}

TEST_F(Emptied, L9_OftenEnough) {
  for (int i = 0; i < 1000; ++i) {
    poll_both(7us);
    EXPECT_LE(now - board->emptied(kFirst), 100us);
  }
}

TEST_F(Emptied, L9_AtOnceAfterAGap) {
  now += 2ms;
  first.begin_poll(now);
  first.end_poll(now - 2ms);
  EXPECT_LT(board->emptied(kFirst), now);
  first.end_poll(now);
  EXPECT_EQ(board->emptied(kFirst), now);
}

// The two together, as the worker's loop calls them, through a gap and a flood.
TEST_F(Emptied, L9_ThroughAGapUnderAFlood) {
  DrainTracker drain(1);
  now += 20ms;
  const Instant gap_end = now;
  for (std::uint32_t taken = 0; taken < kDeepest; taken += 64) {
    EXPECT_EQ(board->emptied(kFirst), kStart);
    first.begin_poll(now);
    drain.begin_poll(now);
    drain.took(0, 64);
    EXPECT_TRUE(first.in_gap());
    first.end_poll(drain.end_poll());
    now += 2us;
  }
  EXPECT_EQ(board->emptied(kFirst), gap_end);
  EXPECT_FALSE(first.in_gap());
}

}  // namespace
}  // namespace koi::dataplane
