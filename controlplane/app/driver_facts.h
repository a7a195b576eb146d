#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "common/strong_types.h"
#include "config/config.h"
#include "controlplane/app/finding.h"

/// What a NIC's driver can do for koi and what it cannot: the words of DPDK beside what is known of
/// its drivers, as of DPDK 22.11's sources. Pure.
namespace koi::app {

/// What DPDK says of one device.
struct DriverAnswer {
  std::string what;              // "port lan"
  std::string device;            // as configured
  std::string refusal;           // why DPDK does not have it; empty: it does, and the rest counts
  std::string driver;            // DPDK's name of it: net_ixgbe
  std::size_t offered = 1;       // queue pairs
  std::size_t used = 1;          // of them by koid
  std::string spread;            // by what frames are spread over those; may be empty
  std::size_t mac_filters = 1;   // its own address takes the first
  bool link_interrupts = false;  // tells of a change of its link without being asked
};

/// What koid needs of a port.
struct PortNeeds {
  std::size_t workers = 1;
  std::size_t virtual_macs = 0;
  std::string trust = {};  // of a virtual function: what its host is to be told, if that is known
};

std::vector<Finding> driver_facts(const DriverAnswer& answer, const PortNeeds& needs);

/// The MAC addresses that frames to the port's groups go to, beside the port's own and multicast.
/// REQUIRES: config is valid.
std::size_t virtual_macs(const config::Config& config, PortIndex port);

}  // namespace koi::app
