#pragma once

#include <cstdint>
#include <cstdio>
#include <span>
#include <string>

#include "tests/sim/moment.h"

namespace koi::sim {

/// What came of a seed.
struct Outcome {
  std::string violation;  // empty: every invariant held
  Duration simulated{};
  Duration longest_double{};
  std::uint64_t trace = 0;  // a number over everything that happened
  unsigned takeovers = 0;   // that promise 2 was measured at
};

struct RunOptions {
  std::FILE* trace = nullptr;  // what happens, for a person
  bool closely = false;        // leave no idle round out
  bool brief = false;          // less of it: for tests of the simulator itself
};

/// Safety mode and liveness mode in turns: things go wrong, and I1, I3 and I4 are judged at every
/// event; all is made well, and the boxes must agree, clients must reach the one that answers, a
/// MASTER that dies must be replaced in time (I2), and nobody may change its role any more.
Outcome run_seed(std::uint64_t seed, const RunOptions& options = {});

/// T19, T20: boxes with these advskews start at one moment. Four of the longest intervals later
/// (and 3 ms) exactly one must be MASTER, one with the lowest advskew.
Outcome run_cold_start(std::span<const std::uint8_t> advskews, std::uint64_t seed);

}  // namespace koi::sim
