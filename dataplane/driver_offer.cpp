#include "dataplane/driver_offer.h"

#include <algorithm>

#include <fmt/format.h>
#include <rte_errno.h>

#include "common/net/device.h"
#include "dataplane/eal.h"

namespace koi::dataplane {
namespace {

/// Whether all of them are.
bool fill_queues(const std::vector<std::string>& devices) {
  return std::all_of(devices.begin(), devices.end(), [](const std::string& device) {
    const auto id = device_id(device);
    rte_eth_dev_info info{};
    return id && rte_eth_dev_info_get(id.value(), &info) == 0 && fills_queues(info.driver_name);
  });
}

}  // namespace

Result<std::uint16_t> device_id(const std::string& device) {
  std::uint16_t id = 0;
  if (rte_eth_dev_get_port_by_name(device_name(device).c_str(), &id) == 0) return id;
  return Error{
      fmt::format("DPDK has no driver for device {}, or its arguments are wrong; DPDK says: {}",
                  device, Eal::last_log_lines())};
}

QueueOffer queue_offer(const rte_eth_dev_info& info, const std::vector<std::string>& members) {
  return {.pairs = std::min(info.max_rx_queues, info.max_tx_queues),
          .rss_types = info.flow_type_rss_offloads,
          .reta = info.reta_size,
          .fills = members.empty() ? fills_queues(info.driver_name) : fill_queues(members),
          .rss_by_rules = rss_by_rules(info.driver_name)};
}

Result<DriverOffer> ask_driver(const std::string& device) {
  const auto id = device_id(device);
  if (!id) return id.error();
  rte_eth_dev_info info{};
  if (const int rc = rte_eth_dev_info_get(id.value(), &info); rc != 0) {
    return Error{fmt::format("device {}: no device info: {}", device, rte_strerror(-rc))};
  }
  return DriverOffer{.driver = info.driver_name,
                     .queues = queue_offer(info, {}),
                     .mac_filters = info.max_mac_addrs,
                     .link_interrupts = info.dev_flags != nullptr &&
                                        (*info.dev_flags & RTE_ETH_DEV_INTR_LSC) != 0};
}

}  // namespace koi::dataplane
