#include "dataplane/host_port.h"

#include <unistd.h>

#include <fmt/format.h>
#include <rte_dev.h>
#include <rte_ethdev.h>

#include "common/net/device.h"
#include "dataplane/eal.h"
#include "dataplane/mempool.h"
#include "dataplane/rx_interrupts.h"

namespace koi::dataplane {
namespace {

constexpr const char* kVhostNet = "/dev/vhost-net";
constexpr const char* kTun = "/dev/net/tun";

/// Whether the kernel can do it at all, told better than DPDK tells it.
Status check(const std::string& port, const HostPort::Device& device) {
  if (device.name.starts_with("net_virtio_user") &&
      device.arguments.find(kVhostNet) != std::string::npos && access(kVhostNet, F_OK) != 0) {
    return Error{
        fmt::format("port {}: host: virtio-user needs {}, which is not there: load the module "
                    "with `modprobe vhost-net`, or set host: tap",
                    port, kVhostNet)};
  }
  if (device.name.starts_with("net_tap") && access(kTun, F_OK) != 0) {
    return Error{
        fmt::format("port {}: host: tap needs {}, which is not there: load the module "
                    "with `modprobe tun`",
                    port, kTun)};
  }
  return Done{};
}

}  // namespace

HostPort::Device HostPort::tap(const Port& port, const std::string& interface) {
  return {fmt::format("net_tap_koi{}", port.index().value()),
          fmt::format("iface={},mac={}", interface, port.mac().to_string()), interface};
}

HostPort::Device HostPort::virtio_user(const Port& port, const std::string& interface) {
  return {fmt::format("net_virtio_user_koi{}", port.index().value()),
          fmt::format("path={},iface={},mac={},queues={},queue_size={}", kVhostNet, interface,
                      port.mac().to_string(), port.queues(), kDescriptors),
          interface};
}

HostPort::Device HostPort::vdev(const std::string& text) {
  const std::string name = device_name(text);
  const bool bare = name.size() == text.size();
  return {name, bare ? std::string() : text.substr(name.size() + 1), {}};
}

Result<HostPort> HostPort::start(const Port& port, const Device& device,
                                 const std::vector<rte_mempool*>& pools) {
  if (const Status s = check(port.name(), device); !s) return s.error();
  const auto failed = [&](const std::string& what, int code) {
    return Error{fmt::format("port {}: host {}: {}: {}; DPDK says: {}", port.name(), device.name,
                             what, rte_strerror(-code), Eal::last_log_line())};
  };
  if (const int rc = rte_eal_hotplug_add("vdev", device.name.c_str(), device.arguments.c_str());
      rc != 0) {
    return failed("cannot be made", rc);
  }
  std::uint16_t id = 0;
  if (const int rc = rte_eth_dev_get_port_by_name(device.name.c_str(), &id); rc != 0) {
    return failed("is no network device", rc);
  }
  HostPort host;
  host.id_ = id;  // from here on the destructor closes it
  host.interface_ = device.interface;

  rte_eth_dev_info info{};
  if (const int rc = rte_eth_dev_info_get(id, &info); rc != 0) return failed("no device info", rc);
  const std::uint16_t queues = port.queues();
  if (info.max_rx_queues < queues || info.max_tx_queues < queues) {
    return failed(fmt::format("has {} queue pairs where the port has {}: give the host more, or "
                              "dataplane.worker-cores fewer cores",
                              std::min(info.max_rx_queues, info.max_tx_queues), queues),
                  -ENOSPC);
  }
  host.offloads_ = port.offloads().allowed_by(info);
  rte_eth_conf conf{};
  conf.rxmode.offloads = host.offloads_.host_flags(info);
  conf.intr_conf.rxq = port.interrupts() ? 1 : 0;
  auto failure = host.bring_up(port, conf, pools);
  if (failure && conf.intr_conf.rxq != 0) {  // see Port::start()
    conf.intr_conf.rxq = 0;
    failure = host.bring_up(port, conf, pools);
  }
  if (failure) return failed(failure->first, failure->second);
  host.interrupts_ = conf.intr_conf.rxq != 0 && RxInterrupts::offered(id, queues);
  return host;
}

std::optional<std::pair<std::string, int>> HostPort::bring_up(
    const Port& port, const rte_eth_conf& conf, const std::vector<rte_mempool*>& pools) const {
  const std::uint16_t queues = port.queues();
  if (const int rc = rte_eth_dev_configure(*id_, queues, queues, &conf); rc != 0) {
    return std::pair<std::string, int>("cannot be configured", rc);
  }
  // Before it starts, for some drivers cannot after; and not all have one.
  if (const int rc = rte_eth_dev_set_mtu(*id_, port.mtu()); rc != 0 && rc != -ENOTSUP) {
    return std::pair(fmt::format("does not take the port's MTU of {}", port.mtu()), rc);
  }
  std::uint16_t rx_descriptors = kDescriptors;
  std::uint16_t tx_descriptors = kDescriptors;
  if (const int rc = rte_eth_dev_adjust_nb_rx_tx_desc(*id_, &rx_descriptors, &tx_descriptors);
      rc != 0) {
    return std::pair<std::string, int>("descriptors", rc);
  }
  for (std::uint16_t q = 0; q < queues; ++q) {
    int rc = rte_eth_rx_queue_setup(*id_, q, rx_descriptors, SOCKET_ID_ANY, nullptr,
                                    pools[port.worker_of(q)]);
    if (rc == 0) rc = rte_eth_tx_queue_setup(*id_, q, tx_descriptors, SOCKET_ID_ANY, nullptr);
    if (rc != 0) return std::pair<std::string, int>("queue pair", rc);
  }
  if (const int rc = rte_eth_dev_start(*id_); rc != 0)
    return std::pair<std::string, int>("does not start", rc);
  return std::nullopt;
}

HostPort::~HostPort() {
  if (!id_) return;
  rte_eth_dev_stop(*id_);
  rte_eth_dev_close(*id_);
}

}  // namespace koi::dataplane
