#include <algorithm>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "controlplane/election/step.h"
#include "tests/support/slot_rig.h"

namespace koi::election::election_test {
namespace {

using test::SlotRig;

// ---- every role with every event ----------------------------------------------------------------

enum class Start { init, backup, master, stepping_down };

SlotRig started(Start start) {
  SlotRig rig;
  if (start == Start::backup) rig.become_backup();
  if (start == Start::master || start == Start::stepping_down) rig.become_master();
  if (start == Start::stepping_down) rig.feed(StepDown{Cause::shutdown});
  rig.now += 1ms;
  return rig;
}

VerifiedAdvert heard(unsigned advbase, unsigned advskew, unsigned demote = 0) {
  return SlotRig{}.advert(advbase, advskew, demote);
}

/// Ours is advbase 1, advskew 100.
struct Cell {
  std::string_view name;
  Event event;
  std::string_view init, backup, master, stepping_down;  // what it comes to
};

const std::vector<Cell>& table() {
  static const std::vector<Cell> cells = {
      {"better", heard(1, 0), "", "", "B", ""},
      {"worse", heard(1, 200), "", "", "ag", ""},
      {"better, demoted", heard(1, 0, 1), "", "", "ag", ""},
      {"bow-out of a stranger", heard(255, 255), "", "!", "ag", "!"},
      {"refused", TransmitRefused{}, "", "", "", ""},
      {"advertisement due", TimerDue{Timer::advertisement}, "", "", "a", ""},
      {"master-down due", TimerDue{Timer::master_down_ipv4}, "", "Mag", "", "Mag"},
      {"takeover due", TimerDue{Timer::takeover}, "", "Mag", "", "Mag"},
      {"refresh due", TimerDue{Timer::refresh}, "", "", "g", ""},
      {"preempt due", TimerDue{Timer::preempt}, "", "Mag", "", "Mag"},
      {"reannounce due", TimerDue{Timer::reannounce}, "", "", "g", ""},
      {"master-down due, deaf", TimerDue{Timer::master_down_ipv4, true}, "", "p", "", "p"},
      {"listening", TimerDue{Timer::listen}, "", "", "", ""},
      {"listening, deaf", TimerDue{Timer::listen, true}, "", "p", "", "p"},
      {"link up", LinkUp{}, "B", "", "", ""},
      {"link down", LinkDown{}, "", "I", "I", "I"},
      {"demoted", DemotionChanged{1}, "", "", "B", ""},
      {"demotion unchanged", DemotionChanged{0}, "", "", "", ""},
      {"step down", StepDown{Cause::demoted}, "", "", "B", ""},
      {"workers silent", WorkersSilent{}, "", "", "", "o"},
      {"lease expired", LeaseExpired{}, "", "", "B", ""},
      {"frames lost", FramesLost{}, "", "", "B", ""},
      {"address claimed", ConflictSeen{ConflictKind::address_claim}, "!", "!", "!g", "!"},
      {"virtual MAC used", ConflictSeen{ConflictKind::virtual_mac}, "!", "!", "!g", "!"},
      {"VRRP heard", ConflictSeen{ConflictKind::vrrp}, "!", "!", "!", "!"},
      {"digest differs", ConflictSeen{ConflictKind::digest}, "!", "!", "!", "!"},
      {"trailer refused", ConflictSeen{ConflictKind::trailer}, "!", "!", "!", "!"},
      {"clock differs", ConflictSeen{ConflictKind::clock}, "!", "!", "!", "!"},
  };
  return cells;
}

// C8.1 kept, C8.7 kept, C8.13 kept, C8.7 refused
TEST(Election, EveryRoleWithEveryEvent) {
  for (const Cell& cell : table()) {
    SCOPED_TRACE(cell.name);
    EXPECT_EQ(started(Start::init).feed(cell.event), cell.init);
    EXPECT_EQ(started(Start::backup).feed(cell.event), cell.backup);
    EXPECT_EQ(started(Start::master).feed(cell.event), cell.master);
    EXPECT_EQ(started(Start::stepping_down).feed(cell.event), cell.stepping_down);
  }
}

TEST(Election, EveryEventOfTheVariantIsInTheTable) {
  std::vector<bool> seen(std::variant_size_v<Event>);
  for (const Cell& cell : table()) seen[cell.event.index()] = true;
  EXPECT_EQ(std::count(seen.begin(), seen.end(), false), 0);
}

TEST(Election, TimersRunOnlyWhereTheyMeanSomething) {
  for (const Cell& cell : table()) {
    for (const Start start : {Start::init, Start::backup, Start::master, Start::stepping_down}) {
      SCOPED_TRACE(cell.name);
      SlotRig rig = started(start);
      rig.feed(cell.event);
      EXPECT_EQ(rig.armed(Timer::master_down_ipv4), rig.s.role == Role::backup);
      EXPECT_FALSE(rig.armed(Timer::master_down_ipv6));
      // A timer brought by hand although it was not armed stays as it is; every other one goes on.
      const bool by_hand = std::holds_alternative<TimerDue>(cell.event);
      EXPECT_TRUE(by_hand || rig.armed(Timer::advertisement) == (rig.s.role == Role::master));
      EXPECT_TRUE(rig.s.role == Role::backup || !rig.armed(Timer::takeover));
      EXPECT_TRUE(rig.s.role == Role::backup || !rig.armed(Timer::preempt));
      EXPECT_TRUE(rig.s.role == Role::master || by_hand || !rig.armed(Timer::reannounce));
    }
  }
}

// ---- roles --------------------------------------------------------------------------------------

// C7.7 kept, C7.7 refused
TEST(Election, InitGoesToBackupAlwaysAndWaitsAFullMasterDown) {
  SlotRig rig;
  EXPECT_EQ(rig.feed(LinkUp{}), "B");
  EXPECT_EQ(rig.s.cause, Cause::link_up);
  EXPECT_EQ(rig.left(Timer::master_down_ipv4), master_down_interval(1, 100, 3));
  EXPECT_EQ(rig.due(Timer::master_down_ipv4), "Mag");
  EXPECT_EQ(rig.s.cause, Cause::master_down);
  EXPECT_EQ(rig.left(Timer::advertisement), send_interval(1, 100));
}

// C9.11 kept
TEST(Election, LinkDownForgetsTheMasterAndStopsEverything) {
  SlotRig rig;
  rig.become_backup();
  rig.hear(1, 0);
  EXPECT_TRUE(rig.s.master_known);
  EXPECT_EQ(rig.feed(LinkDown{}), "I");
  EXPECT_FALSE(rig.s.master_known);
  EXPECT_EQ(rig.s.timers, (State{}.timers));
  EXPECT_EQ(rig.feed(LinkUp{}), "B");
}

// C9.11 refused
TEST(Election, LinkDownWhileSteppingDownSendsNoBowOut) {
  SlotRig rig = started(Start::stepping_down);
  rig.feed(LinkDown{});
  EXPECT_EQ(rig.feed(WorkersSilent{}), "");
}

// C8.12 kept
TEST(Election, BackupRearmsItsTimerFromTheAdvertisement) {
  SlotRig rig;
  rig.become_backup();
  rig.now += 2s;
  EXPECT_EQ(rig.hear(1, 0), "");
  EXPECT_EQ(rig.left(Timer::master_down_ipv4), rig.p.master_down());
  EXPECT_EQ(rig.s.last_heard, rig.now);
  EXPECT_EQ(rig.s.master.address, IpAddress(Ipv4Address::from_u32(0xc0000201)));
  EXPECT_EQ(rig.s.master.advbase, 1);
}

// C8.9 kept
TEST(Election, BackupWithoutPreemptFollowsAWorseMaster) {
  SlotRig rig;
  rig.become_backup();
  EXPECT_EQ(rig.hear(1, 200), "");
  EXPECT_EQ(rig.s.role, Role::backup);
}

// C8.8 kept, C8.8 refused
TEST(Election, PreemptTakesItFromAWorseMasterOnly) {
  SlotRig rig;
  rig.p.preempt = true;
  rig.become_backup();
  EXPECT_EQ(rig.hear(1, 0), "");
  EXPECT_EQ(rig.hear(1, 100), "");  // equal: no preemption
  EXPECT_EQ(rig.hear(1, 101), "Mag");
  EXPECT_EQ(rig.s.cause, Cause::preempt);
}

// C8.8 refused
TEST(Election, PreemptNotWhileWeAreMoreDemoted) {
  SlotRig rig;
  rig.p.preempt = true;
  rig.become_backup();
  rig.feed(DemotionChanged{2});
  EXPECT_EQ(rig.hear(1, 200, 1), "");
  EXPECT_EQ(rig.s.role, Role::backup);
}

// ---- announcements and advertisements -----------------------------------------------------------

// C10.5 kept
TEST(Election, AnnouncesAgainAfterTwoAdvertisements) {
  SlotRig rig;
  rig.become_backup();
  EXPECT_EQ(rig.due(Timer::master_down_ipv4), "Mag");
  EXPECT_EQ(rig.due(Timer::advertisement), "a");
  EXPECT_EQ(rig.due(Timer::advertisement), "ag");
  for (int i = 0; i < 600; ++i) EXPECT_EQ(rig.due(Timer::advertisement), "a");
}

// C10.6 kept
TEST(Election, RefreshAnnouncesAtTheConfiguredInterval) {
  SlotRig rig;
  rig.p.announce_refresh = 30s;
  rig.become_master();
  EXPECT_EQ(rig.left(Timer::refresh), 30s);
  EXPECT_EQ(rig.due(Timer::refresh), "g");
  EXPECT_EQ(rig.left(Timer::refresh), 30s);
}

// C10.6 kept
TEST(Election, RefreshZeroIsNever) {
  SlotRig rig;
  rig.p.announce_refresh = 0s;
  rig.become_master();
  EXPECT_FALSE(rig.armed(Timer::refresh));
}

TEST(Election, L3RefusedAdvertisementIsTriedAgainSoon) {
  SlotRig rig;
  rig.become_master();
  EXPECT_EQ(rig.feed(TransmitRefused{}), "");
  EXPECT_EQ(rig.left(Timer::advertisement), 200us);
  rig.now += 100us;
  rig.feed(TransmitRefused{});  // does not push it back
  EXPECT_EQ(rig.left(Timer::advertisement), 100us);
  EXPECT_EQ(rig.due(Timer::advertisement), "a");
}

// ---- L5, L6, L8, L10 ----------------------------------------------------------------------------

// C7.10 kept
TEST(Election, L5SmallerAdvbaseIsRememberedAndRaised) {
  SlotRig rig;
  rig.p.advbase = 3;
  rig.become_backup();
  EXPECT_EQ(rig.hear(3, 0), "");
  EXPECT_EQ(rig.hear(2, 0), "!");
  EXPECT_EQ(rig.notice, Notice::advbase_differs);
  EXPECT_EQ(rig.hear(2, 0), "");  // once
  EXPECT_EQ(rig.hear(10, 0), "");
  EXPECT_EQ(rig.s.smallest_advbase, 2);
  EXPECT_EQ(lease_length(rig.p, rig.s), 5700ms);
  rig.feed(LinkDown{});
  rig.feed(LinkUp{});
  EXPECT_EQ(rig.s.smallest_advbase, 2);  // never forgotten while we run
}

TEST(Election, L5BowOutIsNoAdvbase) {
  SlotRig rig;
  rig.become_backup();
  rig.hear(255, 255);
  EXPECT_EQ(rig.s.smallest_advbase, 255);
}

// C7.10 kept
TEST(Election, L5AdvbaseZeroOfAForeignBoxShortensNothing) {
  SlotRig rig;
  rig.p.dialect = config::Dialect::ucarp;
  rig.become_backup();
  EXPECT_EQ(rig.hear(0, 0), "");
  EXPECT_EQ(lease_length(rig.p, rig.s), 2850ms);
}

// C7.7 kept, C7.9 refused
TEST(Election, L6ExpiredLeaseWaitsAFullMasterDown) {
  SlotRig rig;
  rig.become_master();
  rig.now += 10s;
  EXPECT_EQ(rig.feed(LeaseExpired{}), "B");
  EXPECT_EQ(rig.s.cause, Cause::lease_expired);
  EXPECT_EQ(rig.left(Timer::master_down_ipv4), rig.p.master_down());
  EXPECT_FALSE(rig.s.stepping_down);  // no bow-out: it was no decision of ours
}

TEST(Election, L8FramesLostSendsAMasterToBackup) {
  SlotRig rig;
  rig.become_master();
  EXPECT_EQ(rig.feed(FramesLost{}), "B");
  EXPECT_EQ(rig.s.cause, Cause::frames_lost);
  EXPECT_EQ(rig.left(Timer::master_down_ipv4), rig.p.master_down());
}

TEST(Election, L8FramesLostMakesABackupWaitAfresh) {
  SlotRig rig;
  rig.become_backup();
  rig.hear(1, 0);
  rig.hear(255, 255);
  EXPECT_TRUE(rig.armed(Timer::takeover));
  rig.now += 2s;
  EXPECT_EQ(rig.feed(FramesLost{}), "");
  EXPECT_FALSE(rig.armed(Timer::takeover));
  EXPECT_EQ(rig.left(Timer::master_down_ipv4), rig.p.master_down());
}

// C9.6 kept, C9.7 kept
TEST(Election, L10FirstSilentThenTheBowOut) {
  SlotRig rig;
  rig.become_master();
  EXPECT_EQ(rig.feed(StepDown{Cause::shutdown}), "B");
  EXPECT_EQ(rig.s.cause, Cause::shutdown);
  EXPECT_TRUE(rig.s.stepping_down);
  EXPECT_EQ(rig.feed(WorkersSilent{}), "o");
  EXPECT_EQ(rig.feed(WorkersSilent{}), "");  // once
}

TEST(Election, L10MasterAgainBeforeTheBowOutSendsNone) {
  SlotRig rig = started(Start::stepping_down);
  EXPECT_EQ(rig.due(Timer::master_down_ipv4), "Mag");
  EXPECT_EQ(rig.feed(WorkersSilent{}), "");
}

TEST(Election, NoStepHasMoreActionsThanFit) {
  // The most that one advertisement can bring: three notices, then a promotion.
  SlotRig rig;
  rig.p.dialect = config::Dialect::ucarp;
  rig.p.advbase = 3;
  rig.p.preempt = true;
  rig.p.advskew = 0;
  rig.become_backup();
  VerifiedAdvert ad = rig.advert(2, 255);
  ad.advbase = 4;
  ad.counter_went_back = true;
  ad.same_parameters = false;
  EXPECT_EQ(rig.feed(ad), "!!Mag");
}

// C9.10 kept
TEST(Election, OwnDemotionCallsOffATakeoverFromADemotedMaster) {
  SlotRig rig;
  rig.become_backup();
  rig.now += 1s;
  rig.hear(1, 0, 1);
  ASSERT_TRUE(rig.armed(Timer::takeover));
  rig.feed(DemotionChanged{1});
  EXPECT_FALSE(rig.armed(Timer::takeover));
  EXPECT_EQ(rig.s.timer(Timer::master_down_ipv4), rig.now + rig.p.master_down());
}

// C8.4 kept, C8.4 refused
TEST(Election, EqualTimersAndOneAddressTheHigherNodeStays) {
  for (const std::uint16_t theirs : {std::uint16_t{1}, std::uint16_t{3}}) {
    SlotRig rig;  // node 2
    rig.become_master();
    VerifiedAdvert ad = rig.advert(1, 100);
    ad.source = rig.p.source;
    ad.counter = auth::make_counter(77, NodeId(theirs));
    EXPECT_EQ(rig.feed(ad), theirs > 2 ? "B" : "ag");
  }
}

}  // namespace
}  // namespace koi::election::election_test
