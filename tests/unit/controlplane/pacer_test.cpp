#include "controlplane/pacer.h"

#include <gtest/gtest.h>

namespace koi::controlplane::pacer_test {
namespace {

constexpr Instant kStart{1000s};

// C10.9 kept
TEST(Pacer, ABurstThenOneForEachInterval) {
  Pacer pacer;
  EXPECT_EQ(pacer.take(kStart, 10), 10U);
  EXPECT_EQ(pacer.take(kStart, 1000), 246U);
  EXPECT_EQ(pacer.take(kStart, 1), 0U);
  EXPECT_EQ(pacer.take(kStart + 3999ns, 1), 0U);
  EXPECT_EQ(pacer.take(kStart + 4us, 2), 1U);
  EXPECT_EQ(pacer.take(kStart + 12us, 5), 2U);
}

TEST(Pacer, NoPartOfAnIntervalIsLost) {
  Pacer pacer(2, 4us);
  EXPECT_EQ(pacer.take(kStart, 2), 2U);
  std::size_t sent = 0;  // asked every 3 µs for 1.2 ms: 300 intervals
  for (int turn = 1; turn <= 400; ++turn) sent += pacer.take(kStart + turn * 3us, 1);
  EXPECT_EQ(sent, 300U);
}

TEST(Pacer, RestSavesUpOneBurstOnly) {
  Pacer pacer(8, 1us);
  EXPECT_EQ(pacer.take(kStart, 100), 8U);
  EXPECT_EQ(pacer.take(kStart + 3600s, 100), 8U);
  EXPECT_EQ(pacer.take(kStart + 3600s, 100), 0U);
}

// 255 vhids with 16 addresses each, a turn every 200 µs: at most 20 ms.
// C10.9 kept
TEST(Pacer, AllAddressesOfAFullPortInTwentyMilliseconds) {
  Pacer pacer;
  std::size_t left = std::size_t{255} * 16;
  Instant now = kStart;
  for (left -= pacer.take(now, left); left != 0; left -= pacer.take(now, left)) now += 200us;
  EXPECT_LE(now - kStart, 20ms);
  EXPECT_GE(now - kStart, 15ms);  // and not all at once
}

}  // namespace
}  // namespace koi::controlplane::pacer_test
