// A number and a moment in one word, rounded to the safe side: slot_board.h.
#include <memory>
#include <random>

#include <gtest/gtest.h>

#include "common/contract/slot_board.h"

namespace koi::stamp_test {
namespace {

constexpr std::int64_t kUnitNs = 1 << 14;
constexpr Duration kUnit{kUnitNs};
constexpr Duration kWrap{kUnitNs << 40};

TEST(Stamp, EmptyWordIsNumberZero) {
  constexpr Stamp stamp;
  EXPECT_EQ(stamp.word(), 0U);
  EXPECT_EQ(stamp.number(), 0U);
  EXPECT_TRUE(stamp.is_number_of(0));
  EXPECT_FALSE(stamp.is_number_of(1));
  EXPECT_FALSE(stamp.is_after(Instant{}));
}

TEST(Stamp, LayoutOfTheWord) {
  EXPECT_EQ(Stamp(0xabcdef, Instant(0ns)).word(), 0xabcdef'0000000000ULL);
  EXPECT_EQ(Stamp(0, Instant(kUnit)).word(), 1U);
  EXPECT_EQ(Stamp(0, Instant(kUnit - 1ns)).word(), 0U);
  EXPECT_EQ(Stamp(1, Instant(kWrap - 1ns)).word(), 0x1'ffffffffffULL);
  EXPECT_EQ(Stamp::from_word(0x123456'789abcdef0ULL).number(), 0x123456U);
}

TEST(Stamp, NumberIsItsLow24Bits) {
  for (const std::uint64_t n : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{0xffffff},
                                std::uint64_t{0x1000000}, std::uint64_t{0x1000001}, UINT64_MAX}) {
    const Stamp stamp(n, Instant(kWrap - 1ns));
    EXPECT_EQ(stamp.number(), n & 0xffffff);
    EXPECT_TRUE(stamp.is_number_of(n));
    EXPECT_FALSE(stamp.is_number_of(n + 1));
    EXPECT_FALSE(stamp.is_number_of(n - 1));
  }
}

TEST(Stamp, WithNumberKeepsTheMoment) {
  const Stamp stamp(7, Instant(12345s));
  EXPECT_EQ(stamp.with_number(9).word(), Stamp(9, Instant(12345s)).word());
  EXPECT_EQ(stamp.with_number(0x1000009).word(), Stamp(9, Instant(12345s)).word());
}

// What every user of a Stamp relies on, for one pair of moments less than 104 days apart.
void expect_safe(Instant moment, Instant now) {
  const Stamp stamp(1, moment);
  const Duration truth = moment - now;
  if (stamp.is_after(now)) {
    ASSERT_GT(truth, 0ns) << moment.time_since_epoch().count();
  }
  if (truth >= kUnit) {
    ASSERT_TRUE(stamp.is_after(now)) << truth.count();
  }
  ASSERT_LE(stamp.left(now), truth);
  ASSERT_GE(stamp.left(now), truth - 2 * kUnit);
  ASSERT_GE(stamp.age(now), -truth);
  ASSERT_LE(stamp.age(now), -truth + 2 * kUnit);
}

TEST(Stamp, RoundsToTheSafeSideAroundEveryBoundary) {
  const Duration starts[] = {0s,    10s,        kWrap / 2 - kUnit, kWrap / 2, kWrap - kUnit,
                             kWrap, kWrap + 3s, 5 * kWrap};
  const Duration offsets[] = {0ns, 1ns, kUnit / 2, kUnit - 1ns, kUnit, kUnit + 1ns};
  for (const Duration start : starts) {
    for (const Duration of_moment : offsets) {
      for (const Duration of_now : offsets) {
        for (int units = -3; units <= 3; ++units) {
          const Instant now(start + of_now + 4 * kUnit);
          expect_safe(Instant(start + of_moment + (4 + units) * kUnit), now);
        }
      }
    }
  }
}

TEST(Stamp, RoundsToTheSafeSideAtRandom) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 200'000; ++i) {
    const Instant now(Duration(static_cast<std::int64_t>(random() % (1ULL << 61)) + kWrap.count()));
    const auto apart = static_cast<std::int64_t>(random() >> (random() % 40 + 11));
    const auto near = apart % (kWrap.count() / 2 - 2 * kUnitNs);
    expect_safe(now + Duration(near), now);
    expect_safe(now - Duration(near), now);
  }
}

TEST(Stamp, ExactMomentIsPast) {
  for (const Instant at : {Instant(kUnit), Instant(10s), Instant(kWrap), Instant(kWrap + kUnit)}) {
    EXPECT_FALSE(Stamp(1, at).is_after(at));
    EXPECT_TRUE(Stamp(1, at + kUnit).is_after(at));
    EXPECT_LT(Stamp(1, at).left(at), 0ns);
    EXPECT_GT(Stamp(1, at).age(at), 0ns);
  }
}

TEST(Stamp, AcrossTheWrap) {
  const Instant before(kWrap - 5ms);
  const Stamp stamp(1, before + 1s);
  EXPECT_TRUE(stamp.is_after(before));
  EXPECT_GE(stamp.left(before), 1s - 2 * kUnit);
  EXPECT_FALSE(stamp.is_after(before + 1s));
  EXPECT_TRUE(stamp.is_after(before + 1s - kUnit));
  EXPECT_GE(stamp.age(before + 3s), 2s);
}

TEST(Stamp, RightForAHundredAndFourDays) {
  const Instant now(10s);
  const Duration far = kWrap / 2 - 2 * kUnit;
  EXPECT_GT(far, std::chrono::hours(24 * 104));
  EXPECT_TRUE(Stamp(1, now + far).is_after(now));
  EXPECT_FALSE(Stamp(1, now).is_after(now + far));
  EXPECT_GT(Stamp(1, now).age(now + far), std::chrono::hours(24 * 104));
}

TEST(SlotBoard, StartsWithoutTermDeadlineOrClaim) {
  const auto board = std::make_unique<SlotBoard>();
  for (std::uint16_t s = 0; s < kMaxSlots; ++s) {
    const SlotWords& words = board->slot(SlotIndex(s));
    ASSERT_EQ(words.term.load(), 0U);
    for (const auto& deadline : words.deadline) ASSERT_EQ(deadline.load(), 0U);
    for (const auto& heard : words.heard) ASSERT_EQ(heard.load(), 0U);
    for (const auto& acknowledged : words.acknowledged) ASSERT_EQ(acknowledged.load(), 0U);
  }
}

TEST(SlotBoard, WordsAreLockFreeAndWritersApart) {
  static_assert(std::atomic<std::uint64_t>::is_always_lock_free);
  static_assert(alignof(SlotWords) == 64 && alignof(WorkerWords) == 64);
  const auto board = std::make_unique<SlotBoard>();
  const auto line = [](const void* at) { return reinterpret_cast<std::uintptr_t>(at) / 64; };
  const SlotWords& slot = board->slot(SlotIndex(1));
  EXPECT_NE(line(&slot.term), line(&slot.deadline));
  const WorkerWords& worker = board->worker(WorkerIndex(1));
  EXPECT_NE(line(&worker.polled), line(&worker.gap_acknowledged));
  EXPECT_NE(line(&worker.polled), line(&board->worker(WorkerIndex(2)).polled));
}

}  // namespace
}  // namespace koi::stamp_test
