#include <gtest/gtest.h>

#include "controlplane/loop.h"
#include "tests/support/loop_rig.h"

/// The control loop's part of rules L9 and L11 (coming up) and L10 (stepping down) (design.md).
namespace koi::controlplane::loop_takeover_test {
namespace {

using election::Cause;
using election::Role;
using test::LoopRig;

constexpr SlotIndex kSlot = LoopRig::kSlot;

// ---- L4 -----------------------------------------------------------------------------------------

/// A worker that was held up just then, or had too much before it.
// C7.11 kept, C7.9 refused
TEST(LoopTakeover, L4APromotionWhoseAdvertisementDidNotLeaveIsTriedAgainInAnotherTerm) {
  LoopRig rig;
  rig.become_backup();
  rig.clock.advance(rig.parameters.master_down() + 1us);
  rig.listen();
  rig.turn();
  const std::uint64_t first = rig.term();
  ASSERT_NE(first, 0U);
  rig.adopt(0);
  rig.turn_after(1001us);
  EXPECT_EQ(rig.term(), 0U);
  rig.clock.advance(1001us);
  rig.listen();
  rig.turn();
  EXPECT_GT(rig.term(), first);
  rig.grant(2850ms);
  rig.turn_after(2000ms);
  EXPECT_GT(rig.term(), first);
  // One that had a lease waits.
  rig.turn_after(1000ms);
  EXPECT_EQ(rig.term(), 0U);
  rig.clock.advance(rig.parameters.master_down() - 1ms);
  rig.listen();
  rig.turn();
  EXPECT_EQ(rig.term(), 0U);
}

// ---- L9 -----------------------------------------------------------------------------------------

// C7.8 kept, C7.8 refused
TEST(LoopTakeover, L9NoPromotionByTimerUntilEveryReceiverHasListenedSinceItWasDue) {
  LoopRig rig(test::lan_box(2), 3, 2);
  rig.link_up();
  rig.turn();
  const Instant due = rig.clock.time + rig.parameters.master_down();
  rig.listened(0, due);  // began at that moment, not after it
  rig.listened(1, due + 1us);
  rig.clock.time = due + 1s;
  rig.turn();
  EXPECT_EQ(rig.term(), 0U);
  rig.listened(0, due + 1us);
  rig.listened(1, due);
  rig.turn();
  EXPECT_EQ(rig.term(), 0U);
  rig.listened(1, due + 1us);
  rig.turn();
  EXPECT_NE(rig.term(), 0U);
}

TEST(LoopTakeover, L9WorkersThatDoNotReceiveTheSlotNeedNotListen) {
  LoopRig rig(test::lan_box(2), 2, 2);
  rig.link_up();
  rig.turn();
  rig.clock.advance(4s);
  rig.listened(1, rig.clock.time);
  rig.turn();
  EXPECT_NE(rig.term(), 0U);
}

// C7.8 kept, C7.8 refused
TEST(LoopTakeover, L9NoPromotionByBowOutUntilEveryReceiverHasListenedSince) {
  LoopRig rig(test::lan_box(2), 3, 2);
  rig.become_backup();
  rig.hear(rig.advert(1, 0));
  rig.hear(rig.advert(255, 255));
  const Instant heard = rig.clock.time;
  rig.turn();
  rig.turn_after(100us);
  EXPECT_EQ(rig.term(), 0U);
  rig.listened(0, heard + 50us);
  rig.turn_after(100us);
  EXPECT_EQ(rig.term(), 0U);
  rig.listened(1, heard + 50us);
  rig.turn_after(100us);
  EXPECT_NE(rig.term(), 0U);
  EXPECT_EQ(rig.changes().back().cause, Cause::bow_out);
}

TEST(LoopTakeover, L9NothingCountsThatWasPublishedAfterTheRingsWereLookedAt) {
  LoopRig rig;
  rig.become_backup();
  rig.clock.advance(4s);
  // The worker empties its queue, an advertisement among it, while control drains the ring.
  rig.up[0].on_receive = [&] { rig.listen(); };
  rig.turn();
  EXPECT_EQ(rig.term(), 0U);
  rig.up[0].on_receive = nullptr;
  rig.hear(rig.advert(1, 0));
  rig.turn();
  EXPECT_EQ(rig.term(), 0U);
}

// ---- L11 ----------------------------------------------------------------------------------------

// C10.1 kept
TEST(LoopTakeover, L11ViewThenAdvertisementThenAnnouncements) {
  config::Config config = test::lan_box(2);
  config.groups[0].addresses.push_back(test::ip4("192.0.2.11"));
  LoopRig rig(config);
  rig.become_backup();
  rig.clock.advance(4s);
  rig.listen();
  rig.turn_after(1us);
  const auto messages = rig.take(0);
  ASSERT_EQ(messages.size(), 4U);
  EXPECT_EQ(std::get<AdoptView>(messages[0]).view->terms[0].value(), rig.term());
  const auto& first = std::get<TransmitFrame>(messages[1]);
  EXPECT_EQ(first.kind, FrameKind::advertisement);
  for (const std::size_t i : {2U, 3U}) {
    const auto& announcement = std::get<TransmitFrame>(messages[i]);
    EXPECT_EQ(announcement.kind, FrameKind::announcement);
    EXPECT_EQ(announcement.term, first.term);
    EXPECT_EQ(announcement.slot, kSlot);
    EXPECT_EQ(announcement.not_after, first.not_after);
  }
}

TEST(LoopTakeover, L11LaterAnnouncementsMayBeSentUntilTheDeadline) {
  LoopRig rig;
  rig.become_master();
  rig.turn_after(1001ms);
  rig.grant(2850ms);
  rig.turn_after(1001ms);  // the third advertisement: announced again
  const auto frames = rig.adopt(0);
  ASSERT_EQ(frames.size(), 3U);
  EXPECT_EQ(frames[2].kind, FrameKind::announcement);
  EXPECT_LE(frames[2].not_after, rig.clock.time + 1849ms);
}

// ---- L10 ----------------------------------------------------------------------------------------

// C9.6 kept, C9.6 refused
TEST(LoopTakeover, L10BowOutOnlyAfterEveryWorkerAdoptedTheSilentView) {
  LoopRig rig(test::lan_box(2), 1, 2);
  rig.become_master();
  rig.command(SetDemotion{0, 1});
  rig.turn();
  EXPECT_EQ(rig.term(), 0U);
  rig.turn_after(100us);
  EXPECT_TRUE(rig.adopt(0).empty());
  rig.turn_after(100us);
  EXPECT_TRUE(rig.adopt(0).empty());  // worker 1 has not
  rig.adopt(1);
  rig.turn_after(100us);
  const auto frames = rig.adopt(0);
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].kind, FrameKind::bow_out);
  EXPECT_EQ(frames[0].term, Term{});
  EXPECT_EQ(frames[0].not_after, rig.clock.time + 1ms);
  rig.turn_after(100us);
  EXPECT_TRUE(rig.adopt(0).empty());
}

// C9.6 kept
TEST(LoopTakeover, L10BowOutOnceTheLeaseIsOverWhateverTheWorkersDo) {
  LoopRig rig(test::lan_box(2), 1, 2);
  rig.become_master(2s);
  rig.command(SetDemotion{0, 1});
  rig.turn();
  rig.adopt(0);
  rig.turn_after(1999ms);
  EXPECT_TRUE(rig.adopt(0).empty());
  rig.turn_after(2ms);
  ASSERT_EQ(rig.adopt(0).size(), 1U);
}

TEST(LoopTakeover, L10OlderViewAdoptedIsNotTheSilentOne) {
  LoopRig rig;
  rig.become_backup();
  rig.clock.advance(4s);
  rig.listen();
  rig.turn_after(1us);  // promoted; the worker has not looked yet
  rig.grant(2850ms);
  rig.command(SetDemotion{0, 1});
  rig.turn_after(100us);
  const auto messages = rig.take(0);
  const auto promoting = std::get<AdoptView>(messages.front()).view->number;
  rig.words(0).adopted.store(promoting.value());
  rig.turn_after(100us);
  EXPECT_TRUE(rig.adopt(0).empty());
}

TEST(LoopTakeover, L10ShutDownAnswersOnceEveryBowOutIsQueued) {
  LoopRig rig;
  rig.become_master();
  rig.command(ShutDown{});
  rig.turn();
  EXPECT_EQ(rig.term(), 0U);
  EXPECT_TRUE(rig.reports.take<AllDown>().empty());
  rig.adopt(0);
  rig.turn_after(100us);
  EXPECT_TRUE(rig.reports.take<AllDown>().empty());
  EXPECT_EQ(rig.adopt(0).at(0).kind, FrameKind::bow_out);
  rig.turn_after(100us);
  EXPECT_TRUE(rig.reports.take<AllDown>().empty());
  rig.own_frames.clear();
  rig.adopt(0);
  EXPECT_EQ(rig.own_frames.size(), 1U);  // the others are listened to no more: 224.0.0.18 is left
  rig.turn_after(100us);
  EXPECT_EQ(rig.reports.take<AllDown>().size(), 1U);
  rig.turn_after(100us);
  EXPECT_TRUE(rig.reports.take<AllDown>().empty());
}

TEST(LoopTakeover, L10ShutDownOfABackupOnlyLeaves) {
  LoopRig rig;
  rig.become_backup();
  rig.command(ShutDown{});
  rig.turn();
  EXPECT_TRUE(rig.reports.take<AllDown>().empty());
  rig.own_frames.clear();
  EXPECT_TRUE(rig.adopt(0).empty());
  EXPECT_EQ(rig.own_frames.size(), 1U);
  rig.turn();
  EXPECT_EQ(rig.reports.take<AllDown>().size(), 1U);
  EXPECT_TRUE(rig.adopt(0).empty());
}

TEST(LoopTakeover, L10NobodyRisesAfterShutDown) {
  LoopRig rig;
  rig.become_backup();
  rig.command(ShutDown{});
  rig.turn();
  rig.clock.advance(10s);
  rig.listen();
  rig.turn_after(1us);
  rig.command(controlplane::SetLink{PortIndex(0), false});
  rig.turn();
  rig.link_up();
  rig.turn();
  rig.clock.advance(10s);
  rig.listen();
  rig.turn_after(1us);
  EXPECT_EQ(rig.term(), 0U);
  // Claims are still acknowledged: the workers' rules go on.
  const VerifiedAdvert ad = rig.advert(1, 0);
  rig.hear(ad);
  rig.turn();
  EXPECT_EQ(rig.acknowledged(), ad.heard_number);
}

TEST(LoopTakeover, L10AllDownIsRepeatedUntilTheReportRingTakesIt) {
  LoopRig rig;
  rig.become_backup();
  rig.reports.capacity = 0;
  rig.command(ShutDown{});
  rig.turn();
  rig.turn();
  rig.reports.capacity = 10;
  rig.turn();
  EXPECT_EQ(rig.reports.take<AllDown>().size(), 1U);
}

// ---- demotion and link --------------------------------------------------------------------------

// C2.8 kept
TEST(LoopTakeover, DemotionShowsInEveryLaterAdvertisement) {
  LoopRig rig;
  rig.become_backup();
  rig.command(SetDemotion{0, 7});
  rig.turn();
  rig.clock.advance(4s);
  rig.listen();
  rig.turn_after(1us);
  const auto frames = rig.adopt(0);
  ASSERT_FALSE(frames.empty());
  EXPECT_EQ(frames[0].bytes[14 + 20 + 4], std::byte{7});  // protocol.md §1: demote
}

// C9.2 kept, C9.3 kept
TEST(LoopTakeover, DemotionBesideUcarpShowsAsAdvskew240) {
  config::Config config = test::lan_box(2);
  config.groups[0].dialect = config::Dialect::ucarp;
  LoopRig rig(config);
  rig.become_backup();
  rig.command(SetDemotion{0, 7});
  rig.turn();
  rig.clock.advance(4s);
  rig.listen();
  rig.turn_after(1us);
  const auto frames = rig.adopt(0);
  ASSERT_FALSE(frames.empty());
  EXPECT_EQ(frames[0].bytes[14 + 20 + 2], std::byte{240});
  EXPECT_EQ(frames[0].bytes[14 + 20 + 4], std::byte{0});
}

// C9.2 kept
TEST(LoopTakeover, BowOutBesideUcarpLeavesByteFourZero) {
  config::Config config = test::lan_box(2);
  config.groups[0].dialect = config::Dialect::ucarp;
  LoopRig rig(config);
  rig.become_master();
  rig.command(SetDemotion{0, 7});
  rig.turn();
  rig.adopt(0);
  rig.turn_after(100us);
  EXPECT_EQ(rig.adopt(0).at(0).bytes[14 + 20 + 4], std::byte{0});
}

// C9.11 kept
TEST(LoopTakeover, LinkDownIsInitAndSilentAtOnce) {
  config::Config config = test::lan_box(2);
  config.ports.push_back(test::lan_port(3));
  config.ports[1].name = "wan";
  config.groups.push_back(config.groups[0]);
  config.groups[1].port = "wan";
  LoopRig rig(config);
  rig.command(controlplane::SetLink{PortIndex(1), true});
  rig.become_master();
  ASSERT_NE(rig.term(SlotIndex(1)), 0U);
  rig.grant(2850ms, SlotIndex(1));
  rig.command(controlplane::SetLink{PortIndex(0), false});
  rig.turn();
  EXPECT_EQ(rig.term(), 0U);
  EXPECT_NE(rig.term(SlotIndex(1)), 0U);  // another port
  const auto changes = rig.changes();
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].to, Role::init);
  EXPECT_EQ(changes[0].cause, Cause::link_down);
  rig.clock.advance(10s);
  rig.listen();
  rig.turn_after(1us);
  EXPECT_EQ(rig.term(), 0U);
}

// Control may be stopped between the start of its turn and the command or message it then reads.
TEST(LoopTakeover, L8AfreshMeansFromTheMomentTheLossIsRead) {
  LoopRig rig;
  rig.become_backup();
  rig.clock.advance(1s);
  rig.up[0].try_send(PollGap{.number = 1, .frames_lost = true});
  bool stopped = false;
  rig.up[0].on_receive = [&] {
    if (!stopped) rig.clock.advance(5s);
    stopped = true;
  };
  rig.turn();
  rig.listen();
  rig.turn_after(1ms);
  EXPECT_EQ(rig.term(), 0U);
}

// C7.7 kept
TEST(LoopTakeover, LinkUpWaitsAFullMasterDownFromTheMomentItIsRead) {
  LoopRig rig;
  bool stopped = false;
  rig.commands.on_receive = [&] {
    if (!stopped) rig.clock.advance(5s);
    stopped = true;
  };
  rig.link_up();
  rig.turn();
  rig.clock.advance(1ms);
  rig.listen();
  rig.turn_after(1ms);
  EXPECT_EQ(rig.term(), 0U);
}

}  // namespace
}  // namespace koi::controlplane::loop_takeover_test
