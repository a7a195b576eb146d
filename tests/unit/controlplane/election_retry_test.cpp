#include <algorithm>

#include <gtest/gtest.h>

#include "controlplane/election/step.h"
#include "tests/support/slot_rig.h"

/// A promotion whose first advertisement did not leave in time (L4) is tried again (C7.11).
namespace koi::election::election_retry_test {
namespace {

using test::SlotRig;

/// 1, 2, 4 ... ms, and no more than a master-down time: a NIC that takes nothing is not asked for
/// ever.
// C7.11 kept
TEST(ElectionRetry, L4IsSoonAndLaterEachTime) {
  SlotRig rig;
  rig.become_master();
  Duration expected = 1ms;
  for (int i = 0; i < 20; ++i) {
    rig.now += 1ms;
    EXPECT_EQ(rig.feed(LeaseExpired{.earned = false}), "B");
    EXPECT_EQ(rig.left(Timer::master_down_ipv4), std::min(expected, rig.p.master_down()));
    EXPECT_FALSE(rig.s.stepping_down);
    EXPECT_EQ(rig.due(Timer::master_down_ipv4), "Mag");
    expected *= 2;
  }
  rig.now += 10s;
  EXPECT_EQ(rig.feed(LeaseExpired{.earned = true}), "B");
  EXPECT_EQ(rig.left(Timer::master_down_ipv4), rig.p.master_down());
  rig.due(Timer::master_down_ipv4);
  rig.feed(LeaseExpired{.earned = false});
  EXPECT_EQ(rig.left(Timer::master_down_ipv4), 1ms);
}

// C7.11 kept
TEST(ElectionRetry, L4EndsWithAnAdvertisement) {
  SlotRig rig;
  rig.become_master();
  rig.feed(LeaseExpired{.earned = false});
  EXPECT_EQ(rig.hear(1, 200), "");
  EXPECT_EQ(rig.left(Timer::master_down_ipv4), rig.p.master_down());
  rig.due(Timer::master_down_ipv4);
  rig.feed(LeaseExpired{.earned = false});
  EXPECT_EQ(rig.left(Timer::master_down_ipv4), 1ms);  // from the start
}

/// Another one rose at the same time, and its advertisement got through.
// C7.11 kept
TEST(ElectionRetry, L4IsNoneAfterOneThatWasHeardAsMaster) {
  SlotRig rig;
  rig.become_master();
  rig.now += 500us;
  rig.hear(1, 200);  // worse
  rig.now += 500us;
  EXPECT_EQ(rig.feed(LeaseExpired{.earned = false}), "B");
  EXPECT_EQ(rig.left(Timer::master_down_ipv4), rig.p.master_down());
}

// C7.11 kept
TEST(ElectionRetry, L4ABowOutStillCounts) {
  SlotRig rig;
  rig.become_backup();
  rig.hear(1, 0);
  rig.hear(255, 255);
  EXPECT_EQ(rig.due(Timer::takeover), "Mag");
  EXPECT_EQ(rig.s.cause, Cause::bow_out);
  EXPECT_EQ(rig.feed(LeaseExpired{.earned = false}), "B");
  EXPECT_EQ(rig.left(Timer::takeover), 1ms);
  EXPECT_EQ(rig.left(Timer::master_down_ipv4), rig.p.master_down());
  EXPECT_EQ(rig.due(Timer::takeover), "Mag");
  EXPECT_EQ(rig.s.cause, Cause::bow_out);
}

// C7.7 kept
TEST(ElectionRetry, L4APreemptWaitsForTheMaster) {
  SlotRig rig;
  rig.p.preempt = true;
  rig.become_backup();
  EXPECT_EQ(rig.hear(1, 200), "Mag");
  EXPECT_EQ(rig.s.cause, Cause::preempt);
  EXPECT_EQ(rig.feed(LeaseExpired{.earned = false}), "B");
  EXPECT_EQ(rig.left(Timer::master_down_ipv4), rig.p.master_down());
  EXPECT_FALSE(rig.armed(Timer::takeover));
}

}  // namespace
}  // namespace koi::election::election_retry_test
