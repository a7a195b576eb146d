#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "tests/sim/mutants.h"
#include "tests/sim/run.h"
#include "tests/support/sample.h"

/// The simulator itself: that a seed repeats itself, that leaving out what does nothing leaves
/// nothing out, that it finds rules which are broken on purpose, and that what it has found once
/// stays mended. Long runs are tools/sim's.
namespace koi::sim {
namespace {

TEST(Simulator, SameSeedSameRun) {
  for (const std::uint64_t seed : {1, 2, 3}) {
    const Outcome first = run_seed(seed, {.brief = true});
    EXPECT_EQ(run_seed(seed, {.brief = true}).trace, first.trace);
    EXPECT_NE(run_seed(seed + 100, {.brief = true}).trace, first.trace);
  }
}

TEST(Simulator, LeavingIdleRoundsOutChangesNothing) {
  for (std::uint64_t seed = 1; seed <= 12 / test::kStride + 1; ++seed) {
    const Outcome quick = run_seed(seed, {.brief = true});
    const Outcome closely = run_seed(seed, {.closely = true, .brief = true});
    EXPECT_EQ(quick.trace, closely.trace) << "seed " << seed;
    EXPECT_EQ(quick.violation, closely.violation) << "seed " << seed;
  }
}

TEST(Simulator, EveryInvariantHolds) {
  for (std::uint64_t seed = 1; seed <= 40 / test::kStride; ++seed) {
    EXPECT_EQ(run_seed(seed, {.brief = true}).violation, "") << "tools/sim --replay " << seed;
  }
}

TEST(Simulator, WhatItFoundOnceStaysMended) {
  const char* root = std::getenv("KOI_SOURCE_ROOT");
  ASSERT_NE(root, nullptr);
  std::ifstream list(std::string(root) + "/tests/sim/regressions.txt");
  unsigned seeds = 0;
  for (std::string line; std::getline(list, line);) {
    std::uint64_t seed = 0;
    if (line.empty() || line[0] == '#' || !(std::istringstream(line) >> seed)) continue;
    EXPECT_EQ(run_seed(seed).violation, "") << "tools/sim --replay " << seed;
    ++seeds;
  }
  EXPECT_GT(seeds, 0U);
}

// ---- rules broken on purpose: tools/sim --mutants tells how many seeds each takes --------------

class MutantTest : public ::testing::TestWithParam<Mutant> {
 protected:
  void TearDown() override { current_mutant = Mutant::kNone; }
};

TEST_P(MutantTest, IsFound) {
  constexpr std::uint64_t kMost = 120;
  current_mutant = GetParam();
  std::string found;
  for (std::uint64_t seed = 1; found.empty() && seed <= kMost; ++seed) {
    found = run_seed(seed, {.brief = true}).violation;
  }
  EXPECT_NE(found, "") << kMutantTexts[static_cast<std::size_t>(GetParam())];
}

// L5's longer lease is not among them: nothing but a partition, in which there is no promise, lets
// a lease outlast another box's master-down time without its advertisement being heard (L7).
INSTANTIATE_TEST_SUITE_P(Rules, MutantTest,
                         ::testing::Values(Mutant::kIgnoresDeadline, Mutant::kIgnoresTerm,
                                           Mutant::kIgnoresHeard, Mutant::kHeardAtOnce,
                                           Mutant::kIgnoresReceivers, Mutant::kIgnoresGap,
                                           Mutant::kAnswersLate, Mutant::kFramesUnchecked,
                                           Mutant::kAnnouncesUnchecked, Mutant::kListenedAlways,
                                           Mutant::kMasterIgnoresBetter, Mutant::kHastyMasterDown,
                                           Mutant::kSlowMasterDown, Mutant::kUnaskedPreempt,
                                           Mutant::kEqualBothStay));

}  // namespace
}  // namespace koi::sim
