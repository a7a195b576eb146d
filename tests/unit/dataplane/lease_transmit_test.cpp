// L3, L4, L11: what may be sent with a virtual MAC, and what sending earns.
#include <gtest/gtest.h>

#include "tests/unit/dataplane/two_workers.h"

namespace koi::dataplane::lease_transmit_test {
namespace {

using test::kLan;

class LeaseTransmit : public LeaseTest {};

TEST_F(LeaseTransmit, L3_DeadlineIsTheClockBeforePlusTheLeaseUnderTheTerm) {
  TransmitFrame f = frame(FrameKind::advertisement, Term(0x1234567));
  f.lease = 2850ms;
  const Instant before = now + 123456ns;  // not the poll's time
  first.sent(f, before);
  EXPECT_EQ(deadline().word(), Stamp(0x1234567, before + 2850ms).word());
  EXPECT_TRUE(deadline().is_number_of(0x1234567));
  EXPECT_EQ(deadline().number(), 0x234567U);
}

TEST_F(LeaseTransmit, L3_EachFamilyHasItsDeadline) {
  TransmitFrame f = frame(FrameKind::advertisement);
  f.family = Family::ipv6;
  first.sent(f, now);
  EXPECT_EQ(deadline(Family::ipv4).word(), 0U);
  EXPECT_EQ(deadline(Family::ipv6).word(), Stamp(kTerm.value(), now + 100ms).word());
}

TEST_F(LeaseTransmit, L3_EachAdvertisementMovesIt) {
  promote();
  const std::uint64_t earlier = deadline().word();
  pass(10ms);
  EXPECT_EQ(deadline().word(), earlier);
  first.sent(frame(FrameKind::advertisement), now);
  EXPECT_EQ(deadline().word(), Stamp(kTerm.value(), now + 100ms).word());
}

// C9.7 kept
TEST_F(LeaseTransmit, L3_BowOutMovesNothing) {
  promote();
  const std::uint64_t before = deadline().word();
  set_term(Term(0));
  pass(1ms);
  first.sent(frame(FrameKind::bow_out, Term(0)), now);
  EXPECT_EQ(deadline().word(), before);
}

TEST_F(LeaseTransmit, L3_AnnouncementMovesNothing) {
  promote();
  const std::uint64_t before = deadline().word();
  pass(1ms);
  first.sent(frame(FrameKind::announcement), now);
  EXPECT_EQ(deadline().word(), before);
}

// C13.4 kept
TEST_F(LeaseTransmit, L3_OfSeveralCopiesTheLastMovesIt) {
  promote();
  const std::uint64_t before = deadline().word();
  pass(1ms);
  TransmitFrame copy = frame(FrameKind::advertisement);
  copy.last_copy = false;
  first.sent(copy, now);
  EXPECT_EQ(deadline().word(), before);
  copy.last_copy = true;
  first.sent(copy, now);
  EXPECT_EQ(deadline().word(), Stamp(kTerm.value(), now + 100ms).word());
}

TEST_F(LeaseTransmit, L4_AnOwnFrameNeedsNoTermAndMovesNothing) {
  TransmitFrame own = frame(FrameKind::own, Term(0));
  for (const std::uint64_t term : {0U, 5U}) {
    set_term(Term(term));
    own.not_after = now;
    EXPECT_EQ(transmit(own), "ok") << term;
    own.not_after = now - 1ns;
    EXPECT_EQ(transmit(own), "frame_late") << term;
  }
  const std::uint64_t before = deadline().word();
  first.sent(own, now);
  EXPECT_EQ(deadline().word(), before);
}

TEST_F(LeaseTransmit, L3_NothingButSendingMovesIt) {
  promote();
  const std::uint64_t before = deadline().word();
  pass(3ms);
  first.stamp_heard(kLan);
  second.stamp_heard(kLan);
  first.adopted(view);
  answer();
  transmit(frame(FrameKind::advertisement));
  EXPECT_EQ(deadline().word(), before);
}

TEST_F(LeaseTransmit, L4_FirstAdvertisementOfATermNeedsNoLease) {
  set_term(kTerm);
  EXPECT_EQ(transmit(frame(FrameKind::advertisement)), "ok");
}

// C10.2 kept, C10.2 refused
TEST_F(LeaseTransmit, L4_TermIsTheBoards) {
  for (const FrameKind kind :
       {FrameKind::advertisement, FrameKind::announcement, FrameKind::bow_out}) {
    promote();
    for (const std::uint64_t term : {0U, 4U, 6U, 5U + (1U << 24)}) {
      EXPECT_EQ(transmit(frame(kind, Term(term))), "frame_term") << term;
    }
    // A bow-out carries term 0, and nothing else does (L10).
    const bool bow_out = kind == FrameKind::bow_out;
    EXPECT_EQ(transmit(frame(kind)), bow_out ? "frame_term" : "ok");
    set_term(Term(0));
    EXPECT_EQ(transmit(frame(kind)), "frame_term");
    EXPECT_EQ(transmit(frame(kind, Term(0))), bow_out ? "ok" : "frame_term");
  }
}

// C10.2 kept, C10.2 refused
TEST_F(LeaseTransmit, L4_NotAfterToTheBoundary) {
  promote();
  for (const FrameKind kind : {FrameKind::advertisement, FrameKind::announcement}) {
    TransmitFrame f = frame(kind);
    f.not_after = now;
    EXPECT_EQ(transmit(f), "ok");
    f.not_after = now - 1ns;
    EXPECT_EQ(transmit(f), "frame_late");
  }
}

TEST_F(LeaseTransmit, L4_NowIsReadAtTheDriverNotAtThePoll) {
  promote();
  const TransmitFrame f = frame(FrameKind::advertisement);
  EXPECT_EQ(test::verdict(first.refusal(view, f, f.not_after + 1ns)), "frame_late");
}

TEST_F(LeaseTransmit, L4_BowOutHasTermZero) {
  promote();
  const TransmitFrame bow_out = frame(FrameKind::bow_out, Term(0));
  EXPECT_EQ(transmit(bow_out), "frame_term");  // L10: the term is cleared first
  set_term(Term(0));
  EXPECT_EQ(transmit(bow_out), "ok");
  now += 1ms + 1ns;
  EXPECT_EQ(transmit(bow_out), "frame_late");
  now -= 1us;
  set_term(Term(6));  // promoted again meanwhile
  EXPECT_EQ(transmit(bow_out), "frame_term");
}

// C10.1 kept, C10.1 refused
TEST_F(LeaseTransmit, L11_AnnouncementNeedsTheLease) {
  set_term(kTerm);
  view.terms[kLan.value()] = kTerm;
  EXPECT_EQ(transmit(frame(FrameKind::announcement)), "frame_no_lease");
  first.sent(frame(FrameKind::advertisement), now);
  EXPECT_EQ(transmit(frame(FrameKind::announcement)), "ok");
}

TEST_F(LeaseTransmit, L11_AnnouncementNeedsTheView) {
  promote();
  view.terms[kLan.value()] = Term(0);
  EXPECT_EQ(transmit(frame(FrameKind::announcement)), "frame_no_lease");
  EXPECT_EQ(transmit(frame(FrameKind::advertisement)), "ok");
}

TEST_F(LeaseTransmit, L11_AnnouncementWaitsForAllOfL1) {
  promote();
  second.stamp_heard(kLan);
  pass(3ms);
  EXPECT_EQ(transmit(frame(FrameKind::announcement)), "frame_no_lease");
}

TEST_F(LeaseTransmit, TermIsAskedBeforeTheTimeAndTheLease) {
  set_term(kTerm);
  TransmitFrame f = frame(FrameKind::announcement, Term(4));
  f.not_after = now - 1s;
  EXPECT_EQ(transmit(f), "frame_term");
  f.term = kTerm;
  EXPECT_EQ(transmit(f), "frame_late");
}

TEST_F(LeaseTransmit, AdoptedViewIsPublished) {
  EXPECT_EQ(board->worker(kFirst).adopted.load(), 0U);
  view.number = ViewNumber(77);
  first.adopted(view);
  EXPECT_EQ(board->worker(kFirst).adopted.load(), 77U);
  EXPECT_EQ(board->worker(kSecond).adopted.load(), 0U);
}

}  // namespace
}  // namespace koi::dataplane::lease_transmit_test
