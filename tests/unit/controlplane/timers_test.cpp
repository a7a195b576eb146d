#include "controlplane/election/timers.h"

#include <cstdint>

#include <gtest/gtest.h>

#include "controlplane/election/types.h"

namespace koi::election::timers_test {
namespace {

/// protocol.md §6, printed there in ms and cut off after the third digit.
struct Row {
  unsigned advbase, advskew;
  double send_ms, master_down_ms;
};
constexpr Row kTable[] = {
    {0, 0, 3.906, 11.718},       {0, 1, 3.906, 11.718},        {0, 2, 7.812, 23.437},
    {0, 100, 390.625, 1171.875}, {1, 0, 1000, 3000},           {1, 100, 1390.625, 3390.625},
    {1, 240, 1937.5, 3937.5},    {1, 254, 1992.187, 3992.187},
};

double cut(Duration d) { return static_cast<double>(d.count() / 1000) / 1000; }

// C1.4 kept, C7.1 kept, C7.2 kept
TEST(Timers, TableOfTheProtocol) {
  for (const Row& row : kTable) {
    SCOPED_TRACE(testing::Message() << row.advbase << "," << row.advskew);
    EXPECT_DOUBLE_EQ(cut(send_interval(row.advbase, row.advskew)), row.send_ms);
    EXPECT_DOUBLE_EQ(cut(master_down_interval(row.advbase, row.advskew, 3)), row.master_down_ms);
  }
}

// C7.2 kept
TEST(Timers, DeadRatioCountsTheAdvertisementsMissed) {
  EXPECT_EQ(master_down_interval(1, 128, 5), 5500ms);
  EXPECT_EQ(master_down_interval(254, 254, 255), 64770s + skew(254));
  // With advbase 0 it is always three of our own skew.
  EXPECT_EQ(master_down_interval(0, 64, 5), 750ms);
}

// C7.9 kept
TEST(Timers, L5LeaseIsShorterThanAnyMasterDownByAGuard) {
  EXPECT_EQ(lease_length(1, 0, 3), 2850ms);    // 5 %
  EXPECT_EQ(lease_length(1, 200, 3), 2850ms);  // lowest-advskew counts with advbase 0 only
  EXPECT_EQ(lease_length(2, 0, 3), 5700ms);
  EXPECT_EQ(lease_length(1, 0, 5), 4750ms);
  EXPECT_EQ(lease_length(254, 0, 255), Duration(61531'500ms));
  EXPECT_EQ(lease_length(0, 100, 3), Duration(1'113'281'250));  // 1171.875 ms less 5 %
}

// C7.9 kept
TEST(Timers, L5LeaseWithAdvbaseZero) {
  // 3 * max(lowest-advskew, 1) / 256 s; under 50 ms the guard is 10 %, and never under 1 ms.
  EXPECT_EQ(lease_length(0, 0, 3), Duration(11'718'750 - 1'171'875));
  EXPECT_EQ(lease_length(0, 1, 3), Duration(11'718'750 - 1'171'875));
  EXPECT_EQ(lease_length(0, 2, 3), Duration(23'437'500 - 2'343'750));
  EXPECT_EQ(lease_length(0, 4, 3), Duration(46'875'000 - 4'687'500));
  EXPECT_EQ(lease_length(0, 5, 3), Duration(58'593'750 - 2'929'687));  // 5 % from here on
  for (unsigned lowest = 0; lowest < 255; ++lowest) {
    const Duration shortest = master_down_interval(0, lowest, 3);
    EXPECT_GE(shortest - lease_length(0, lowest, 3), 1ms) << lowest;
    EXPECT_GE(shortest - lease_length(0, lowest, 3), shortest / 20) << lowest;
  }
}

TEST(Timers, L5LeaseOutlastsTheSendIntervalOfEveryAllowedAdvskew) {
  for (unsigned lowest = 0; lowest < 128; ++lowest) {
    const unsigned highest = 2 * (lowest == 0 ? 1 : lowest);  // what the configuration allows
    EXPECT_GT(lease_length(0, lowest, 3), send_interval(0, highest)) << lowest;
  }
  EXPECT_GT(lease_length(1, 0, 3), send_interval(1, 254));
}

// C7.10 kept
TEST(Timers, L5SmallestAdvbaseHeardShortensTheLease) {
  Parameters p;
  p.advbase = 3;
  State s;
  EXPECT_EQ(lease_length(p, s), 8550ms);
  s.smallest_advbase = 1;
  EXPECT_EQ(lease_length(p, s), 2850ms);
  s.smallest_advbase = 10;  // larger than ours: nothing to it
  EXPECT_EQ(lease_length(p, s), 8550ms);
}

// C9.9 kept
TEST(Timers, TakeoverDelayIsFiveMicrosecondsPerAdvskew) {
  EXPECT_EQ(takeover_delay(0), 0us);
  EXPECT_EQ(takeover_delay(1), 5us);
  EXPECT_EQ(takeover_delay(254), 1270us);
}

}  // namespace
}  // namespace koi::election::timers_test
