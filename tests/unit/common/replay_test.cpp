#include "common/auth/replay.h"

#include <gtest/gtest.h>

namespace koi::auth::replay_test {
namespace {

using Result = ReplayGuard::Result;

constexpr NodeId kOwn{11};
constexpr NodeId kPeer{12};
constexpr std::uint64_t kOwnHighest = 500 * 4096 + 11;

class ReplayTest : public ::testing::Test {
 protected:
  Result hear(std::uint64_t sequence, NodeId node = kPeer, Family family = Family::ipv4) {
    return guard.check(make_counter(sequence, node), family, kOwn, kOwnHighest);
  }
  Result hear6(std::uint64_t sequence) { return hear(sequence, kPeer, Family::ipv6); }
  ReplayGuard guard;
};

// C6.1 kept
TEST(ReplayCounter, SequenceAboveTwelveBitsOfNode) {
  EXPECT_EQ(make_counter(1, NodeId(0)), 4096U);
  EXPECT_EQ(make_counter(0, NodeId(4095)), 4095U);
  EXPECT_EQ(make_counter((1ULL << 52) - 1, NodeId(4095)), UINT64_MAX);
  EXPECT_EQ(node_of(UINT64_MAX), NodeId(4095));
  EXPECT_EQ(node_of(0x1234'5678'9abc'def0), NodeId(0xef0));
}

// C6.3 kept, C6.1 refused, C6.3 refused
TEST_F(ReplayTest, OnlyGrowingIsFresh) {
  EXPECT_EQ(hear(100), Result::fresh);
  EXPECT_EQ(hear(100), Result::replayed);
  EXPECT_EQ(hear(99), Result::replayed);
  EXPECT_EQ(hear(1), Result::replayed);
  EXPECT_EQ(hear(101), Result::fresh);
  EXPECT_EQ(hear((1ULL << 52) - 1), Result::fresh);
  EXPECT_EQ(hear((1ULL << 52) - 2), Result::replayed);
}

// C6.3 kept
TEST_F(ReplayTest, FamiliesOfOneTickMayOvertakeEachOther) {
  EXPECT_EQ(hear6(101), Result::fresh);
  EXPECT_EQ(hear(100), Result::fresh);  // the first one ever of this family
  EXPECT_EQ(hear6(103), Result::fresh);
  EXPECT_EQ(hear(102), Result::fresh);
  EXPECT_EQ(hear(105), Result::fresh);  // either one
  EXPECT_EQ(hear6(104), Result::fresh);
}

// C6.3 refused
TEST_F(ReplayTest, OtherHalfOfThePairComesOnceAndInTheOtherFamily) {
  EXPECT_EQ(hear6(101), Result::fresh);
  EXPECT_EQ(hear6(100), Result::replayed);  // in the same family nothing overtakes
  EXPECT_EQ(hear(100), Result::fresh);
  EXPECT_EQ(hear(100), Result::replayed);
  EXPECT_EQ(hear6(100), Result::replayed);
  EXPECT_EQ(hear(101), Result::replayed);  // what was heard in one family is a replay in the other
  EXPECT_EQ(hear(102), Result::fresh);
  EXPECT_EQ(hear6(101), Result::replayed);  // heard before
  EXPECT_EQ(hear(104), Result::fresh);
  EXPECT_EQ(hear6(102), Result::replayed);  // a tick ago
}

// C6.6 kept
TEST_F(ReplayTest, RefusedMovesNothing) {
  EXPECT_EQ(hear(100), Result::fresh);
  EXPECT_EQ(hear(50), Result::replayed);
  EXPECT_EQ(hear(100), Result::replayed);
  EXPECT_EQ(hear(1000, kOwn), Result::node_id);
  EXPECT_EQ(hear(101), Result::fresh);
}

// C6.3 kept, C6.4 kept, C6.3 refused
TEST_F(ReplayTest, EachSenderForItself) {
  EXPECT_EQ(hear(100, NodeId(1)), Result::fresh);
  EXPECT_EQ(hear(5, NodeId(2)), Result::fresh);
  EXPECT_EQ(hear(50, NodeId(1)), Result::replayed);
  EXPECT_EQ(hear(6, NodeId(2)), Result::fresh);
  EXPECT_EQ(hear(1, NodeId(0)), Result::fresh);
  EXPECT_EQ(hear(1, NodeId(0)), Result::replayed);
  EXPECT_EQ(hear(1, NodeId(4095)), Result::fresh);
  EXPECT_EQ(hear(1, NodeId(4095)), Result::replayed);
}

// C6.5 kept, C6.4 refused, C6.5 refused
TEST_F(ReplayTest, OwnRangeToTheBoundary) {
  EXPECT_EQ(hear(1, kOwn), Result::own);
  EXPECT_EQ(hear(500, kOwn), Result::own);
  EXPECT_EQ(hear(501, kOwn), Result::node_id);
  EXPECT_EQ(hear(500, kOwn), Result::own);  // and nothing of it is remembered
}

TEST_F(ReplayTest, BeforeWeSentAnythingOurRangeIsAnothers) {
  EXPECT_EQ(guard.check(make_counter(1, kOwn), Family::ipv4, kOwn, 0), Result::node_id);
}

// C6.7 kept
TEST_F(ReplayTest, EightSendersAreRemembered) {
  for (std::uint16_t node = 100; node < 108; ++node) {
    EXPECT_EQ(hear(1000U + node, NodeId(node)), Result::fresh);
  }
  for (std::uint16_t node = 100; node < 108; ++node) {
    EXPECT_EQ(hear(1000U + node, NodeId(node)), Result::replayed);
  }
}

// C6.7 kept
TEST_F(ReplayTest, NinthSenderTakesTheLowestsPlace) {
  for (std::uint16_t node = 100; node < 108; ++node) hear(1000U + node, NodeId(node));
  EXPECT_EQ(hear(2000, NodeId(200)), Result::fresh);
  EXPECT_EQ(hear(2000, NodeId(200)), Result::replayed);
  for (std::uint16_t node = 101; node < 108; ++node) {
    EXPECT_EQ(hear(1000U + node, NodeId(node)), Result::replayed) << node;
  }
  EXPECT_EQ(hear(1100, NodeId(100)), Result::fresh);  // forgotten
}

}  // namespace
}  // namespace koi::auth::replay_test
