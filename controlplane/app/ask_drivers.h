#pragma once

#include <vector>

#include "config/config.h"
#include "controlplane/app/finding.h"

namespace koi::app {

/// The end of a preflight: has DPDK find the ports' devices as a start would, and adds what their
/// drivers say (driver_facts.h). None is configured or started, and all is given back, but a TAP of
/// net_tap is there for as long as this takes. Asks nobody if something found keeps koid from
/// starting, if a koid answers on the configuration's control socket, for then it has the devices,
/// or if a device does not bear it (why_not_asked()). Main thread, once: EAL starts and ends.
void ask_drivers(const config::Config& config, std::vector<Finding>& found);

}  // namespace koi::app
