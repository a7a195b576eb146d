// L1: when a worker answers for a slot. One test per clause.
#include <gtest/gtest.h>

#include "tests/unit/dataplane/two_workers.h"

namespace koi::dataplane::lease_answer_test {
namespace {

using test::kLan;

class LeaseAnswer : public LeaseTest {};

// C7.9 kept, C11.3 kept
TEST_F(LeaseAnswer, L1_MasterWithALeaseAnswers) {
  promote();
  EXPECT_EQ(answer(), "ok");
  EXPECT_EQ(answer(second), "ok");  // every worker that has the slot's frames, not its sender only
}

// C11.2 refused
TEST_F(LeaseAnswer, L1_ViewIsNotMaster) {
  promote();
  view.terms[kLan.value()] = Term(0);
  EXPECT_EQ(answer(), "not_master");
}

TEST_F(LeaseAnswer, L1_BoardHasNoTerm) {
  promote();
  set_term(Term(0));
  EXPECT_EQ(answer(), "no_lease");
}

TEST_F(LeaseAnswer, L1_BoardHasAnotherTerm) {
  promote();
  for (const std::uint64_t term : {4U, 6U, 5U + (1U << 24)}) {
    set_term(Term(term));
    EXPECT_EQ(answer(), "no_lease") << term;
  }
}

TEST_F(LeaseAnswer, L1_ViewOfAnEarlierTerm) {
  promote(Term(6));
  view.terms[kLan.value()] = Term(5);
  EXPECT_EQ(answer(), "no_lease");
}

// C11.3 refused
TEST_F(LeaseAnswer, L1_NoDeadlineYet) {
  set_term(kTerm);
  view.terms[kLan.value()] = kTerm;
  EXPECT_EQ(answer(), "no_lease");
}

// C7.9 kept, C7.9 refused, C11.3 refused
TEST_F(LeaseAnswer, L1_DeadlineToTheBoundary) {
  for (const Duration fraction : {0ns, 1ns, 8000ns, kUnit - 1ns}) {
    now += fraction;
    promote(kTerm, 10ms);
    const Instant end = now + 10ms;
    pass(10ms - 3 * kUnit);
    ASSERT_EQ(answer(), "ok");
    Instant last_ok = now;
    while (now < end + 3 * kUnit) {
      poll_both(250ns);
      if (answer() == "ok") last_ok = now;
    }
    EXPECT_LT(last_ok, end);
    EXPECT_GT(last_ok, end - 2 * kUnit);
    now = Instant(now.time_since_epoch() / kUnit * kUnit + kUnit);
    poll_both(0us);
  }
}

// C7.9 refused
TEST_F(LeaseAnswer, L1_DeadlineLongPast) {
  promote();
  pass(2s);
  EXPECT_EQ(answer(), "no_lease");
}

TEST_F(LeaseAnswer, L1_NowIsTheStartOfThePoll) {
  promote(kTerm, 10ms);
  pass(9ms);
  EXPECT_EQ(answer(), "ok");
}

TEST_F(LeaseAnswer, L1_DeadlineOfAnotherTerm) {
  promote(Term(4));
  set_term(kTerm);
  view.terms[kLan.value()] = kTerm;
  EXPECT_EQ(answer(), "no_lease");
}

TEST_F(LeaseAnswer, L1_AnotherSlotsWordsAreItsOwn) {
  promote();
  view.terms[test::kTagged.value()] = kTerm;
  EXPECT_EQ(test::verdict(first.refusal(view, test::kTagged)), "no_lease");
}

class TwoFamilies : public LeaseTest {
 protected:
  TwoFamilies() : LeaseTest(0b01, family_bit(Family::ipv4) | family_bit(Family::ipv6)) {}
  void advertise(Family family, Duration length) {
    TransmitFrame f = frame(FrameKind::advertisement);
    f.family = family;
    f.lease = length;
    first.sent(f, now);
  }
};

TEST_F(TwoFamilies, L1_EachNeedsItsDeadline) {
  promote();
  EXPECT_EQ(answer(), "no_lease");
  advertise(Family::ipv6, 100ms);
  EXPECT_EQ(answer(), "ok");
}

TEST_F(TwoFamilies, L1_TheShorterOneEndsIt) {
  for (const Family shorter : {Family::ipv4, Family::ipv6}) {
    promote();
    advertise(Family::ipv4, 100ms);
    advertise(Family::ipv6, 100ms);
    advertise(shorter, 5ms);
    pass(4ms);
    EXPECT_EQ(answer(), "ok");
    pass(1ms);
    EXPECT_EQ(answer(), "no_lease");
  }
}

TEST_F(TwoFamilies, L1_EachDeadlineIsOfTheTerm) {
  promote();
  TransmitFrame old = frame(FrameKind::advertisement, Term(4));
  old.family = Family::ipv6;
  first.sent(old, now);
  EXPECT_EQ(answer(), "no_lease");
}

class OneFamily : public LeaseTest {
 protected:
  OneFamily() : LeaseTest(0b01, family_bit(Family::ipv6)) {}
};

TEST_F(OneFamily, L1_OnlyTheFamiliesTheSlotAdvertisesInCount) {
  promote();
  EXPECT_EQ(answer(), "no_lease");
  TransmitFrame f = frame(FrameKind::advertisement);
  f.family = Family::ipv6;
  first.sent(f, now);
  board->slot(kLan).deadline[0].store(0);
  EXPECT_EQ(answer(), "ok");
}

// ---- heard -------------------------------------------------------------------------------------

TEST_F(LeaseAnswer, L1_HeardOlderThanAMillisecond) {
  promote();
  second.stamp_heard(kLan);
  const Instant since = now;
  EXPECT_EQ(answer(), "ok");
  Instant last_ok = now;
  while (now < since + 1200us) {
    poll_both(1us);
    if (answer() == "ok") last_ok = now;
  }
  EXPECT_LE(last_ok - since, 1ms);
  EXPECT_GT(last_ok - since, 1ms - 3 * kUnit);
  EXPECT_EQ(answer(second), "no_lease");  // its own as well as another's
}

TEST_F(LeaseAnswer, L1_HeardAndAcknowledged) {
  promote();
  const std::uint32_t number = second.stamp_heard(kLan);
  pass(5ms);
  ASSERT_EQ(answer(), "no_lease");
  acknowledge(kSecond, number - 1);
  EXPECT_EQ(answer(), "no_lease");
  acknowledge(kSecond, number + 1);
  EXPECT_EQ(answer(), "no_lease");
  acknowledge(kFirst, number);  // another worker's number
  EXPECT_EQ(answer(), "no_lease");
  acknowledge(kFirst, 0);
  acknowledge(kSecond, number);
  EXPECT_EQ(answer(), "ok");
}

TEST_F(LeaseAnswer, L1_HeardBelongsToItsSlot) {
  promote();
  second.stamp_heard(test::kForeign);
  pass(5ms);
  EXPECT_EQ(answer(), "ok");
}

// ---- the other receivers -----------------------------------------------------------------------

TEST_F(LeaseAnswer, L1_AnotherReceiversPollTooOld) {
  promote();
  const Instant last = now;
  Instant last_ok = now;
  while (now < last + 1100us) {
    now += 1us;
    poll(first, now);
    if (answer() == "ok") last_ok = now;
  }
  EXPECT_LE(last_ok - last, 1ms);
  EXPECT_GE(last_ok - last, 1ms - 2 * WorkerLease::kPublishEvery);
  poll(second, now);  // awake, but with a gap
  EXPECT_EQ(answer(), "no_lease");
}

/// A better master's advertisement comes just after another worker's poll has begun, and that
/// worker stands still in its next poll, before it has stamped it: this one answers for 1 ms after
/// it came, not after the poll that has it.
// C11.16 kept
TEST_F(LeaseAnswer, L1_AnotherReceiverStandsStillBeforeItHasStamped) {
  promote();
  poll_both(100us);
  const Instant came = now;
  for (int i = 0; i < 9; ++i) {
    now += 100us;
    poll(first, now);
  }
  second.begin_poll(now);  // 0.9 ms after its last poll: no gap
  Instant last_ok = now;
  while (now < came + 3ms) {
    now += 10us;
    poll(first, now);
    if (answer() == "ok") last_ok = now;
  }
  EXPECT_LE(last_ok - came, 1ms);
}

TEST_F(LeaseAnswer, L1_AnotherReceiverThatNeverPolled) {
  promote();
  board->worker(kSecond).emptied.store(0);
  EXPECT_EQ(answer(), "no_lease");
}

TEST_F(LeaseAnswer, L1_AnotherReceiverAheadOfThisPoll) {
  promote();
  poll(second, now + 300us);
  EXPECT_EQ(answer(), "ok");
}

TEST_F(LeaseAnswer, L1_PollsArePublishedOftenEnough) {
  promote();
  Instant last{};
  for (int i = 0; i < 1000; ++i) {
    poll_both(7us);
    EXPECT_LE(now - board->polled(kSecond), 100us);
    EXPECT_LE(now - board->emptied(kSecond), 100us);
    EXPECT_GE(board->emptied(kSecond), last);
    last = board->emptied(kSecond);
  }
}

TEST_F(LeaseAnswer, L1_AnotherReceiversGap) {
  promote();
  pass(500us);
  now += 1100us;  // the first goes on meanwhile
  poll(first, now - 500us);
  poll(first, now);
  poll(second, now);
  ASSERT_EQ(gap_of(kSecond), 1U);
  ASSERT_EQ(gap_of(kFirst), 0U);
  EXPECT_EQ(answer(), "no_lease");
  acknowledge_gap(kSecond);
  EXPECT_EQ(answer(), "ok");
}

/// More waits in the queues than this worker can handle in time: a better master's advertisement
/// that came at `came` may be behind it, and this worker answers for 1 ms after that and no longer.
// C11.17 refused
TEST_F(LeaseAnswer, L1_NotWhileAClaimMayWaitBehindOthers) {
  promote();
  const Instant came = now;
  Instant last_ok = now;
  while (now < came + 3ms) {
    now += 300us;
    poll(second, now);
    first.begin_poll(now);
    if (answer() == "ok") last_ok = now;
    first.end_poll(came);
  }
  EXPECT_EQ(last_ok, came + 900us);
  EXPECT_EQ(gap_of(kFirst), 0U);
  poll_both(10us);  // all of it has been handled
  poll_both(10us);
  EXPECT_EQ(answer(), "ok");
}

/// The same of another receiver.
TEST_F(LeaseAnswer, L1_NotWhileAClaimMayWaitBehindOthersAtAnotherReceiver) {
  promote();
  const Instant came = now;
  Instant last_ok = now;
  while (now < came + 3ms) {
    now += 300us;
    second.begin_poll(now);
    second.end_poll(came);
    poll(first, now);
    if (answer() == "ok") last_ok = now;
  }
  EXPECT_EQ(last_ok, came + 900us);
  EXPECT_EQ(gap_of(kSecond), 0U);
  poll_both(10us);
  EXPECT_EQ(answer(), "ok");
}

class OtherPortsWorker : public LeaseTest {
 protected:
  OtherPortsWorker() : LeaseTest(0b01) {}  // the second receives nothing of this port
};

TEST_F(OtherPortsWorker, L1_DoesNotCount) {
  promote();
  second.stamp_heard(kLan);
  now += 5ms;
  poll(second, now);  // a gap
  for (Instant at = kStart; at < now + 5ms; at += 500us) poll(first, at);
  EXPECT_EQ(answer(), "ok");
}

TEST_F(OtherPortsWorker, L1_ItsOwnGapAndHeardDo) {
  promote();
  first.stamp_heard(kLan);
  for (Instant at = now; at < now + 3ms; at += 500us) poll(first, at);
  EXPECT_EQ(answer(), "no_lease");
}

// What was allowed at the poll must leave within 1 ms of the earliest moment since which a better
// master may be claiming the slot.

TEST_F(LeaseAnswer, L1_InTimeCountsFromWhenNothingWasLeft) {
  promote();
  const Instant drained = now;
  for (int i = 0; i < 3; ++i) {
    now += 200us;
    first.begin_poll(now);
    first.end_poll(drained);
  }
  ASSERT_EQ(answer(), "ok");
  EXPECT_TRUE(first.in_time(drained + 1ms));
  EXPECT_FALSE(first.in_time(drained + 1ms + 1ns));
}

TEST_F(LeaseAnswer, L1_InTimeCountsFromThePollBefore) {
  promote();
  const Instant before = now;
  now += 300us;
  poll(second, now);
  first.begin_poll(now);
  ASSERT_EQ(answer(), "ok");
  EXPECT_TRUE(first.in_time(before + 1ms));
  EXPECT_FALSE(first.in_time(before + 1ms + 1ns));
}

TEST_F(LeaseAnswer, L1_InTimeCountsFromTheOldestUndecidedClaim) {
  promote();
  const Instant before = now;
  now += 100us;
  poll(second, now);
  first.begin_poll(now);
  first.stamp_heard(test::kLan);  // dated with the poll before
  first.end_poll(now);
  pass(300us);
  ASSERT_EQ(answer(), "ok");
  EXPECT_FALSE(first.in_time(before + 1ms + 1ns));
  EXPECT_TRUE(first.in_time(before + 900us));
  acknowledge(kFirst, 1);
  pass(WorkerLease::kJudgedFor);
  ASSERT_EQ(answer(), "ok");
  EXPECT_TRUE(first.in_time(before + 1ms + 1ns));
}

TEST_F(LeaseAnswer, L1_InTimeCountsFromAnotherReceiversPoll) {
  promote();
  const Instant theirs = now;  // the second worker's last poll
  for (int i = 0; i < 5; ++i) {
    now += 100us;
    first.begin_poll(now);
    first.end_poll(now);
  }
  ASSERT_EQ(answer(), "ok");
  EXPECT_TRUE(first.in_time(theirs + 1ms));
  EXPECT_FALSE(first.in_time(theirs + 1ms + 1ns));
}

TEST_F(LeaseAnswer, L1_WithoutASharedAnswerThereIsNoHurry) {
  pass(100us);
  EXPECT_TRUE(first.in_time(now + 1s));
}

}  // namespace
}  // namespace koi::dataplane::lease_answer_test
