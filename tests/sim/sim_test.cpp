#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/sim/mutants.h"
#include "tests/sim/random.h"
#include "tests/sim/run.h"
#include "tests/support/sample.h"

/// The simulator itself: that a seed repeats itself, that leaving out what does nothing leaves
/// nothing out, that it finds rules which are broken on purpose, and that what it has found once
/// stays mended. Long runs are tools/sim's.
namespace koi::sim {
namespace {

TEST(Simulator, SameSeedSameRun) {
  for (const std::uint64_t seed : {1U, 2U, 3U}) {
    const Outcome first = run_seed(seed, {.brief = true});
    EXPECT_EQ(run_seed(seed, {.brief = true}).trace, first.trace);
    EXPECT_NE(run_seed(seed + 100, {.brief = true}).trace, first.trace);
  }
}

TEST(Simulator, LeavingIdleRoundsOutChangesNothing) {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    const Outcome quick = run_seed(seed, {.brief = true});
    const Outcome closely = run_seed(seed, {.closely = true, .brief = true});
    EXPECT_EQ(quick.trace, closely.trace) << "seed " << seed;
    EXPECT_EQ(quick.violation, closely.violation) << "seed " << seed;
  }
}

// C11.16 kept
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

// ---- starting at one moment (T19, T20) ----------------------------------------------------------

TEST(ColdStart, EveryOrderOfAdvskewsElectsTheBest) {
  std::uint64_t seed = 1;
  for (std::size_t boxes = 2; boxes <= 5; ++boxes) {
    std::vector<std::uint8_t> advskews;
    for (std::size_t b = 0; b < boxes; ++b) advskews.push_back(static_cast<std::uint8_t>(50 * b));
    do {
      const Outcome outcome = run_cold_start(advskews, seed++);
      EXPECT_EQ(outcome.violation, "") << ::testing::PrintToString(advskews);
      EXPECT_EQ(outcome.longest_double, Duration::zero()) << ::testing::PrintToString(advskews);
    } while (std::next_permutation(advskews.begin(), advskews.end()));
  }
}

TEST(ColdStart, OrdersOfEight) {
  std::vector<std::uint8_t> advskews = {0, 1, 2, 10, 100, 150, 200, 254};
  Random random(8);
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    for (std::size_t i = advskews.size() - 1; i > 0; --i) {
      std::swap(advskews[i], advskews[random.below(i + 1)]);
    }
    EXPECT_EQ(run_cold_start(advskews, seed).violation, "") << ::testing::PrintToString(advskews);
  }
}

TEST(ColdStart, OfEqualBoxesOneStays) {
  for (std::size_t boxes = 2; boxes <= 8; ++boxes) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      const std::vector<std::uint8_t> advskews(boxes, 100);
      EXPECT_EQ(run_cold_start(advskews, seed).violation, "") << boxes << " boxes, seed " << seed;
    }
  }
}

// ---- rules broken on purpose: tools/sim --mutants tells how many seeds each takes --------------

std::vector<Mutant> all_mutants() {
  std::vector<Mutant> all;
  for (std::size_t m = 1; m < kMutantTexts.size(); ++m) all.push_back(static_cast<Mutant>(m));
  return all;
}

class MutantTest : public ::testing::TestWithParam<Mutant> {
 protected:
  void TearDown() override { current_mutant = Mutant::kNone; }
};

TEST_P(MutantTest, IsFound) {
  constexpr std::uint64_t kMost = 1000;
  current_mutant = GetParam();
  std::string found;
  for (std::uint64_t seed = 1; found.empty() && seed <= kMost; ++seed) {
    found = run_seed(seed, {.brief = true}).violation;
  }
  EXPECT_NE(found, "") << kMutantTexts[static_cast<std::size_t>(GetParam())];
}

// All but kNone. What the rules say that no mutant here breaks: L3's moment, before the frame is
// handed over and not after it, for no promise covers a pause between the two; L3's last copy,
// which costs only time; L6's date of a promotion, after which its first advertisement may be sent
// for 1 ms: sent later it would be a claim like any other.
INSTANTIATE_TEST_SUITE_P(Rules, MutantTest, ::testing::ValuesIn(all_mutants()));

}  // namespace
}  // namespace koi::sim
