// L7: what a worker stamps when it hears a verified foreign advertisement.
#include <gtest/gtest.h>

#include "tests/unit/dataplane/two_workers.h"

namespace koi::dataplane::lease_heard_test {
namespace {

using test::kLan;

class LeaseHeard : public LeaseTest {};

TEST_F(LeaseHeard, L7_NumberGrows) {
  for (std::uint32_t n = 1; n <= 5; ++n) {
    EXPECT_EQ(first.stamp_heard(kLan), n);
    EXPECT_EQ(heard(kFirst).number(), n);
    if (n == 2) acknowledge(kFirst, n);
  }
}

TEST_F(LeaseHeard, L7_NumberWraps) {
  board->slot(kLan).heard[0].store(Stamp(Stamp::kNumberMask, now).word());
  acknowledge(kFirst, Stamp::kNumberMask);
  EXPECT_EQ(first.stamp_heard(kLan), 0U);
  pass(2ms);
  promote();
  EXPECT_EQ(answer(), "no_lease");
  acknowledge(kFirst, 0);
  EXPECT_EQ(answer(), "ok");
}

TEST_F(LeaseHeard, L7_EachSlotAndWorkerHasItsOwn) {
  EXPECT_EQ(first.stamp_heard(kLan), 1U);
  EXPECT_EQ(first.stamp_heard(test::kTagged), 1U);
  EXPECT_EQ(second.stamp_heard(kLan), 1U);
  EXPECT_EQ(heard(kFirst, test::kForeign).word(), 0U);
}

TEST_F(LeaseHeard, L7_DatedWithTheStartOfThePreviousPollThatLeftNothing) {
  pass(3ms);
  const Instant previous = now;
  now += 700us;
  first.begin_poll(now);
  first.stamp_heard(kLan);
  EXPECT_EQ(heard(kFirst).word(), Stamp(1, previous).word());
}

// What stood behind more than one burst takes has waited for longer than a poll.
TEST_F(LeaseHeard, L7_DatedWithTheMomentAsOfWhichNothingWasLeft) {
  pass(3ms);
  const Instant drained = now;
  for (int i = 0; i < 3; ++i) {
    now += 300us;
    first.begin_poll(now);
    first.end_poll(drained);  // more is waiting
  }
  now += 300us;
  first.begin_poll(now);
  first.stamp_heard(kLan);
  EXPECT_EQ(heard(kFirst).word(), Stamp(1, drained).word());
}

TEST_F(LeaseHeard, L7_FirstPollHasNoOtherBefore) {
  WorkerLease third(*board, WorkerIndex(2));
  third.begin_poll(now);
  third.stamp_heard(kLan);
  EXPECT_EQ(heard(WorkerIndex(2)).word(), Stamp(1, now).word());
}

TEST_F(LeaseHeard, L7_OldestIsKeptWhileOutstanding) {
  first.stamp_heard(kLan);
  const std::uint64_t oldest = heard(kFirst).with_number(0).word();
  for (int i = 0; i < 10; ++i) {
    pass(2ms);
    first.stamp_heard(kLan);
    EXPECT_EQ(heard(kFirst).with_number(0).word(), oldest);
  }
  acknowledge(kFirst, 5);  // an earlier one only
  pass(2ms);
  first.stamp_heard(kLan);
  EXPECT_EQ(heard(kFirst).with_number(0).word(), oldest);
}

TEST_F(LeaseHeard, L7_NewStampOnceAcknowledged) {
  first.stamp_heard(kLan);
  pass(5ms);
  acknowledge(kFirst, 1);
  const Instant previous = now;
  now += 200us;
  first.begin_poll(now);
  first.stamp_heard(kLan);
  EXPECT_EQ(heard(kFirst).word(), Stamp(2, previous).word());
}

TEST_F(LeaseHeard, L7_InAGapDatedWithThePollBeforeIt) {
  pass(2ms);
  const Instant before = now;
  now += 50ms;
  first.begin_poll(now);
  first.end_poll(before);  // more is waiting
  for (int i = 0; i < 4; ++i) {
    now += 300us;
    first.begin_poll(now);
    first.end_poll(before);
  }
  first.stamp_heard(kLan);
  EXPECT_EQ(heard(kFirst).word(), Stamp(1, before).word());
}

TEST_F(LeaseHeard, L7_SecondGapBeforeTheFirstWasEmptiedKeepsTheDate) {
  pass(2ms);
  const Instant before = now;
  for (int i = 0; i < 2; ++i) {
    now += 50ms;
    first.begin_poll(now);
    first.end_poll(before);
  }
  first.stamp_heard(kLan);
  EXPECT_EQ(heard(kFirst).word(), Stamp(1, before).word());
}

TEST_F(LeaseHeard, L7_AfterAnEmptiedGapDatedAsUsual) {
  now += 50ms;
  poll(first, now);
  const Instant previous = now;
  now += 100us;
  first.begin_poll(now);
  first.stamp_heard(kLan);
  EXPECT_EQ(heard(kFirst).word(), Stamp(1, previous).word());
}

TEST_F(LeaseHeard, L7_WhateverTheRole) {
  const auto hear = [](test::World& world, std::uint64_t sequence) {
    ASSERT_EQ(world.verdict_on(test::frame({.counter = test::counter_of(sequence)})), "taken");
    ASSERT_EQ(Stamp::from_word(world.board->slot(kLan).heard[0].load()).number(), sequence);
  };
  test::World world;
  hear(world, 1);  // BACKUP
  world.reign(kLan);
  hear(world, 2);  // MASTER
  world.board->slot(kLan).term.store(0);
  hear(world, 3);  // stepping down
}

// C4.2 refused
TEST_F(LeaseHeard, L7_UnverifiedIsNotHeard) {
  test::World world;
  world.verdict_on(test::frame({.key = "another"}));
  world.verdict_on(test::frame({.version_type = 0x31}));
  test::Advert own;
  own.counter = 0x1000 | test::kOwnNode.value();
  world.verdict_on(test::frame(own));
  EXPECT_EQ(world.board->slot(kLan).heard[0].load(), 0U);
}

/// Looks at the board at the moment a message is queued.
class LookingSender final : public Sender<UpMessage> {
 public:
  explicit LookingSender(SlotBoard& board) : board_(board) {}
  bool try_send(const UpMessage& message) override {
    const VerifiedAdvert& advert = std::get<VerifiedAdvert>(message);
    const std::uint64_t word = board_.slot(advert.slot).heard[0].load();
    stamped = Stamp::from_word(word).is_number_of(advert.heard_number) && word != 0;
    return true;
  }
  bool stamped = false;

 private:
  SlotBoard& board_;
};

TEST_F(LeaseHeard, L7_StampedBeforeItIsQueued) {
  test::World world;
  LookingSender up(*world.board);
  AdvertReceiver receiver(*world.board, world.lease, up, *world.counters);
  test::Bytes bytes = test::frame(test::Advert{});
  EXPECT_EQ(test::verdict(classify(bytes, 0, world.burst(), receiver)), "taken");
  EXPECT_TRUE(up.stamped);
}

}  // namespace
}  // namespace koi::dataplane::lease_heard_test
