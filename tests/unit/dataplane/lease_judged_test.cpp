// L1: a slot that was judged is not judged again for kJudgedFor, and what ends that at once.
#include <gtest/gtest.h>

#include "tests/unit/dataplane/two_workers.h"

namespace koi::dataplane::lease_judged_test {
namespace {

constexpr Duration kJudgedFor = WorkerLease::kJudgedFor;

class LeaseJudged : public LeaseTest {
 protected:
  /// Judged in a poll that began at `judged`.
  LeaseJudged() {
    promote();
    EXPECT_EQ(answer(), "ok");
    judged = now;
  }
  std::string answer_after(Duration time) {
    now = judged + time;
    poll(first, now);
    return answer();
  }

  Instant judged;
};

TEST_F(LeaseJudged, L1_ATermThatIsClearedIsSeenInTime) {
  set_term(Term(0));
  EXPECT_EQ(answer_after(kJudgedFor - 1ns), "ok");
  EXPECT_EQ(answer_after(kJudgedFor), "no_lease");
}

/// From the first poll on, not from the last: a worker polls every few microseconds.
TEST_F(LeaseJudged, L1_TheTimeIsNotProlonged) {
  set_term(Term(0));
  Duration last_ok{};
  for (Duration time{}; time < 3 * kJudgedFor; time += 1us) {
    if (answer_after(time) == "ok") last_ok = time;
  }
  EXPECT_EQ(last_ok, kJudgedFor - 1us);
}

TEST_F(LeaseJudged, L7_AClaimOfItsOwnEndsIt) {
  set_term(Term(0));
  first.stamp_heard(test::kForeign);
  EXPECT_EQ(answer(), "no_lease");
}

TEST_F(LeaseJudged, L2_AViewEndsIt) {
  view.terms[test::kLan.value()] = Term(0);
  first.adopted(view);
  EXPECT_EQ(answer(), "not_master");
}

TEST_F(LeaseJudged, L8_AGapEndsIt) {
  poll(second, judged + 1ms);
  EXPECT_EQ(answer_after(1ms + 1ns), "no_lease");
  EXPECT_TRUE(first.in_gap() || first.gap_to_report());
}

/// The other worker has been silent: its millisecond is over before the judgement is.
TEST_F(LeaseJudged, L1_AToleranceThatRunsOutEndsIt) {
  for (Duration time = 100us; time <= 900us; time += 100us) ASSERT_EQ(answer_after(time), "ok");
  ASSERT_EQ(answer_after(990us), "ok");  // judged anew here
  EXPECT_EQ(answer_after(1ms), "ok");
  EXPECT_EQ(answer_after(1ms + 1ns), "no_lease");
}

/// Another slot's judgement is none for this one, though both are kept at the same place.
TEST_F(LeaseJudged, L1_EachSlotHasItsOwn) {
  for (std::uint16_t s = 0; s < kMaxSlots; ++s) {
    EXPECT_EQ(first.has_allowed(SlotIndex(s)), SlotIndex(s) == test::kLan) << s;
  }
}

/// A claim that another worker has while the judgement lasts: what it allowed must leave within
/// 1 ms of when the claim came.
TEST_F(LeaseJudged, L7_AnotherWorkersClaimIsWithinTheTime) {
  poll(second, judged);
  const Instant came = judged + 1ns;  // just after the second worker's last poll that emptied
  second.begin_poll(judged + 2us);
  second.stamp_heard(test::kLan);
  second.end_poll(judged + 2us);
  ASSERT_EQ(answer_after(kJudgedFor - 1ns), "ok");
  EXPECT_TRUE(first.in_time(judged + 1ms));
  EXPECT_FALSE(first.in_time(came + 1ms));
}

/// The limit is as of the judgement, not as of the poll that goes on with it.
TEST_F(LeaseJudged, L1_InTimeCountsFromTheJudgement) {
  for (Duration time = 1us; time < kJudgedFor; time += 1us) ASSERT_EQ(answer_after(time), "ok");
  EXPECT_TRUE(first.in_time(judged + 1ms));
  EXPECT_FALSE(first.in_time(judged + 1ms + 1ns));
}

/// The earliest of what was judged counts for all of it.
TEST_F(LeaseJudged, L1_InTimeCountsFromTheEarliestJudgement) {
  const Instant theirs = judged;
  ASSERT_EQ(answer_after(600us), "ok");
  poll(second, now);  // for what is judged from here on there is more time
  ASSERT_EQ(answer_after(600us + kJudgedFor / 2), "ok");
  EXPECT_FALSE(first.judge(view, test::kLan));  // anew, as an announcement is
  EXPECT_FALSE(first.in_time(theirs + 1ms + 1ns));
}

}  // namespace
}  // namespace koi::dataplane::lease_judged_test
