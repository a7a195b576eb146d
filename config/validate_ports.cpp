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

/// Each device in one place only: identity to the port that has it.
using Devices = std::map<std::string, std::string>;

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

void check_device(const std::string& path, const std::string& device, const Port& port,
                  Devices& devices, Report& report) {
  if (!report.clean(path)) return;
  const std::string identity = device_identity(device);
  const auto [first, fresh] = devices.emplace(identity, port.name);
  if (fresh) return;
  report.error(path, fmt::format("device {} is already port {}'s; allowed: a device, or a name of "
                                 "a vdev, for each port",
                                 in_quotes(identity), first->second));
}

/// Iff DPDK joins by this mode what koi can use: in mode 6 it writes its own MACs into ARP answers.
bool has_bond_mode(const std::string& device) {
  const std::string key = ",mode=";
  const std::size_t at = device.find(key);
  if (at == std::string::npos) return false;
  const std::size_t from = at + key.size();
  const std::string mode = device.substr(from, device.find(',', from) - from);
  return mode.size() == 1 && mode[0] >= '0' && mode[0] <= '5';
}

void check_bond(const std::string& path, const Port& port, Devices& devices, Report& report) {
  if (!report.clean(path + ".device")) return;
  const bool bond = is_bond(port.device);
  if (!bond && !port.members.empty()) {
    report.error(path + ".members",
                 "the device is no bond; allowed: with a device like \"net_bonding0,mode=4\"");
  }
  if (!bond) return;
  if (!has_bond_mode(port.device)) {
    report.error(path + ".device", "has no usable mode; allowed: mode=0 to mode=5, LACP is mode=4");
  }
  if (port.device.find(",slave=") != std::string::npos) {
    report.error(path + ".device", "slave= names a member; allowed: in members");
  }
  if (port.members.empty() && report.clean(path + ".members")) {
    report.error(path + ".members", "is missing; allowed: the devices that the bond joins");
  }
  for (std::size_t i = 0; i < port.members.size(); ++i) {
    const std::string member = fmt::format("{}.members[{}]", path, i);
    if (is_bond(port.members[i])) {
      report.error(member, "is a bond itself; allowed: other devices");
    } else {
      check_device(member, port.members[i], port, devices, report);
    }
  }
}

void check_host(const std::string& path, const Port& port, Devices& devices, Report& report) {
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

}  // namespace

void validate_ports(const Config& config, Report& report) {
  Devices devices;
  for (const Port& port : config.ports) {
    const std::string path = "ports." + path_part(port.name);
    check_device(path + ".device", port.device, port, devices, report);
    check_bond(path, port, devices, report);
    check_host(path, port, devices, report);
    check_own_addresses(path + ".addresses", port.addresses, report);
    for (const auto& [id, vlan] : port.vlans) {
      check_own_addresses(fmt::format("{}.vlans.{}.addresses", path, id.value()), vlan.addresses,
                          report);
    }
  }
}

}  // namespace koi::config
