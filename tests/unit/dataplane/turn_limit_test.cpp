// L8: a driver that is slow gets fewer frames at once, so that a turn is no gap.
#include "dataplane/turn_limit.h"

#include <gtest/gtest.h>

namespace koi::dataplane::turn_limit_test {
namespace {

/// A machine that has enough to do: each frame takes the driver so long, and a turn sends as many
/// answers and frames of control's. Returns the longest of so many turns.
Duration longest_turn(TurnLimit& limit, Duration per_frame, int turns) {
  Instant now{1s};
  Duration longest{0};
  limit.begin_turn(now, false);
  for (int i = 0; i < turns; ++i) {
    const Duration took = 2 * limit.most() * per_frame;
    longest = std::max(longest, took);
    now += took;
    limit.begin_turn(now, true);
  }
  return longest;
}

TEST(TurnLimit, AQuickDriverHasTheMostAfterTwoTurns) {
  TurnLimit limit;
  EXPECT_LT(longest_turn(limit, 100ns, 2), 20us);
  EXPECT_EQ(limit.most(), TurnLimit::kMost);
  longest_turn(limit, 100ns, 100);
  EXPECT_EQ(limit.most(), TurnLimit::kMost);
}

TEST(TurnLimit, L8_NoTurnOfASlowDriverIsAGap) {
  for (const Duration per_frame : {8us, 16us, 30us}) {
    TurnLimit limit;
    EXPECT_LT(longest_turn(limit, per_frame, 100), 1ms) << per_frame.count();
    EXPECT_GE(limit.most(), TurnLimit::kLeast);
  }
}

/// As when a bridge gets more ports: the first turns are too long, no later one is.
TEST(TurnLimit, L8_ADriverThatBecomesSlowGetsLess) {
  TurnLimit limit;
  longest_turn(limit, 100ns, 10);
  Instant now{2s};
  limit.begin_turn(now, true);
  for (int turn = 0; turn < 100; ++turn) {
    const Duration took = 2 * limit.most() * 30us;
    now += took;
    limit.begin_turn(now, true);
    if (turn >= 3) {
      EXPECT_LT(took, 1ms) << turn;
    }
  }
}

TEST(TurnLimit, OnePauseIsSoonForgottenAndRestBeginsAnew) {
  TurnLimit limit;
  longest_turn(limit, 100ns, 10);
  limit.begin_turn(Instant(2s), true);
  EXPECT_EQ(limit.most(), TurnLimit::kMost / 2);
  limit.begin_turn(Instant(2s) + 10us, true);
  EXPECT_EQ(limit.most(), TurnLimit::kMost);
  limit.begin_turn(Instant(2s) + 20us, false);
  EXPECT_EQ(limit.most(), TurnLimit::kFirst);
}

}  // namespace
}  // namespace koi::dataplane::turn_limit_test
