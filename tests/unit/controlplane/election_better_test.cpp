#include <gtest/gtest.h>

#include "controlplane/election/step.h"
#include "tests/support/slot_rig.h"

/// Of several masters the best silences the others (C8.14).
namespace koi::election::election_better_test {
namespace {

using test::SlotRig;

SlotRig preempting() {
  SlotRig rig;
  rig.p.preempt = true;
  rig.become_backup();
  return rig;
}

/// Node 3 is better (advskew 0), node 1 worse (200): both have risen at once.
SlotRig between() {
  SlotRig rig = preempting();
  EXPECT_EQ(rig.hear_from(3, 1, 0), "");
  return rig;
}

// C8.14 kept
TEST(ElectionBetween, DoesNotRiseOverTheWorseOneWhileTheBetterIsHeard) {
  SlotRig rig = between();
  EXPECT_EQ(rig.hear(1, 200), "");
  EXPECT_EQ(rig.left(Timer::master_down_ipv4), rig.p.master_down());  // C8.12
  rig.now += rig.p.master_down() - 1us;
  EXPECT_EQ(rig.hear(1, 200), "");
  EXPECT_EQ(rig.s.role, Role::backup);
}

// C8.14 kept
TEST(ElectionBetween, NorBecauseTheWorseOneIsDemoted) {
  SlotRig rig = between();
  EXPECT_EQ(rig.hear(1, 0, 1), "");
  EXPECT_FALSE(rig.armed(Timer::takeover));
}

// C8.14 kept
TEST(ElectionBetween, TheBetterOneStaysTheMasterWhoseBowOutCounts) {
  SlotRig rig = between();
  rig.hear(1, 200);
  rig.hear_from(3, 255, 255);
  EXPECT_TRUE(rig.armed(Timer::takeover));
  EXPECT_EQ(rig.hear(1, 200), "Mag");  // C8.8: nobody better is left
}

// C8.14 refused
TEST(ElectionBetween, RisesWhereTheBetterOneIsNotHeardAnyMore) {
  SlotRig rig = between();
  rig.now += rig.p.master_down();
  EXPECT_EQ(rig.hear(1, 200), "Mag");
}

// C8.14 refused
TEST(ElectionBetween, RisesWhereTheBetterOneIsBetterNoMore) {
  SlotRig rig = between();
  EXPECT_EQ(rig.hear_from(3, 1, 150), "Mag");  // its advskew was changed
}

// C8.14 refused
TEST(ElectionBetween, OtherDialectsFollowWhatWasHeardLast) {
  SlotRig rig = preempting();
  rig.p.dialect = config::Dialect::openbsd;
  EXPECT_EQ(rig.hear_from(3, 1, 0), "");
  EXPECT_EQ(rig.hear(1, 200), "Mag");
}

}  // namespace
}  // namespace koi::election::election_better_test
