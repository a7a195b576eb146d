#include "dataplane/port.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <rte_ethdev.h>

#include "common/net/device.h"
#include "dataplane/eal.h"
#include "dataplane/mempool.h"
#include "dataplane/rx_interrupts.h"

namespace koi::dataplane {
namespace {

constexpr std::uint16_t kNone = 0xffff;
constexpr std::uint32_t kSetAside = 32;  // frames that i40e and ixgbe may have taken out before

}  // namespace

Result<Port> Port::start(PortIndex index, const std::string& name, const std::string& device,
                         const std::vector<std::string>& members,
                         const std::vector<rte_mempool*>& pools, bool finishes, bool interrupts) {
  const auto failed = [&](const char* what, int code) {
    return Error{fmt::format("port {} ({}): {}: {}; DPDK says: {}", name, device, what,
                             rte_strerror(-code), Eal::last_log_line())};
  };
  Port port;
  port.index_ = index;
  port.name_ = name;
  port.kernel_interface_ = koi::kernel_interface(device);

  std::uint16_t id = kNone;
  if (rte_eth_dev_get_port_by_name(device_name(device).c_str(), &id) != 0) {
    return Error{
        fmt::format("port {}: DPDK has no driver for device {}, or its arguments are wrong; "
                    "DPDK says: {}",
                    name, device, Eal::last_log_lines())};
  }
  if (!members.empty()) {  // before it tells what it can do, which is what its members can
    const rte_eth_conf plain{};
    if (const int rc = rte_eth_dev_configure(id, 1, 1, &plain); rc != 0) {
      return Error{
          fmt::format("port {}: the bond {} cannot be made: are its arguments right? DPDK says: {}",
                      name, device, Eal::last_log_lines())};
    }
    auto bond = Bond::join(id, members);
    if (!bond) return Error{fmt::format("port {}: {}", name, bond.error().message)};
    port.bond_.emplace(std::move(bond).value());
  }
  rte_eth_dev_info info{};
  if (const int rc = rte_eth_dev_info_get(id, &info); rc != 0) return failed("no device info", rc);
  port.driver_ = info.driver_name;
  port.queues_ = static_cast<std::uint16_t>(
      std::min<std::size_t>({pools.size(), info.max_rx_queues, info.max_tx_queues}));
  if (port.queues_ == 0) return failed("the driver offers no queue pair", -ENODEV);

  rte_eth_conf conf{};
  if (finishes) port.offloads_ = Offloads::of_nic(info);
  conf.txmode.offloads = port.offloads_.nic_flags(info);
  if (port.queues_ > 1) {
    conf.rx_adv_conf.rss_conf.rss_hf =
        (RTE_ETH_RSS_IP | RTE_ETH_RSS_L2_PAYLOAD) & info.flow_type_rss_offloads;
    if (conf.rx_adv_conf.rss_conf.rss_hf != 0) conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
  }
  port.id_ = id;  // from here on the destructor closes it
  // No word of a driver's says whether it has them; one that has none may refuse to start so. A
  // bond has none: its frames come out of its members.
  conf.intr_conf.rxq = interrupts && members.empty() ? 1 : 0;
  auto failure = port.bring_up(conf, pools);
  if (failure && conf.intr_conf.rxq != 0) {
    conf.intr_conf.rxq = 0;
    failure = port.bring_up(conf, pools);
  }
  if (failure) return failed(failure->first, failure->second);
  port.interrupts_ = conf.intr_conf.rxq != 0 && RxInterrupts::offered(id, port.queues_);
  const int promiscuous = rte_eth_promiscuous_enable(id);
  port.promiscuous_ = promiscuous == 0;
  if (!port.promiscuous_) {
    // A driver that knows neither (net_ring) filters nothing either.
    const int multicast = rte_eth_allmulticast_enable(id);
    if (multicast != 0 && multicast != -ENOTSUP)
      return failed("neither promiscuous nor multicast", multicast);
  }
  if (const int rc = rte_eth_dev_get_mtu(id, &port.mtu_); rc != 0) return failed("no MTU", rc);
  rte_ether_addr mac{};
  if (const int rc = rte_eth_macaddr_get(id, &mac); rc != 0) return failed("no MAC address", rc);
  std::memcpy(port.mac_.bytes.data(), mac.addr_bytes, 6);
  return port;
}

std::optional<std::pair<const char*, int>> Port::bring_up(const rte_eth_conf& conf,
                                                          const std::vector<rte_mempool*>& pools) {
  if (const int rc = rte_eth_dev_configure(id_, queues_, queues_, &conf); rc != 0) {
    return std::pair("cannot be configured", rc);
  }
  rx_descriptors_ = kDescriptors;
  tx_descriptors_ = kDescriptors;
  if (const int rc = rte_eth_dev_adjust_nb_rx_tx_desc(id_, &rx_descriptors_, &tx_descriptors_);
      rc != 0) {
    return std::pair("descriptors", rc);
  }
  for (std::uint16_t q = 0; q < queues_; ++q) {
    if (const int rc =
            rte_eth_rx_queue_setup(id_, q, rx_descriptors_, SOCKET_ID_ANY, nullptr, pools[q]);
        rc != 0) {
      return std::pair("receive queue", rc);
    }
    if (const int rc = rte_eth_tx_queue_setup(id_, q, tx_descriptors_, SOCKET_ID_ANY, nullptr);
        rc != 0) {
      return std::pair("transmit queue", rc);
    }
  }
  if (const int rc = rte_eth_dev_start(id_); rc != 0) return std::pair("does not start", rc);
  return std::nullopt;
}

Port::Port(Port&& other) noexcept
    : index_(other.index_),
      id_(std::exchange(other.id_, kNone)),
      name_(std::move(other.name_)),
      driver_(std::move(other.driver_)),
      kernel_interface_(std::move(other.kernel_interface_)),
      mac_(other.mac_),
      mtu_(other.mtu_),
      queues_(other.queues_),
      rx_descriptors_(other.rx_descriptors_),
      tx_descriptors_(other.tx_descriptors_),
      promiscuous_(other.promiscuous_),
      interrupts_(other.interrupts_),
      offloads_(other.offloads_),
      bond_(std::move(other.bond_)) {}

std::uint32_t Port::room() const {
  const auto queues = static_cast<std::uint32_t>(bond_ ? bond_->members() : 1);
  return queues * (rx_descriptors_ + kSetAside);
}

Status Port::accept(const MacAddress& mac) {
  if (promiscuous_ || mac.is_multicast()) return Done{};  // else start() let all groups in
  rte_ether_addr address{};
  std::memcpy(address.addr_bytes, mac.bytes.data(), 6);
  const int rc = rte_eth_dev_mac_addr_add(id_, &address, 0);
  if (rc == 0 || rc == -ENOTSUP) return Done{};
  return Error{fmt::format("port {}: the driver {} takes no further MAC address for {}: {}", name_,
                           driver_, mac.to_string(), rte_strerror(-rc))};
}

void Port::release(const MacAddress& mac) {
  if (promiscuous_ || mac.is_multicast()) return;
  rte_ether_addr address{};
  std::memcpy(address.addr_bytes, mac.bytes.data(), 6);
  rte_eth_dev_mac_addr_remove(id_, &address);
}

Port::~Port() {
  if (id_ == kNone) return;
  if (promiscuous_) rte_eth_promiscuous_disable(id_);
  rte_eth_dev_stop(id_);
  rte_eth_dev_close(id_);
}

bool Port::link_up() const {
  if (bond_) return bond_->link_up();
  rte_eth_link link{};
  return rte_eth_link_get_nowait(id_, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
}

}  // namespace koi::dataplane
