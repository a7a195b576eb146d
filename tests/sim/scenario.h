#pragma once

#include <cstdint>
#include <span>

#include "tests/sim/random.h"
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
  // Drawn apart from all else, so that what a seed found before this was here, it finds again.
  bool attacked = false;     // somebody replays and forges (T10 to T12)
  bool more_faults = false;  // see faults.cpp
  Duration sync_wait{};
  std::uint64_t more_seed = 1;
  // Drawn apart again.
  bool reloads = false;
};

Scenario scenario_of(std::uint64_t seed);
/// Boxes with these advskews, advbase 1, on a network without faults. seed: of clocks and rounds.
Scenario plain_scenario(std::span<const std::uint8_t> advskews, std::uint64_t seed);

/// That configuration with another advskew and preempt, as a box of that scenario may have them.
config::Config changed(const config::Config& config, Random& random);

/// For a person: one line.
std::string describe(const Scenario& scenario);

}  // namespace koi::sim
