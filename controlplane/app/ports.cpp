#include "controlplane/app/ports.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "config/derived.h"
#include "dataplane/mempool.h"

namespace koi::app {
namespace {

std::size_t hosts_of(const config::Config& config) {
  return static_cast<std::size_t>(
      std::count_if(config.ports.begin(), config.ports.end(),
                    [](const config::Port& port) { return port.host != config::HostPort::none; }));
}

/// Those that have rings: a bond has none, its members do.
std::size_t devices_of(const config::Config& config) {
  std::size_t count = 0;
  for (const config::Port& port : config.ports) {
    count += std::max<std::size_t>(1, port.members.size());
  }
  return count;
}

/// Of one worker's part in that many devices.
unsigned mbufs(std::size_t devices) {
  return devices == 0 ? 0 : dataplane::data_mbufs(devices, dataplane::kDescriptors);
}

/// REQUIRES: the port has a host.
dataplane::HostPort::Device host_device(const config::Port& port, const dataplane::Port& started) {
  if (port.host == config::HostPort::vdev) return dataplane::HostPort::vdev(port.host_vdev);
  const std::string interface = config::kernel_interface(port);
  return port.host == config::HostPort::tap ? dataplane::HostPort::tap(started, interface)
                                            : dataplane::HostPort::virtio_user(started, interface);
}

/// Whether the port's host may leave something undone for its NIC.
bool may_leave_undone(const config::Port& port) {
  return port.host == config::HostPort::virtio_user ||
         (port.host == config::HostPort::vdev && dataplane::may_leave_undone(port.host_vdev));
}

void tell_interrupts(const std::string& port, const char* whose, bool has) {
  spdlog::info("port {}: {} interrupts: {}", port, whose, has ? "yes" : "no (driver has none)");
}

}  // namespace

std::size_t memory_mib(const config::Config& config) {
  constexpr std::size_t kEal = 32;
  constexpr std::size_t kRings = 16;
  constexpr std::size_t kMbuf = 2560;  // bytes, all about it counted
  const std::size_t count =
      mbufs(devices_of(config)) + mbufs(hosts_of(config)) + dataplane::kControlMbufs;
  return kEal + config.dataplane.worker_cores.size() * (kRings + count * kMbuf / (1 << 20));
}

dataplane::EalOptions eal_options(const config::Config& config) {
  dataplane::EalOptions options;
  options.control_core = config.dataplane.control_core;
  options.worker_cores = config.dataplane.worker_cores;
  options.hugepages = config.dataplane.hugepages;
  options.memory_mib = memory_mib(config);
  options.further = config.dataplane.eal;
  for (const config::Port& port : config.ports) {
    options.devices.insert(options.devices.end(), port.members.begin(), port.members.end());
    options.devices.push_back(dataplane::Bond::device(port.device, port.members));
  }
  return options;
}

Status Ports::open() {
  if (Status s = open_ports(); !s) return s;
  return open_hosts();
}

Status Ports::open_ports() {
  std::vector<rte_mempool*> pools;
  for (std::size_t w = 0; w < config_.dataplane.worker_cores.size(); ++w) {
    auto pool = dataplane::make_pool(fmt::format("data{}", w), mbufs(devices_of(config_)));
    if (!pool) return pool.error();
    pools.push_back(pool.value());
  }
  std::size_t first = 0;  // ports with fewer queue pairs than there are workers share them out
  for (std::size_t p = 0; p < config_.ports.size(); ++p) {
    auto port = dataplane::Port::start(
        PortIndex(static_cast<std::uint8_t>(p)), config_.ports[p].name, config_.ports[p].device,
        config_.ports[p].members, pools, first, may_leave_undone(config_.ports[p]), sleeps());
    if (!port) return port.error();
    ports_.push_back(std::move(port).value());
    const dataplane::Port& started = ports_.back();
    first = (first + started.queues()) % pools.size();
    const std::string how =
        dataplane::text(started.plan(), static_cast<std::uint16_t>(pools.size()));
    spdlog::info("port {}: {} ({}), MAC {}, {} queue pair(s) for {} worker(s){}{}", started.name(),
                 config_.ports[p].device, started.driver(), started.mac().to_string(),
                 started.queues(), pools.size(), how.empty() ? "" : ": ", how);
    if (sleeps()) tell_interrupts(started.name(), "receive", started.interrupts());
  }
  for (std::size_t w = 0; w < pools.size(); ++w) {
    if (std::any_of(ports_.begin(), ports_.end(),
                    [w](const auto& port) { return port.queue_of(w).has_value(); })) {
      continue;
    }
    spdlog::warn(
        "worker {} (core {}) has no queue of any port and does nothing: give a port more queue "
        "pairs (net_af_packet: qpairs), or take the core out of dataplane.worker-cores",
        w, config_.dataplane.worker_cores[w]);
  }
  return Done{};
}

/// Pools of their own: what the host sends cannot take the buffers of what is received.
Status Ports::open_hosts() {
  std::vector<rte_mempool*> pools;
  const auto& ports = config_.ports;
  const unsigned count = mbufs(hosts_of(config_));
  for (std::size_t w = 0; count != 0 && w < config_.dataplane.worker_cores.size(); ++w) {
    auto pool = dataplane::make_pool(fmt::format("host{}", w), count);
    if (!pool) return pool.error();
    pools.push_back(pool.value());
  }
  for (std::size_t p = 0; p < ports.size(); ++p) {
    hosts_.emplace_back();
    if (ports[p].host == config::HostPort::none) continue;
    auto host = dataplane::HostPort::start(ports_[p], host_device(ports[p], ports_[p]), pools);
    if (!host) return host.error();
    hosts_.back().emplace(std::move(host).value());
    spdlog::info(
        "port {}: what is not koi's goes to {}; offloads of its host to the NIC: {}", ports[p].name,
        hosts_.back()->interface().empty() ? ports[p].host_vdev : hosts_.back()->interface(),
        hosts_.back()->offloads().text());
    if (sleeps()) tell_interrupts(ports[p].name, "its host's receive", hosts_.back()->interrupts());
  }
  return Done{};
}

std::vector<controlplane::PortFacts> Ports::facts() const {
  std::vector<controlplane::PortFacts> facts;
  for (const dataplane::Port& port : ports_) {
    unsigned receivers = 0;
    for (std::uint16_t q = 0; q < port.queues(); ++q) receivers |= 1U << port.worker_of(q);
    facts.push_back({port.mac(), static_cast<std::uint8_t>(receivers), port.mtu()});
  }
  return facts;
}

std::vector<dataplane::Queue> Ports::queues_of(std::size_t worker) const {
  std::vector<dataplane::Queue> queues;
  for (const dataplane::Port& port : ports_) {
    const std::optional<std::uint16_t> queue = port.queue_of(worker);
    if (!queue) continue;
    const auto& host = hosts_[port.index().value()];
    queues.push_back({port.index(), port.id(), *queue, port.rx_descriptors(), port.room(),
                      host ? std::optional(host->id()) : std::nullopt, port.bond() != nullptr,
                      port.offloads()});
  }
  return queues;
}

std::unique_ptr<dataplane::RxInterrupts> Ports::interrupts_of(std::size_t worker) const {
  if (!sleeps()) return nullptr;
  std::vector<dataplane::RxQueue> queues;
  for (const dataplane::Port& port : ports_) {
    const std::optional<std::uint16_t> queue = port.queue_of(worker);
    if (!queue) continue;
    const auto& host = hosts_[port.index().value()];
    if (!port.interrupts() || (host && !host->interrupts())) return nullptr;
    queues.push_back({port.id(), *queue});
    if (host) queues.push_back({host->id(), *queue});
  }
  return dataplane::RxInterrupts::open(queues);
}

std::vector<std::vector<dataplane::Capture::Queue>> Ports::capture_queues() const {
  std::vector<std::vector<dataplane::Capture::Queue>> queues;
  for (const dataplane::Port& port : ports_) {
    std::vector<dataplane::Capture::Queue>& of_port = queues.emplace_back();
    for (std::uint16_t q = 0; q < port.queues(); ++q) {
      const WorkerIndex worker(static_cast<std::uint8_t>(port.worker_of(q)));
      of_port.push_back({port.id(), q, worker});
    }
  }
  return queues;
}

std::vector<Service::PortLink> Ports::links() {
  std::vector<Service::PortLink> links;
  for (dataplane::Port& port : ports_) {
    links.push_back({port.kernel_interface(), [&port] {
                       if (port.bond() != nullptr) port.bond()->update(steady_now());
                       return port.link_up();
                     }});
  }
  return links;
}

std::vector<Service::LinkWatch> Ports::watches() {
  std::vector<Service::LinkWatch> watches;
  for (dataplane::Port& port : ports_) {
    if (port.bond() == nullptr) continue;
    const std::vector<std::string>& interfaces = port.bond()->kernel_interfaces();
    for (std::size_t m = 0; m < interfaces.size(); ++m) {
      if (interfaces[m].empty()) continue;
      watches.push_back({interfaces[m], [&port, m, up = true](bool is_up) mutable {
                           if (is_up == std::exchange(up, is_up)) return;
                           spdlog::info("port {}: member {}: link {}", port.name(),
                                        port.bond()->kernel_interfaces()[m], is_up ? "up" : "down");
                           port.bond()->kernel_says(m, is_up);
                         }});
    }
  }
  return watches;
}

bool Ports::have_kernel_bond() const {
  return std::any_of(ports_.begin(), ports_.end(), [](const dataplane::Port& port) {
    if (port.bond() == nullptr) return false;
    const std::vector<std::string>& interfaces = port.bond()->kernel_interfaces();
    return std::any_of(interfaces.begin(), interfaces.end(),
                       [](const std::string& interface) { return !interface.empty(); });
  });
}

}  // namespace koi::app
