#include <gtest/gtest.h>

#include "common/auth/replay.h"
#include "common/wire/carp.h"
#include "controlplane/loop.h"
#include "tests/support/loop_rig.h"

/// What the control loop hands out: views, frames, counters and reports.
namespace koi::controlplane::loop_output_test {
namespace {

using election::Cause;
using election::Role;
using test::LoopRig;

constexpr SlotIndex kSlot = LoopRig::kSlot;

/// Up and down once: two views. The worker's part is left to the test.
void reign_once(LoopRig& rig) {
  rig.clock.advance(4s);
  rig.listen();
  rig.turn_after(1us);
  rig.turn_after(2ms);  // no advertisement was sent
}

// ---- views --------------------------------------------------------------------------------------

TEST(LoopOutput, ViewsAreFreedWhenEveryWorkerAdoptedALaterOne) {
  LoopRig rig(test::lan_box(2), 1, 2);
  rig.become_backup();
  const long alone = rig.topology.use_count();
  for (int i = 0; i < 3; ++i) reign_once(rig);
  EXPECT_EQ(rig.topology.use_count(), alone + 6);
  rig.adopt(0);
  rig.turn();
  EXPECT_EQ(rig.topology.use_count(), alone + 6);  // worker 1 still uses the first
  DownMessage message;
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(rig.down[1].try_receive(message));
  rig.words(1).adopted.store(std::get<AdoptView>(message).view->number.value());
  rig.turn();
  EXPECT_EQ(rig.topology.use_count(), alone + 3);  // 4 to 7 are left
  rig.adopt(1);
  rig.turn();
  EXPECT_EQ(rig.topology.use_count(), alone);
}

TEST(LoopOutput, ViewsOfAWorkerThatHasNotStartedAreKept) {
  LoopRig rig(test::lan_box(2), 1, 2);
  rig.words(1).adopted.store(0);
  rig.become_backup();
  rig.words(1).adopted.store(0);
  const long before = rig.topology.use_count();
  reign_once(rig);
  rig.adopt(0);
  rig.turn();
  EXPECT_EQ(rig.topology.use_count(), before + 2);
}

TEST(LoopOutput, FullDownRingViewIsRetriedAndFramesAreCounted) {
  LoopRig rig;
  rig.become_backup();
  rig.clock.advance(2s);
  rig.turn();  // the report to switches, which would be counted as well
  rig.down[0].capacity = 0;
  rig.clock.advance(2s);
  rig.listen();
  rig.turn_after(1us);
  EXPECT_EQ(rig.counters.frames_dropped.get(), 1U);  // the advertisement; the announcement waits
  const std::uint64_t term = rig.term();
  rig.down[0].capacity = 100;
  rig.turn_after(10us);
  const auto messages = rig.take(0);
  ASSERT_EQ(messages.size(), 1U);
  EXPECT_EQ(std::get<AdoptView>(messages[0]).view->terms[0].value(), term);
  // The advertisement is tried again soon, for the term lasts 1 ms without one (L4), and the
  // announcement comes behind it (L11).
  rig.turn_after(200us);
  const auto retried = rig.take(0);
  ASSERT_EQ(retried.size(), 2U);
  EXPECT_EQ(std::get<TransmitFrame>(retried[0]).kind, FrameKind::advertisement);
  EXPECT_EQ(std::get<TransmitFrame>(retried[1]).kind, FrameKind::announcement);
}

TEST(LoopOutput, OnlyTheNewestViewIsRetried) {
  LoopRig rig;
  rig.become_backup();
  rig.down[0].capacity = 0;
  for (int i = 0; i < 3; ++i) reign_once(rig);
  rig.down[0].capacity = 100;
  rig.turn();
  const auto messages = rig.take(0);
  ASSERT_EQ(messages.size(), 1U);
  EXPECT_EQ(std::get<AdoptView>(messages[0]).view->number, ViewNumber(7));
}

TEST(LoopOutput, NoFrameOvertakesItsView) {
  LoopRig rig;
  rig.become_backup();
  // Room for the frames only: the view's own attempt fails.
  bool first = true;
  rig.down[0].on_send = [&](const DownMessage&) {
    rig.down[0].capacity = first ? 0 : 100;
    first = false;
  };
  rig.clock.advance(4s);
  rig.listen();
  rig.turn_after(1us);
  EXPECT_TRUE(rig.down[0].messages.empty());
}

TEST(LoopOutput, EveryWorkerGetsEveryView) {
  LoopRig rig(test::lan_box(2), 1, 3);
  rig.become_backup();
  reign_once(rig);
  for (auto& ring : rig.down) EXPECT_EQ(ring.take<AdoptView>().size(), 2U);
}

TEST(LoopOutput, FramesGoToTheTransmittingWorkerOnly) {
  LoopRig rig(test::lan_box(2), 2, 2);  // only worker 1 has the port
  rig.become_backup();
  rig.clock.advance(4s);
  rig.listen();
  rig.turn_after(1us);
  EXPECT_TRUE(rig.adopt(0).empty());
  EXPECT_EQ(rig.adopt(1).size(), 2U);
}

// ---- counters -----------------------------------------------------------------------------------

std::uint64_t counter_of(const TransmitFrame& frame) {
  const auto carp = wire::parse_carp(std::span(frame.bytes).first(frame.length).subspan(34));
  return carp.ok() ? carp->counter : 0;
}

// C6.1 kept
TEST(LoopOutput, CounterGrowsAboveTheFirstAndIsOnTheBoardBeforeTheFrame) {
  LoopRig rig;
  rig.become_backup();
  std::uint64_t last = auth::make_counter(LoopRig::kFirstSequence, NodeId(2));
  for (int i = 0; i < 10; ++i) {
    reign_once(rig);
    for (const TransmitFrame& frame : rig.adopt(0)) {
      if (frame.kind != FrameKind::advertisement) continue;
      EXPECT_GT(counter_of(frame), last);
      EXPECT_EQ(auth::node_of(counter_of(frame)), NodeId(2));
      last = counter_of(frame);
      EXPECT_EQ(rig.board->own_counter.load(), last);
    }
  }
  EXPECT_EQ(last, auth::make_counter(LoopRig::kFirstSequence + 10, NodeId(2)));
}

// C6.2 kept
TEST(LoopOutput, CeilingIsAskedForInTimeAndOnce) {
  // 2^19 numbers ahead of the ceiling; the second advertisement reaches that.
  LoopRig rig(test::lan_box(2), 1, 1, LoopRig::kFirstSequence + 1 + (1 << 19));
  rig.become_backup();
  reign_once(rig);
  EXPECT_TRUE(rig.reports.take<NeedCounters>().empty());
  reign_once(rig);
  EXPECT_EQ(rig.reports.take<NeedCounters>().size(), 1U);
  reign_once(rig);
  EXPECT_TRUE(rig.reports.take<NeedCounters>().empty());
  rig.command(SetCounterCeiling{LoopRig::kFirstSequence + (2 << 19)});
  reign_once(rig);
  EXPECT_TRUE(rig.reports.take<NeedCounters>().empty());
}

TEST(LoopOutput, CeilingIsAskedForAgainWhenTheReportRingWasFull) {
  LoopRig rig(test::lan_box(2), 1, 1, LoopRig::kFirstSequence);
  rig.become_backup();
  rig.reports.capacity = 0;
  reign_once(rig);
  EXPECT_GT(rig.counters.reports_dropped.get(), 0U);
  rig.reports.capacity = 100;
  reign_once(rig);
  EXPECT_EQ(rig.reports.take<NeedCounters>().size(), 1U);
}

TEST(LoopOutput, CeilingNeverFalls) {
  LoopRig rig;
  rig.become_backup();
  rig.command(SetCounterCeiling{1});
  reign_once(rig);
  EXPECT_TRUE(rig.reports.take<NeedCounters>().empty());
}

// ---- reports ------------------------------------------------------------------------------------

// C8.13 kept
TEST(LoopOutput, RoleChangesAreReportedInOrderAndCounted) {
  LoopRig rig;
  rig.link_up();
  rig.turn();
  const auto up = rig.changes();
  ASSERT_EQ(up.size(), 1U);
  EXPECT_EQ(up[0].from, Role::init);
  EXPECT_EQ(up[0].to, Role::backup);
  EXPECT_EQ(up[0].since_heard, Duration(-1));
  rig.hear(rig.advert(1, 0));
  rig.turn();
  rig.clock.advance(4s);
  rig.listen();
  rig.turn_after(1us);
  const auto change = rig.changes().at(0);
  EXPECT_EQ(change.to, Role::master);
  EXPECT_EQ(change.cause, Cause::master_down);
  EXPECT_EQ(change.at, rig.clock.time);
  EXPECT_EQ(change.since_heard, 4s + 1us);
  EXPECT_EQ(change.term.value(), rig.term());
  EXPECT_EQ(
      rig.counters.slots[0].transitions[1][2][static_cast<std::size_t>(Cause::master_down)].get(),
      1U);
  EXPECT_GT(rig.counters.takeover.sum_seconds(), 3.9);
}

TEST(LoopOutput, SlotIsReportedAtStartAndWheneverItChanges) {
  LoopRig rig;
  rig.turn();
  EXPECT_EQ(rig.reports.take<SlotReport>().size(), 1U);
  rig.turn();
  EXPECT_TRUE(rig.reports.take<SlotReport>().empty());
  rig.link_up();
  rig.turn();
  EXPECT_EQ(rig.reports.take<SlotReport>().at(0).role, Role::backup);
  rig.hear(rig.advert(1, 0));
  rig.turn();
  const SlotReport heard = rig.reports.take<SlotReport>().at(0);
  EXPECT_TRUE(heard.master_known);
  EXPECT_EQ(heard.master, IpAddress(test::ip4("192.0.2.1")));
  rig.hear(rig.advert(1, 0));
  rig.turn();
  EXPECT_TRUE(rig.reports.take<SlotReport>().empty());  // nothing new
  rig.command(SetDemotion{0, 3});
  rig.turn();
  EXPECT_EQ(rig.reports.take<SlotReport>().at(0).demotion, 3);
}

TEST(LoopOutput, SlotReportIsRepeatedUntilTheRingTakesIt) {
  LoopRig rig;
  rig.reports.capacity = 0;
  rig.link_up();
  rig.turn();
  EXPECT_EQ(rig.counters.reports_dropped.get(), 2U);
  rig.reports.capacity = 10;
  rig.turn();
  const auto reports = rig.reports.take<SlotReport>();
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_EQ(reports[0].role, Role::backup);
}

TEST(LoopOutput, NoticesAreReportedWithTheirSourceAndCounted) {
  LoopRig rig;
  rig.become_backup();
  rig.hear(rig.advert(255, 255, 9));
  rig.turn();
  const auto notices = rig.reports.take<NoticeRaised>();
  ASSERT_EQ(notices.size(), 1U);
  EXPECT_EQ(notices[0].notice, election::Notice::bow_out_refused);
  EXPECT_EQ(notices[0].source, IpAddress(test::ip4("192.0.2.9")));
  EXPECT_EQ(rig.counters.slots[0]
                .notices[static_cast<std::size_t>(election::Notice::bow_out_refused)]
                .get(),
            1U);
}

// ---- L3 -----------------------------------------------------------------------------------------

TEST(LoopOutput, L3RefusedAdvertisementIsTriedAgainAndTheLeaseEndsInTime) {
  LoopRig rig;
  rig.become_backup();
  rig.clock.advance(4s);
  rig.listen();
  rig.turn_after(1us);
  rig.adopt(0);
  unsigned tried = 0;
  for (int i = 0; i < 12; ++i) {
    rig.up[0].try_send(TransmitRefused{kSlot, Family::ipv4, Term(rig.term())});
    rig.turn_after(100us);
    for (const auto& frame : rig.adopt(0)) tried += frame.kind == FrameKind::advertisement;
  }
  EXPECT_GE(tried, 3U);
  EXPECT_EQ(rig.term(), 0U);  // 1 ms and no advertisement left
}

TEST(LoopOutput, L3RefusalOfAnEarlierTermIsIgnored) {
  LoopRig rig;
  rig.become_master();
  rig.up[0].try_send(TransmitRefused{kSlot, Family::ipv4, Term(rig.term() + 1)});
  rig.turn();
  rig.turn_after(1ms);
  EXPECT_TRUE(rig.adopt(0).empty());
}

}  // namespace
}  // namespace koi::controlplane::loop_output_test
