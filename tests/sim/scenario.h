#pragma once

#include <cstdint>

#include "tests/sim/world.h"

namespace koi::sim {

/// What a seed stands for: who is there, how they are configured, and how good the network is. All
/// boxes have the same configuration but for what may differ.
struct Scenario {
  World::Setup world;
  Network::Quality quality;
  bool koi_dialect = true;
  bool two_switches = false;
  bool fast = false;  // advbase 0: thousands of advertisements a minute
  unsigned rounds = 1;
  std::uint64_t seed = 1;  // of what happens
};

Scenario scenario_of(std::uint64_t seed);

/// For a person: one line.
std::string describe(const Scenario& scenario);

}  // namespace koi::sim
