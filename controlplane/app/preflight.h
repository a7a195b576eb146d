#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "config/config.h"
#include "controlplane/app/finding.h"

namespace koi::app {

/// What `koid --preflight` finds before the drivers are asked (ask_drivers.h): cores, clock,
/// memory, IOMMU, NICs and their kernel's drivers, the kernel's devices for the host's side. Looks
/// at the kernel's files below `root` only (empty: the machine's own), starts nothing and changes
/// nothing. memory_mib: what the rings and buffers take.
std::vector<Finding> preflight(const config::Config& config, std::size_t memory_mib,
                               const std::string& root = {});

/// A line each, "OK", "WARN" or "FAIL" first; what mends it on a line of its own; then the sum.
std::string preflight_text(const std::vector<Finding>& findings);

/// False iff koid would not start.
bool passes(const std::vector<Finding>& findings);

}  // namespace koi::app
