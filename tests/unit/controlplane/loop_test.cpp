#include "controlplane/loop.h"

#include <gtest/gtest.h>

#include "tests/support/loop_rig.h"

/// The control loop's part of rules L2 and L4 to L8 (design.md).
namespace koi::controlplane::loop_test {
namespace {

using election::Cause;
using election::Role;
using test::LoopRig;

constexpr SlotIndex kSlot = LoopRig::kSlot;

Term term_in(const DownMessage& message) {
  return std::get<AdoptView>(message).view->terms[kSlot.value()];
}

// ---- L2 -----------------------------------------------------------------------------------------

TEST(Loop, L2TermIsOnTheBoardBeforeThePromotingViewIsPushed) {
  LoopRig rig;
  rig.become_backup();
  bool seen = false;
  rig.down[0].on_send = [&](const DownMessage& message) {
    if (!std::holds_alternative<AdoptView>(message)) return;
    seen = true;
    EXPECT_NE(term_in(message), Term{});
    EXPECT_EQ(rig.term(), term_in(message).value());
  };
  rig.clock.advance(4s);
  rig.listen();
  rig.turn_after(1us);
  EXPECT_TRUE(seen);
}

TEST(Loop, L2TermIsClearedBeforeTheDemotingViewIsPushed) {
  LoopRig rig;
  rig.become_master();
  bool seen = false;
  rig.down[0].on_send = [&](const DownMessage& message) {
    seen = true;
    EXPECT_EQ(term_in(message), Term{});
    EXPECT_EQ(rig.term(), 0U);
  };
  rig.hear(rig.advert(0, 0));
  rig.turn();
  EXPECT_TRUE(seen);
}

TEST(Loop, L2SilenceDoesNotWaitForAFullRing) {
  LoopRig rig;
  rig.become_master();
  rig.down[0].capacity = 0;
  rig.hear(rig.advert(0, 0));
  rig.turn();
  EXPECT_EQ(rig.term(), 0U);
}

TEST(Loop, L2TermsAreNeverUsedTwice) {
  LoopRig rig;
  rig.become_backup();
  std::uint64_t last = 0;
  for (int i = 0; i < 100; ++i) {
    rig.clock.advance(4s);
    rig.listen();
    rig.turn_after(1us);
    EXPECT_GT(rig.term(), last);
    last = rig.term();
    rig.turn_after(2ms);  // no advertisement left: the lease is over
    EXPECT_EQ(rig.term(), 0U);
  }
}

// ---- L4, L5 -------------------------------------------------------------------------------------

TEST(Loop, L4FirstAdvertisementMayBeSentForOneMillisecondAfterADecisionDatedBeforeTheInputs) {
  LoopRig rig;
  rig.become_backup();
  rig.clock.advance(4s);
  rig.listen();
  rig.clock.advance(1us);
  const Instant began = rig.clock.time;
  rig.up[0].on_receive = [&] { rig.clock.advance(300us); };  // reading the inputs takes its time
  rig.clock.before_read = [&] { rig.clock.advance(7us); };
  rig.turn();
  const auto frames = rig.adopt(0);
  ASSERT_FALSE(frames.empty());
  EXPECT_EQ(frames[0].kind, FrameKind::advertisement);
  EXPECT_EQ(frames[0].not_after, began + 7us + 1ms);
  EXPECT_EQ(frames[0].term.value(), rig.term());
}

TEST(Loop, L4PreemptionIsDatedBeforeTheInputsToo) {
  config::Config config = test::lan_box(2);
  config.groups[0].preempt = true;
  LoopRig rig(config);
  rig.become_backup();
  const Instant began = rig.clock.time;
  rig.up[0].on_receive = [&] { rig.clock.advance(300us); };
  rig.hear(rig.advert(1, 200));
  rig.turn();
  const auto frames = rig.adopt(0);
  ASSERT_FALSE(frames.empty());
  EXPECT_EQ(frames[0].not_after, began + 1ms);
}

TEST(Loop, L4LaterAdvertisementsMayBeSentUntilTheDeadline) {
  LoopRig rig;
  rig.become_master();
  const Instant deadline = rig.clock.time + 2850ms;
  rig.turn_after(1001ms);
  const auto frames = rig.adopt(0);
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].kind, FrameKind::advertisement);
  EXPECT_LE(frames[0].not_after, deadline);
  EXPECT_GT(frames[0].not_after, deadline - 100us);
}

TEST(Loop, L4SecondAdvertisementBeforeTheFirstWasSentHasTheFirstOnesLimit) {
  LoopRig rig;
  rig.become_backup();
  rig.clock.advance(4s);
  rig.listen();
  rig.turn_after(1us);
  const Instant limit = rig.clock.time + 1ms;
  rig.adopt(0);
  rig.hear(rig.advert(1, 200));  // worse: ours goes out at once, and the announcement
  rig.turn_after(100us);
  const auto frames = rig.adopt(0);
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(frames[0].kind, FrameKind::advertisement);
  EXPECT_EQ(frames[0].not_after, limit);
}

TEST(Loop, L4DeadlineOfAnEarlierTermIsNotOurs) {
  LoopRig rig;
  rig.become_master(10s);
  rig.hear(rig.advert(0, 0));
  rig.turn();
  rig.forget();
  rig.clock.advance(4s);
  rig.listen();
  rig.turn_after(1us);
  ASSERT_NE(rig.term(), 0U);
  rig.turn_after(1100us);  // the old term's deadline is seconds away, this one's is over
  EXPECT_EQ(rig.term(), 0U);
}

TEST(Loop, L5FrameCarriesTheLeaseOfTheSmallestAdvbaseHeard) {
  config::Config config = test::lan_box(2);
  config.groups[0].advbase = 3;
  LoopRig rig(config);
  rig.become_backup();
  rig.clock.advance(10s);
  rig.listen();
  rig.turn_after(1us);
  EXPECT_EQ(rig.adopt(0).at(0).lease, 8550ms);
  rig.grant(8550ms);
  VerifiedAdvert ad = rig.advert(2, 255);
  ad.demote = 1;  // worse than ours all the same
  rig.hear(ad);
  rig.turn_after(1ms);
  EXPECT_EQ(rig.adopt(0).at(0).lease, 5700ms);
  const auto notices = rig.reports.take<NoticeRaised>();
  ASSERT_EQ(notices.size(), 1U);
  EXPECT_EQ(notices[0].notice, election::Notice::advbase_differs);
  EXPECT_EQ(notices[0].source, ad.source);
}

// ---- L6 -----------------------------------------------------------------------------------------

// C7.9 refused
TEST(Loop, L6DeadlinesComeBeforeInputs) {
  LoopRig rig;
  rig.become_master(500ms);
  rig.hear(rig.advert(1, 200));  // worse: a MASTER would advertise at once
  rig.turn_after(501ms);
  const auto changes = rig.changes();
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].cause, Cause::lease_expired);
  EXPECT_TRUE(rig.adopt(0).empty());
}

TEST(Loop, L6LeaseThatIsNotOverLasts) {
  LoopRig rig;
  rig.become_master(500ms);
  rig.turn_after(499ms);
  EXPECT_TRUE(rig.changes().empty());
}

TEST(Loop, L6UpRingsComeBeforeTimers) {
  for (const std::size_t worker : {0U, 1U}) {
    LoopRig rig(test::lan_box(2), 3, 2);
    rig.become_backup();
    rig.clock.advance(4s);
    rig.listen();
    rig.clock.advance(1us);
    rig.hear(rig.advert(1, 0), worker);
    rig.turn();
    EXPECT_EQ(rig.term(), 0U);
    EXPECT_TRUE(rig.changes().empty());
  }
}

TEST(Loop, L6TimerIsRearmedWithAReadingAfterTheAdvertisementWasTaken) {
  LoopRig rig;
  rig.become_backup();
  rig.hear(rig.advert(1, 0));
  rig.up[0].on_receive = [&] { rig.clock.advance(1s); };  // twice: the advertisement, then nothing
  rig.turn();
  rig.up[0].on_receive = nullptr;
  const Instant taken = rig.clock.time - 1s;
  rig.clock.time = taken + rig.parameters.master_down() - 1us;
  rig.listen();
  rig.turn();
  EXPECT_TRUE(rig.changes().empty());
  rig.clock.advance(1us);
  rig.listen();
  rig.turn_after(1us);
  rig.listen();
  rig.turn_after(1us);
  EXPECT_EQ(rig.changes().size(), 1U);
}

TEST(Loop, L6NoTimerIsDecidedWhileARingHoldsMore) {
  LoopRig rig;
  rig.up[0].capacity = 20'000;
  rig.become_backup();
  rig.clock.advance(4s);
  rig.listen();
  rig.clock.advance(1us);
  for (int i = 0; i < 9000; ++i) rig.up[0].try_send(TransmitRefused{});
  rig.hear(rig.advert(1, 0));
  rig.turn();
  EXPECT_TRUE(rig.changes().empty());
  rig.turn();
  EXPECT_TRUE(rig.changes().empty());  // and now the advertisement counts
  EXPECT_EQ(rig.acknowledged(), 1U);
}

// ---- L7 -----------------------------------------------------------------------------------------

TEST(Loop, L7AcknowledgesOnceDecided) {
  LoopRig rig;
  rig.become_master();
  const VerifiedAdvert ad = rig.advert(0, 0);
  rig.hear(ad);
  bool seen = false;
  rig.reports.on_send = [&](const Report& report) {
    if (!std::holds_alternative<RoleChange>(report)) return;
    seen = true;  // in the middle of the decision
    EXPECT_EQ(rig.term(), 0U);
    EXPECT_NE(rig.acknowledged(), ad.heard_number);
  };
  rig.turn();
  EXPECT_TRUE(seen);
  EXPECT_EQ(rig.acknowledged(), ad.heard_number);
}

/// A worse MASTER is heard: until the driver has taken the reply that sends it to BACKUP, its claim
/// is undecided. Control may hang in between, or the NIC take nothing, and both would answer.
// C11.16 kept
TEST(Loop, L7AcknowledgesAWorseMasterOnceTheReplyIsTaken) {
  LoopRig rig;
  rig.become_master();
  rig.clock.advance(1ms);  // the deadline there is an earlier advertisement's
  const VerifiedAdvert ad = rig.advert(1, 200);
  rig.hear(ad);
  rig.turn();
  EXPECT_FALSE(rig.adopt(0).empty());  // the reply among them
  for (int turn = 0; turn < 3; ++turn) {
    EXPECT_NE(rig.acknowledged(), ad.heard_number);
    rig.turn_after(100us);
  }
  rig.grant(2850ms);
  rig.turn();
  EXPECT_EQ(rig.acknowledged(), ad.heard_number);
  EXPECT_NE(rig.term(), 0U);
}

/// What was sent between two claims answers the first one alone.
TEST(Loop, L7EachClaimNeedsAReplyOfItsOwn) {
  LoopRig rig;
  rig.become_master();
  rig.clock.advance(1ms);
  rig.hear(rig.advert(1, 200));
  rig.turn();
  rig.adopt_all();
  rig.clock.advance(100us);
  rig.grant(2850ms);
  rig.clock.advance(100us);
  const VerifiedAdvert second = rig.advert(1, 210, 3);
  rig.hear(second);
  rig.turn();
  EXPECT_NE(rig.acknowledged(), second.heard_number);
  rig.grant(2850ms);
  rig.turn();
  EXPECT_EQ(rig.acknowledged(), second.heard_number);
}

/// A claim that was replied to lies open no longer than the reign.
TEST(Loop, L7AcknowledgesAWorseMasterWhenItStepsDownItself) {
  LoopRig rig;
  rig.become_master();
  rig.clock.advance(1ms);
  const VerifiedAdvert ad = rig.advert(1, 200);
  rig.hear(ad);
  rig.turn();
  rig.turn_after(2850ms);  // nothing was taken, the lease is over
  EXPECT_EQ(rig.term(), 0U);
  EXPECT_EQ(rig.acknowledged(), ad.heard_number);
}

TEST(Loop, L7AcknowledgesToTheWorkerThatHeardIt) {
  LoopRig rig(test::lan_box(2), 3, 2);
  rig.become_master();
  const VerifiedAdvert ad = rig.advert(1, 200);
  rig.hear(ad, 1);
  rig.turn();
  EXPECT_EQ(rig.acknowledged(0), 0U);
  EXPECT_EQ(rig.acknowledged(1), ad.heard_number);
}

TEST(Loop, L7AcknowledgesWhateverTheRole) {
  LoopRig rig;
  const VerifiedAdvert in_init = rig.advert(1, 0);
  rig.hear(in_init);
  rig.turn();
  EXPECT_EQ(rig.acknowledged(), in_init.heard_number);
}

TEST(Loop, L7OverflowSendsTheConcernedMasterToBackup) {
  config::Config config = test::lan_box(2);
  config.groups.push_back(config.groups[0]);
  config.groups[1].vhid = Vhid(2);
  config.groups[1].addresses = {test::ip4("192.0.2.11")};
  LoopRig rig(config);
  rig.become_master();
  rig.grant(2850ms, SlotIndex(1));
  ASSERT_NE(rig.term(SlotIndex(1)), 0U);
  const VerifiedAdvert lost = rig.advert(0, 0);
  rig.board->slot(kSlot).heard[0].store(Stamp(lost.heard_number, rig.clock.time).word());
  rig.up[0].try_send(UpRingOverflow{});
  rig.turn();
  const auto changes = rig.changes();
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].slot, kSlot);
  EXPECT_EQ(changes[0].cause, Cause::frames_lost);
  EXPECT_EQ(rig.acknowledged(), lost.heard_number);
  EXPECT_NE(rig.term(SlotIndex(1)), 0U);
}

// ---- L8 -----------------------------------------------------------------------------------------

TEST(Loop, L8GapIsAcknowledgedAfterTheAdvertisementsThatWereInIt) {
  LoopRig rig;
  rig.become_master();
  rig.hear(rig.advert(0, 0));
  rig.up[0].try_send(PollGap{.number = 5});
  bool seen = false;
  rig.reports.on_send = [&](const Report& report) {
    if (!std::holds_alternative<RoleChange>(report)) return;
    seen = true;
    EXPECT_EQ(rig.words(0).gap_acknowledged.load(), 0U);
  };
  rig.turn();
  EXPECT_TRUE(seen);
  EXPECT_EQ(rig.words(0).gap_acknowledged.load(), 5U);
}

TEST(Loop, L8GapWithoutLossChangesNoRole) {
  LoopRig rig;
  rig.become_master();
  rig.up[0].try_send(PollGap{.number = 1});
  rig.turn();
  EXPECT_TRUE(rig.changes().empty());
  EXPECT_EQ(rig.words(0).gap_acknowledged.load(), 1U);
}

TEST(Loop, L8LostFramesSendAMasterToBackup) {
  LoopRig rig;
  rig.become_master();
  rig.up[0].try_send(PollGap{.number = 1, .frames_lost = true});
  rig.turn();
  ASSERT_EQ(rig.term(), 0U);
  EXPECT_EQ(rig.changes().at(0).cause, Cause::frames_lost);
  EXPECT_EQ(rig.words(0).gap_acknowledged.load(), 1U);
}

TEST(Loop, L8LostFramesOfAWorkerThatDoesNotReceiveTheSlotDoNotMatter) {
  LoopRig rig(test::lan_box(2), 1, 2);
  rig.become_master();
  rig.up[1].try_send(PollGap{.number = 1, .frames_lost = true});
  rig.turn();
  EXPECT_NE(rig.term(), 0U);
  EXPECT_EQ(rig.words(1).gap_acknowledged.load(), 1U);
}

TEST(Loop, L8LostFramesMakeABackupWaitAfresh) {
  LoopRig rig;
  rig.become_backup();
  rig.clock.advance(2s);
  rig.up[0].try_send(PollGap{.number = 1, .frames_lost = true});
  rig.turn();
  rig.clock.advance(rig.parameters.master_down() - 1us);
  rig.listen();
  rig.turn();
  EXPECT_TRUE(rig.changes().empty());
  rig.clock.advance(1us);
  rig.listen();
  rig.turn_after(1us);
  rig.listen();
  rig.turn_after(1us);
  EXPECT_EQ(rig.changes().size(), 1U);
}

}  // namespace
}  // namespace koi::controlplane::loop_test
