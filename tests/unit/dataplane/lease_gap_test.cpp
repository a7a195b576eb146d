// L8: a worker that was away answers for nothing until all is emptied and acknowledged.
#include <gtest/gtest.h>

#include "tests/unit/dataplane/two_workers.h"

namespace koi::dataplane::lease_gap_test {
namespace {

using test::kLan;

class LeaseGap : public LeaseTest {
 protected:
  LeaseGap() : LeaseTest(0b01) { promote(kTerm, 10s); }
  void begin(Duration after) {
    now += after;
    first.begin_poll(now);
  }
  void poll_after(Duration after) {
    begin(after);
    drained = now;
    first.end_poll(drained);
  }
  void poll_with_more_waiting(Duration after) {
    begin(after);
    first.end_poll(drained);
  }

  Instant drained = now;
};

TEST_F(LeaseGap, L8_JustAMillisecondIsNone) {
  poll_after(1ms);
  EXPECT_EQ(gap_of(kFirst), 0U);
  EXPECT_EQ(answer(), "ok");
  EXPECT_FALSE(first.in_gap());
  EXPECT_FALSE(first.gap_to_report());
}

TEST_F(LeaseGap, L8_AboveAMillisecondIsOne) {
  begin(1ms + 1ns);
  EXPECT_EQ(gap_of(kFirst), 1U);
  EXPECT_EQ(answer(), "no_lease");
  EXPECT_TRUE(first.in_gap());
}

TEST_F(LeaseGap, L8_FirstPollIsNone) {
  WorkerLease third(*board, WorkerIndex(2));
  third.begin_poll(now);
  EXPECT_EQ(gap_of(WorkerIndex(2)), 0U);
  EXPECT_FALSE(third.in_gap());
}

TEST_F(LeaseGap, L8_MeasuredFromPollToPollAndNotFromPublication) {
  poll_after(40us);  // too soon to be published
  poll_after(1ms);
  EXPECT_EQ(gap_of(kFirst), 0U);
}

TEST_F(LeaseGap, L8_PublishedAtOnceWithThePoll) {
  const Instant before = now;
  begin(2ms);
  EXPECT_EQ(board->polled(kFirst), now);
  EXPECT_EQ(board->emptied(kFirst), before);  // what came since is not stamped yet
  begin(10us);
  EXPECT_EQ(board->polled(kFirst), now - 10us);
  begin(40us);
  EXPECT_EQ(board->polled(kFirst), now);
  EXPECT_EQ(board->emptied(kFirst), before);
}

TEST_F(LeaseGap, L8_EmptiedAloneIsNotEnough) {
  poll_after(2ms);
  EXPECT_FALSE(first.in_gap());
  for (int i = 0; i < 20; ++i) {
    poll_after(500us);
    EXPECT_EQ(answer(), "no_lease");
  }
}

TEST_F(LeaseGap, L8_AcknowledgedAloneIsNotEnough) {
  poll_with_more_waiting(2ms);
  acknowledge_gap(kFirst);
  for (int i = 0; i < 20; ++i) {
    poll_with_more_waiting(500us);
    EXPECT_EQ(answer(), "no_lease");
    EXPECT_TRUE(first.in_gap());
  }
}

TEST_F(LeaseGap, L8_BothTogetherEndIt) {
  poll_after(2ms);
  acknowledge_gap(kFirst);
  EXPECT_EQ(answer(), "no_lease");  // seen at the next poll
  poll_after(100us);
  EXPECT_EQ(answer(), "ok");
}

TEST_F(LeaseGap, L8_AcknowledgementOfAnEarlierGapIsNotEnough) {
  poll_after(2ms);
  acknowledge_gap(kFirst);
  poll_after(100us);
  poll_after(2ms);
  poll_after(100us);
  EXPECT_EQ(answer(), "no_lease");
  acknowledge_gap(kFirst);
  poll_after(100us);
  EXPECT_EQ(answer(), "ok");
}

TEST_F(LeaseGap, L8_SecondGapWhileHoldingStartsAnew) {
  poll_after(2ms);
  ASSERT_TRUE(first.gap_to_report());
  poll_with_more_waiting(2ms);
  EXPECT_EQ(gap_of(kFirst), 2U);
  EXPECT_TRUE(first.in_gap());
  board->worker(kFirst).gap_acknowledged.store(1);
  poll_with_more_waiting(100us);
  EXPECT_EQ(answer(), "no_lease");
  poll_after(100us);
  poll_after(100us);
  EXPECT_EQ(answer(), "no_lease");
  board->worker(kFirst).gap_acknowledged.store(2);
  poll_after(100us);
  EXPECT_EQ(answer(), "ok");
}

TEST_F(LeaseGap, L8_SecondGapIsReportedThoughTheFirstWas) {
  poll_after(2ms);
  first.gap_reported();
  poll_after(3ms);
  const std::optional<PollGap> gap = first.gap_to_report();
  ASSERT_TRUE(gap);
  EXPECT_EQ(gap->number, 2U);
}

TEST_F(LeaseGap, L8_ReportedOnlyOnceTheQueueWasEmptied) {
  poll_with_more_waiting(7ms);
  EXPECT_FALSE(first.gap_to_report());
  poll_with_more_waiting(100us);
  EXPECT_FALSE(first.gap_to_report());
  poll_after(100us);
  const std::optional<PollGap> gap = first.gap_to_report();
  ASSERT_TRUE(gap);
  EXPECT_EQ(gap->number, 1U);
  EXPECT_EQ(gap->length, 7ms);
  EXPECT_FALSE(gap->frames_lost);
}

TEST_F(LeaseGap, L8_DrainedAsOfAMomentBeforeTheGapIsNotEmptied) {
  const Instant before = now;
  begin(2ms);
  first.end_poll(before);
  EXPECT_TRUE(first.in_gap());
  EXPECT_FALSE(first.gap_to_report());
}

TEST_F(LeaseGap, L8_ReportStaysUntilItWasSent) {
  poll_after(2ms);
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(first.gap_to_report());
    poll_after(100us);
  }
  first.gap_reported();
  EXPECT_FALSE(first.gap_to_report());
  poll_after(100us);
  EXPECT_FALSE(first.gap_to_report());
}

TEST_F(LeaseGap, L8_HoldsForEverySlot) {
  view.terms[test::kTagged.value()] = Term(9);
  board->slot(test::kTagged).term.store(9);
  first.sent(frame(FrameKind::advertisement, Term(9), test::kTagged), now);
  ASSERT_EQ(test::verdict(first.refusal(view, test::kTagged)), "ok");
  poll_after(2ms);
  EXPECT_EQ(test::verdict(first.refusal(view, test::kTagged)), "no_lease");
}

TEST_F(LeaseGap, L8_BackupSaysThatItIsBackup) {
  poll_after(2ms);
  view.terms[kLan.value()] = Term(0);
  EXPECT_EQ(answer(), "not_master");
}

TEST_F(LeaseGap, L8_NoAnnouncementEither) {
  poll_after(2ms);
  EXPECT_EQ(transmit(frame(FrameKind::announcement)), "frame_no_lease");
}

TEST_F(LeaseGap, L8_NothingIsDiscarded) {
  test::World world;
  world.reign(kLan);
  world.now += 5ms;
  world.lease.begin_poll(world.now);
  ASSERT_TRUE(world.lease.in_gap());
  EXPECT_EQ(world.verdict_on(test::arp({})), "no_lease");
  EXPECT_EQ(world.verdict_on(test::frame(test::Advert{})), "taken");
  EXPECT_NE(world.up.advert(0), nullptr);
  EXPECT_EQ(world.verdict_on(test::arp({.target_ip = test::kOwnIp})), "answer");
}

}  // namespace
}  // namespace koi::dataplane::lease_gap_test
