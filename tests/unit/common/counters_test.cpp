#include "common/contract/counters.h"

#include <memory>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

namespace koi::counters_test {
namespace {

TEST(Counter, Adds) {
  Counter counter;
  EXPECT_EQ(counter.get(), 0U);
  counter.add();
  counter.add(41);
  counter.add(0);
  EXPECT_EQ(counter.get(), 42U);
}

TEST(Counter, AnyThreadMayRead) {
  Counter counter;
  std::thread writer([&counter] {
    for (int i = 0; i < 10'000; ++i) counter.add(2);
  });
  for (std::uint64_t last = 0; last < 20'000;) {
    const std::uint64_t value = counter.get();
    ASSERT_GE(value, last);
    ASSERT_EQ(value % 2, 0U);
    if (value == last) std::this_thread::yield();
    last = value;
  }
  writer.join();
}

TEST(WorkerCounters, DropGoesToItsPortAndReason) {
  const auto counters = std::make_unique<WorkerCounters>();
  counters->drop(PortIndex(3), DropReason::kRunt);
  counters->drop(PortIndex(3), DropReason::kFrameRefused, 7);
  for (std::size_t port = 0; port < kMaxPorts; ++port) {
    for (std::size_t r = 0; r < kDropReasons; ++r) {
      const auto reason = static_cast<DropReason>(r);
      const std::uint64_t expected = port != 3                             ? 0
                                     : reason == DropReason::kRunt         ? 1
                                     : reason == DropReason::kFrameRefused ? 7
                                                                           : 0;
      EXPECT_EQ(counters->ports[port].drops[r].get(), expected) << port << " " << r;
    }
  }
  static_assert(alignof(WorkerCounters) == 64);
}

TEST(Verdicts, LabelsAreTheReasons) {
  EXPECT_EQ(kVerdictLabels[static_cast<std::size_t>(Verdict::accepted)], "accepted");
  const std::pair<Verdict, DropReason> same[] = {
      {Verdict::version, DropReason::kCarpVersion},
      {Verdict::digest, DropReason::kCarpDigest},
      {Verdict::own, DropReason::kCarpOwn},
      {Verdict::node_id, DropReason::kCarpNodeId},
      {Verdict::replay, DropReason::kCarpReplay},
      {Verdict::ring_full, DropReason::kCarpRingFull},
      {Verdict::trailer_missing, DropReason::kTrailerMissing},
      {Verdict::trailer_scheme, DropReason::kTrailerScheme},
      {Verdict::trailer_key, DropReason::kTrailerKey},
      {Verdict::trailer_mac, DropReason::kTrailerMac},
      {Verdict::trailer_clock, DropReason::kTrailerClock},
      {Verdict::trailer_old, DropReason::kTrailerOld}};
  EXPECT_EQ(std::size(same) + 1, kVerdictLabels.size());
  for (const auto& [verdict, reason] : same) {
    EXPECT_EQ(kVerdictLabels[static_cast<std::size_t>(verdict)], to_string(reason));
  }
}

TEST(Histogram, BoundBelongsToTheLowerBucket) {
  for (std::size_t at = 0; at < Histogram::kBounds.size(); ++at) {
    Histogram histogram;
    histogram.observe(Histogram::kBounds[at]);
    EXPECT_EQ(histogram.bucket(at), 1U);
    histogram.observe(Histogram::kBounds[at] + 1ns);
    EXPECT_EQ(histogram.bucket(at), 1U);
    EXPECT_EQ(histogram.bucket(at + 1), 1U);
  }
}

TEST(Histogram, BoundsGrow) {
  for (std::size_t at = 1; at < Histogram::kBounds.size(); ++at) {
    EXPECT_LT(Histogram::kBounds[at - 1], Histogram::kBounds[at]);
  }
}

TEST(Histogram, SumInSeconds) {
  Histogram histogram;
  histogram.observe(1500ms);
  histogram.observe(250ms);
  histogram.observe(-1s);  // a clock that was read too early counts as nothing
  EXPECT_DOUBLE_EQ(histogram.sum_seconds(), 1.75);
  EXPECT_EQ(histogram.bucket(0), 1U);
  histogram.observe(1000s);
  EXPECT_EQ(histogram.bucket(Histogram::kBounds.size()), 1U);
}

}  // namespace
}  // namespace koi::counters_test
