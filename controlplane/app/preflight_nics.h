#pragma once

#include <string>

#include "config/config.h"
#include "controlplane/app/finding.h"
#include "controlplane/app/kernel_files.h"

namespace koi::app {

/// The part of a preflight that is about devices: their driver, IOMMU and its groups, NUMA nodes,
/// interfaces of the kernel's, the host's side.
void check_nics(const config::Config& config, const KernelFiles& files, Findings& found);

/// The command by which this machine trusts a virtual function of one of its NICs; empty if the
/// device, as configured, is none, or its NIC is on another machine.
std::string trust_command(const std::string& device, const KernelFiles& files);

/// Why DPDK must not look at such a device while something may be using it, for its driver would
/// disturb that; empty: it may.
std::string why_not_asked(const std::string& device, const KernelFiles& files);

}  // namespace koi::app
