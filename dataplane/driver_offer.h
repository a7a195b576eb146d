#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <rte_ethdev.h>

#include "common/result.h"
#include "dataplane/queue_plan.h"

/// What a driver says of a device that nobody has configured yet. Asking changes nothing. Set-up.
namespace koi::dataplane {

/// DPDK's number of it. Returns an error that names the device when DPDK has none of that name.
/// REQUIRES: EAL runs.
Result<std::uint16_t> device_id(const std::string& device);

/// members: of a bond, else none: what fills a bond's queues is what fills theirs.
QueueOffer queue_offer(const rte_eth_dev_info& info, const std::vector<std::string>& members);

struct DriverOffer {
  std::string driver;  // DPDK's name of it: net_ixgbe
  QueueOffer queues;
  std::uint32_t mac_filters = 0;  // its own address takes the first
  bool link_interrupts = false;   // tells of a change of its link without being asked
};

/// REQUIRES: EAL runs, and the device is no bond: that one tells what it can do when it is made.
Result<DriverOffer> ask_driver(const std::string& device);

}  // namespace koi::dataplane
