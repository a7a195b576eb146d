#include "dataplane/port.h"

#include <array>
#include <cstring>
#include <numeric>
#include <utility>

#include <fmt/format.h>
#include <rte_ethdev.h>
#include <rte_flow.h>

#include "common/net/device.h"
#include "dataplane/driver_offer.h"
#include "dataplane/eal.h"
#include "dataplane/mempool.h"
#include "dataplane/rx_interrupts.h"

namespace koi::dataplane {
namespace {

constexpr std::uint16_t kNone = 0xffff;
constexpr std::uint32_t kSetAside = 32;  // frames that i40e and ixgbe may have taken out before

/// A rule for each version of IP, as the plan wants it. Returns false, and there is none, iff the
/// driver refuses one. REQUIRES: the device runs.
bool make_rules(std::uint16_t id, const QueuePlan& plan) {
  std::vector<std::uint16_t> queues(plan.pairs);
  std::iota(queues.begin(), queues.end(), std::uint16_t{0});
  rte_flow_attr attributes{};
  attributes.ingress = 1;
  for (const auto& [item, types] :
       {std::pair{RTE_FLOW_ITEM_TYPE_IPV4, kRssIpv4}, {RTE_FLOW_ITEM_TYPE_IPV6, kRssIpv6}}) {
    std::array<rte_flow_item, 3> pattern{};
    pattern[0].type = RTE_FLOW_ITEM_TYPE_ETH;
    pattern[1].type = item;
    pattern[2].type = RTE_FLOW_ITEM_TYPE_END;
    rte_flow_action_rss rss{};  // the driver's own function and key
    rss.types = types & plan.rss_types;
    rss.queue_num = plan.pairs;
    rss.queue = queues.data();
    std::array<rte_flow_action, 2> actions{};
    actions[0].type = RTE_FLOW_ACTION_TYPE_RSS;
    actions[0].conf = &rss;
    actions[1].type = RTE_FLOW_ACTION_TYPE_END;
    rte_flow_error error{};
    if (rte_flow_validate(id, &attributes, pattern.data(), actions.data(), &error) != 0 ||
        rte_flow_create(id, &attributes, pattern.data(), actions.data(), &error) == nullptr) {
      rte_flow_flush(id, &error);
      return false;
    }
  }
  return true;
}

/// Those hash types that the driver says it uses; all, if it says nothing. ice, for one, offers
/// more than it sets up.
std::uint64_t in_effect(std::uint16_t id, std::uint64_t types) {
  std::array<std::uint8_t, 256> key{};  // some write it though they are not asked to
  rte_eth_rss_conf conf{};
  conf.rss_key = key.data();
  conf.rss_key_len = key.size() - 1;
  return rte_eth_dev_rss_hash_conf_get(id, &conf) == 0 ? types & conf.rss_hf : types;
}

}  // namespace

Error Port::failed(const char* what, int code) const {
  return Error{fmt::format("port {} ({}): {}: {}; DPDK says: {}", name_, device_, what,
                           rte_strerror(-code), Eal::last_log_line())};
}

Result<Port> Port::start(PortIndex index, const std::string& name, const std::string& device,
                         const std::vector<std::string>& members,
                         const std::vector<rte_mempool*>& pools, std::size_t first, bool finishes,
                         bool interrupts) {
  Port port;
  port.index_ = index;
  port.name_ = name;
  port.device_ = device;
  port.first_ = first;
  port.workers_ = pools.size();
  port.kernel_interface_ = koi::kernel_interface(device);

  const auto found = device_id(device);
  if (!found) return Error{fmt::format("port {}: {}", name, found.error().message)};
  const std::uint16_t id = found.value();
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
  if (const int rc = rte_eth_dev_info_get(id, &info); rc != 0)
    return port.failed("no device info", rc);
  port.driver_ = info.driver_name;
  const QueueOffer offer = queue_offer(info, members);
  if (offer.pairs == 0) return port.failed("the driver offers no queue pair", -ENODEV);
  if (finishes) port.offloads_ = Offloads::of_nic(info);
  const QueuePlan plan = plan_queues(offer, static_cast<std::uint16_t>(pools.size()));
  port.id_ = id;                                      // from here on the destructor closes it
  const bool wanted = interrupts && members.empty();  // a bond's frames come out of its members
  if (Status s = port.run(plan, info, pools, wanted); !s) return s.error();
  if (plan.spread == Spread::rules && !make_rules(id, plan)) {
    if (const int rc = rte_eth_dev_stop(id); rc != 0) return port.failed("does not stop", rc);
    if (Status s = port.run(QueuePlan{}, info, pools, wanted); !s) return s.error();
  }
  if (plan.spread == Spread::rss) port.plan_.rss_types = in_effect(id, plan.rss_types);
  const int promiscuous = rte_eth_promiscuous_enable(id);
  port.promiscuous_ = promiscuous == 0;
  if (!port.promiscuous_) {
    // A driver that knows neither (net_ring) filters nothing either.
    const int multicast = rte_eth_allmulticast_enable(id);
    if (multicast != 0 && multicast != -ENOTSUP)
      return port.failed("neither promiscuous nor multicast", multicast);
  }
  if (const int rc = rte_eth_dev_get_mtu(id, &port.mtu_); rc != 0) return port.failed("no MTU", rc);
  rte_ether_addr mac{};
  if (const int rc = rte_eth_macaddr_get(id, &mac); rc != 0)
    return port.failed("no MAC address", rc);
  std::memcpy(port.mac_.bytes.data(), mac.addr_bytes, 6);
  return port;
}

Status Port::run(const QueuePlan& plan, const rte_eth_dev_info& info,
                 const std::vector<rte_mempool*>& pools, bool interrupts) {
  plan_ = plan;
  rte_eth_conf conf{};
  conf.txmode.offloads = offloads_.nic_flags(info);
  if (plan.spread == Spread::rss) {
    conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    conf.rx_adv_conf.rss_conf.rss_hf = plan.rss_types;
  }
  // No word of a driver's says whether it has them; one that has none may refuse to start so.
  conf.intr_conf.rxq = interrupts ? 1 : 0;
  Status up = bring_up(conf, pools);
  if (!up && interrupts) {
    conf.intr_conf.rxq = 0;
    up = bring_up(conf, pools);
  }
  interrupts_ = conf.intr_conf.rxq != 0 && up && RxInterrupts::offered(id_, plan.pairs);
  return up;
}

Status Port::bring_up(const rte_eth_conf& conf, const std::vector<rte_mempool*>& pools) {
  if (const int rc = rte_eth_dev_configure(id_, plan_.pairs, plan_.pairs, &conf); rc != 0) {
    return failed("cannot be configured", rc);
  }
  rx_descriptors_ = kDescriptors;
  tx_descriptors_ = kDescriptors;
  if (const int rc = rte_eth_dev_adjust_nb_rx_tx_desc(id_, &rx_descriptors_, &tx_descriptors_);
      rc != 0) {
    return failed("descriptors", rc);
  }
  for (std::uint16_t q = 0; q < plan_.pairs; ++q) {
    if (const int rc = rte_eth_rx_queue_setup(id_, q, rx_descriptors_, SOCKET_ID_ANY, nullptr,
                                              pools[worker_of(q)]);
        rc != 0) {
      return failed("receive queue", rc);
    }
    if (const int rc = rte_eth_tx_queue_setup(id_, q, tx_descriptors_, SOCKET_ID_ANY, nullptr);
        rc != 0) {
      return failed("transmit queue", rc);
    }
  }
  if (const int rc = rte_eth_dev_start(id_); rc != 0) return failed("does not start", rc);
  return Done{};
}

std::optional<std::uint16_t> Port::queue_of(std::size_t worker) const {
  const std::size_t queue = (worker + workers_ - first_) % workers_;
  if (queue >= plan_.pairs) return std::nullopt;
  return static_cast<std::uint16_t>(queue);
}

Port::Port(Port&& other) noexcept
    : index_(other.index_),
      id_(std::exchange(other.id_, kNone)),
      name_(std::move(other.name_)),
      device_(std::move(other.device_)),
      driver_(std::move(other.driver_)),
      kernel_interface_(std::move(other.kernel_interface_)),
      mac_(other.mac_),
      mtu_(other.mtu_),
      plan_(other.plan_),
      first_(other.first_),
      workers_(other.workers_),
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
