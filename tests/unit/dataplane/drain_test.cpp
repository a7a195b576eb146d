// L9: `emptied`, the moment as of which everything that was waiting has been handled.
#include "dataplane/drain.h"

#include <vector>

#include <gtest/gtest.h>

#include "tests/unit/dataplane/two_workers.h"

namespace koi::dataplane::drain_test {
namespace {

constexpr std::uint32_t kRoom = 1024;
constexpr Instant kPoll = kStart;

/// With so many queues of kRoom frames each.
DrainTracker tracker(std::size_t queues) {
  DrainTracker drain;
  for (std::size_t q = 0; q < queues; ++q) drain.add_queue(kRoom);
  return drain;
}

TEST(DrainTracker, L9_OneQueueEmptiedAtOnce) {
  DrainTracker drain = tracker(1);
  drain.begin_poll(kPoll);
  EXPECT_EQ(drain.drained(), Instant{});
  drain.took(0, 0, true);
  EXPECT_EQ(drain.drained(), kPoll);
}

TEST(DrainTracker, L9_WithoutAQueueNothingWaits) {
  DrainTracker drain = tracker(0);
  drain.begin_poll(kPoll);
  EXPECT_EQ(drain.drained(), kPoll);
}

TEST(DrainTracker, L9_EarliestPollThatFoundOneOfTheQueuesEmpty) {
  DrainTracker drain = tracker(2);
  drain.begin_poll(kPoll);
  drain.took(0, 0, true);
  drain.took(1, 64, false);
  EXPECT_EQ(drain.drained(), Instant{});
  drain.begin_poll(kPoll + 10us);
  drain.took(0, 64, false);  // what came later does not matter
  drain.took(1, 0, true);
  EXPECT_EQ(drain.drained(), kPoll);
  drain.begin_poll(kPoll + 20us);
  drain.took(0, 0, true);
  drain.took(1, 64, false);
  EXPECT_EQ(drain.drained(), kPoll + 10us);
  drain.begin_poll(kPoll + 30us);
  drain.took(0, 0, true);
  drain.took(1, 0, true);
  EXPECT_EQ(drain.drained(), kPoll + 30us);
}

TEST(DrainTracker, L9_APollMayTakeFramesAndThenFindNoMore) {
  DrainTracker drain = tracker(1);
  drain.begin_poll(kPoll);
  drain.took(0, 3, false);
  EXPECT_EQ(drain.drained(), Instant{});
  drain.begin_poll(kPoll + 1us);
  drain.took(0, 3, true);
  EXPECT_EQ(drain.drained(), kPoll + 1us);
}

TEST(DrainTracker, L9_UnderAFloodOneFrameLessThanFitsInIsNotEnough) {
  DrainTracker drain = tracker(1);
  drain.begin_poll(kPoll);
  drain.took(0, 0, true);
  drain.begin_poll(kPoll + 1us);  // from here on it is full
  drain.took(0, kRoom / 2, false);
  drain.begin_poll(kPoll + 2us);
  drain.took(0, kRoom / 2, false);
  drain.begin_poll(kPoll + 3us);
  drain.took(0, kRoom / 2 - 1, false);
  EXPECT_EQ(drain.drained(), kPoll);
  drain.begin_poll(kPoll + 4us);
  drain.took(0, 1, false);
  EXPECT_EQ(drain.drained(), kPoll + 1us);
}

/// Against a model of a queue that is always full: of the frames that were in it when a poll began,
/// the last one must have been taken before that poll counts, and half as many again are enough.
void check_full_queue(std::uint32_t burst) {
  DrainTracker drain = tracker(1);
  std::vector<std::uint64_t> last_waiting;  // of each poll: the number of the last frame then
  std::uint64_t taken = 0;
  for (std::size_t poll = 0; poll < 500; ++poll) {
    const Instant now = kPoll + static_cast<std::int64_t>(poll) * 1us;
    drain.begin_poll(now);
    last_waiting.push_back(taken + kRoom);
    taken += burst;
    drain.took(0, burst, false);
    if (drain.drained() == Instant{}) {
      ASSERT_LT(taken, 2 * kRoom + 3 * burst);
      continue;
    }
    const auto since = static_cast<std::size_t>((drain.drained() - kPoll) / 1us);
    ASSERT_LE(last_waiting[since], taken) << "poll " << poll;
    ASSERT_LE(taken - last_waiting[since], kRoom / 2 + 3 * burst) << "poll " << poll;
  }
  EXPECT_GT(drain.drained(), kPoll);
}

TEST(DrainTracker, L9_UnderAFloodOnceAsManyWereTakenAsFitIn) {
  for (const std::uint32_t burst : {16U, 32U, 37U, 64U, kRoom / 2, kRoom}) check_full_queue(burst);
}

TEST(DrainTracker, L9_UnderAFloodEachQueueCountsForItself) {
  DrainTracker drain = tracker(2);
  drain.begin_poll(kPoll);
  drain.took(0, 0, true);
  drain.took(1, 0, true);
  for (std::uint32_t taken = 0; taken < 10 * kRoom; taken += 64) {
    drain.begin_poll(kPoll + 1ms);
    drain.took(0, 64, false);
    drain.took(1, 1, taken >= kRoom);
    if (taken < kRoom) EXPECT_EQ(drain.drained(), kPoll);
  }
  EXPECT_EQ(drain.drained(), kPoll + 1ms);
}

TEST(DrainTracker, L9_RoomsMayDiffer) {
  DrainTracker drain;
  drain.add_queue(64);
  drain.add_queue(4096);
  drain.begin_poll(kPoll);
  for (std::uint32_t taken = 0; taken < 4096 + 2048; taken += 64) {
    EXPECT_EQ(drain.drained(), Instant{});
    drain.took(0, 64, false);
    drain.took(1, 64, false);
  }
  EXPECT_EQ(drain.drained(), kPoll);
}

TEST(DrainTracker, L9_EveryQueueOfAWorker) {
  DrainTracker drain = tracker(kMaxPorts);
  drain.begin_poll(kPoll);
  for (std::size_t q = 0; q < kMaxPorts; ++q) {
    EXPECT_EQ(drain.drained(), Instant{});
    drain.took(q, 0, true);
  }
  EXPECT_EQ(drain.drained(), kPoll);
}

class Emptied : public LeaseTest {};

TEST_F(Emptied, L9_IsPublished) { EXPECT_EQ(board->emptied(kFirst), kStart); }

TEST_F(Emptied, L9_NotWhileMoreIsWaiting) {
  for (int i = 0; i < 10; ++i) {
    now += 500us;
    first.begin_poll(now);
    first.end_poll(kStart);
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
  first.end_poll(kStart);
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
  DrainTracker drain = tracker(1);
  drain.begin_poll(now);
  drain.took(0, 0, true);
  now += 20ms;
  const Instant gap_end = now;
  std::uint32_t taken = 0;
  for (; board->emptied(kFirst) == kStart; taken += 64) {
    EXPECT_LE(taken, kRoom * 3 / 2);
    first.begin_poll(now);
    drain.begin_poll(now);
    drain.took(0, 64, false);
    EXPECT_TRUE(first.in_gap());
    first.end_poll(drain.drained());
    now += 2us;
  }
  EXPECT_GT(taken, kRoom);
  EXPECT_GE(board->emptied(kFirst), gap_end);
  EXPECT_FALSE(first.in_gap());
}

}  // namespace
}  // namespace koi::dataplane::drain_test
