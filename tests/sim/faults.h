#pragma once

#include "tests/sim/random.h"
#include "tests/sim/scenario.h"
#include "tests/sim/world.h"

namespace koi::sim {

/// Lets things go wrong from now until `end`, and plans that they are well again by `healed`, which
/// it returns: every box runs, nothing is cut or lost, nobody is demoted.
Moment disturb(World& world, const Scenario& scenario, Random& random, Moment end);

}  // namespace koi::sim
