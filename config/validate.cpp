#include <map>
#include <set>
#include <string>

#include <fmt/format.h>

#include "config/derived.h"
#include "config/report.h"
#include "config/sections.h"
#include "config/values.h"

namespace koi::config {
namespace {

/// A core that has two loops, each of which must be on time.
void check_cores(const Dataplane& dataplane, Report& report) {
  const bool poll = dataplane.idle == Idle::poll;
  const auto complain = [&](const std::string& path, unsigned core, const std::string& first) {
    std::string text = fmt::format("core {} is also {}; ", core, first);
    if (poll) {
      report.error(path, text + "allowed with idle: poll: a core of its own for each");
    } else {
      report.warning(path, text + "better: a core of its own for each");
    }
  };
  std::map<unsigned, std::string> taken;
  if (report.clean("dataplane.control-core")) {
    taken[dataplane.control_core] = "the control core";
  }
  for (std::size_t i = 0; i < dataplane.worker_cores.size(); ++i) {
    const std::string path = fmt::format("dataplane.worker-cores[{}]", i);
    if (!report.clean(path)) continue;
    const unsigned core = dataplane.worker_cores[i];
    const auto [first, fresh] = taken.emplace(core, fmt::format("worker {}'s", i));
    if (!fresh) complain(path, core, first->second);
  }
}

void check_own_addresses(const std::string& list, const std::vector<InterfaceAddress>& addresses,
                         Report& report) {
  std::set<IpAddress> seen;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    const std::string path = fmt::format("{}[{}]", list, i);
    if (!report.clean(path)) continue;
    const std::string text = addresses[i].address.to_string();
    if (const auto reserved = reserved_in_subnet(addresses[i]); !reserved.empty()) {
      report.error(path, fmt::format("{} is {} with /{}; allowed: a host's address", text, reserved,
                                     addresses[i].prefix_length));
    } else if (!seen.insert(addresses[i].address).second) {
      report.error(path, fmt::format("{} given twice; allowed: once", text));
    }
  }
}

void check_host(const std::string& path, const Port& port,
                std::map<std::string, std::string>& devices, Report& report) {
  if (port.configure && !has_kernel_interface(port) && report.clean(path + ".host") &&
      report.clean(path + ".configure")) {
    report.error(path + ".configure",
                 "there is no kernel interface to configure; allowed: with host: tap or "
                 "virtio-user");
  }
  if (port.host != HostPort::vdev || !report.clean(path + ".host")) return;
  const std::string identity = device_identity(port.host_vdev);
  const auto [first, fresh] = devices.emplace(identity, port.name);
  if (fresh) return;
  report.error(path + ".host", fmt::format("device {} is already port {}'s; allowed: another name "
                                           "of a vdev",
                                           in_quotes(identity), first->second));
}

void check_ports(const std::vector<Port>& ports, Report& report) {
  std::map<std::string, std::string> devices;
  for (const Port& port : ports) {
    const std::string path = "ports." + path_part(port.name);
    if (report.clean(path + ".device")) {
      const std::string identity = device_identity(port.device);
      const auto [first, fresh] = devices.emplace(identity, port.name);
      if (!fresh) {
        report.error(path + ".device", fmt::format("device {} is already port {}'s; allowed: a "
                                                   "device, or a name of a vdev, for each port",
                                                   in_quotes(identity), first->second));
      }
    }
    check_host(path, port, devices, report);
    check_own_addresses(path + ".addresses", port.addresses, report);
    for (const auto& [id, vlan] : port.vlans) {
      check_own_addresses(fmt::format("{}.vlans.{}.addresses", path, id.value()), vlan.addresses,
                          report);
    }
  }
}

}  // namespace

void validate(const Config& config, Report& report) {
  check_cores(config.dataplane, report);
  check_ports(config.ports, report);
  validate_groups(config, report);
}

}  // namespace koi::config
