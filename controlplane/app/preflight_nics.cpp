#include "controlplane/app/preflight_nics.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "common/net/device.h"
#include "config/derived.h"

namespace koi::app {
namespace {

constexpr const char* kIommuOn =
    "switch it on in the firmware, and intel_iommu=on iommu=pt on the kernel's command line";

bool is_uio(std::string_view driver) { return driver == "uio_pci_generic" || driver == "igb_uio"; }

/// Of the drivers that stand beside vfio-pci in a group: they let no device write by itself.
bool is_harmless(std::string_view driver) {
  return driver.empty() || driver == "vfio-pci" || driver == "pcieport" || driver == "pci-stub";
}

std::string folder_of(const std::string& address) { return "/sys/bus/pci/devices/" + address; }

class Nics {
 public:
  Nics(const config::Config& config, const KernelFiles& files, Findings& found)
      : config_(config), files_(files), found_(found) {}

  void run() {
    iommu();
    for (const config::Port& port : config_.ports) {
      for (const std::string& each : devices_of(port)) device("port " + port.name, each);
      host(port);
    }
  }

 private:
  std::string driver_of(const std::string& address) const {
    return files_.link_name(folder_of(address) + "/driver");
  }
  void iommu();
  void device(const std::string& what, const std::string& device);
  void pci(const std::string& what, const std::string& address);
  void group(const std::string& what, const std::string& address);
  void numa(const std::string& what, const std::string& address);
  void interface(const std::string& what, const std::string& device);
  void host(const config::Port& port);

  const config::Config& config_;
  const KernelFiles& files_;
  Findings& found_;
  bool iommu_on_ = false;
};

/// Those that the kernel drives beside DPDK, and those of uio, go without.
void Nics::iommu() {
  bool wanted = false;
  for (const config::Port& port : config_.ports) {
    for (const std::string& each : devices_of(port)) {
      if (!is_pci_address(each)) continue;
      const std::string driver = driver_of(device_name(each));
      wanted = wanted || driver == "vfio-pci" || !is_dpdk_driver(driver);
    }
  }
  if (!wanted) return;
  iommu_on_ = !files_.names_in("/sys/class/iommu").empty();
  if (iommu_on_) {
    found_.ok("IOMMU", "on");
  } else if (files_.line("/sys/module/vfio/parameters/enable_unsafe_noiommu_mode") == "Y") {
    found_.warn("IOMMU", "off, and vfio told to do without: a NIC may write anywhere in memory",
                kIommuOn);
  } else {
    found_.fail("IOMMU", "off: vfio-pci refuses the NICs", kIommuOn);
  }
}

void Nics::device(const std::string& what, const std::string& device) {
  if (is_pci_address(device)) {
    pci(what, device_name(device));
  } else {
    interface(what, device);
  }
}

void Nics::pci(const std::string& what, const std::string& address) {
  if (!files_.there(folder_of(address))) {
    found_.fail(what, fmt::format("there is no PCI device {}", address),
                "lspci -D lists what there is");
    return;
  }
  const std::string driver = driver_of(address);
  if (is_uio(driver)) {
    found_.warn(what,
                fmt::format("{} is bound to {}: it may write anywhere in memory, and has no "
                            "receive interrupts for idle: adaptive",
                            address, driver),
                "tools/bind " + address);
  } else if (is_dpdk_driver(driver)) {
    found_.ok(what, fmt::format("{} is bound to {}", address, driver));
  } else {
    found_.fail(what,
                fmt::format("{} is bound to {}", address,
                            driver.empty() ? "no driver" : "the kernel's " + driver),
                "tools/bind " + address);
  }
  if (driver == "vfio-pci") group(what, address);
  numa(what, address);
}

/// vfio hands out whole groups: what the IOMMU cannot keep apart.
void Nics::group(const std::string& what, const std::string& address) {
  const std::string folder = folder_of(address) + "/iommu_group";
  if (iommu_on_ && files_.line(folder + "/name") == "vfio-noiommu") {
    found_.warn(what, fmt::format("the IOMMU is not before {}: it may write anywhere", address),
                kIommuOn);
  }
  for (const std::string& other : files_.names_in(folder + "/devices")) {
    const std::string driver = driver_of(other);
    if (other == address || is_harmless(driver)) continue;
    const bool nic = files_.line(folder_of(other) + "/class").value_or("").starts_with("0x02");
    found_.fail(what,
                fmt::format("{} shares its IOMMU group with {}, which the kernel's {} has: vfio "
                            "refuses both",
                            address, other, driver),
                nic ? "tools/bind " + other
                    : fmt::format("echo {} >{}/driver/unbind, or another slot for the NIC", other,
                                  folder_of(other)));
  }
}

void Nics::numa(const std::string& what, const std::string& address) {
  const auto node = number_at_start(files_.line(folder_of(address) + "/numa_node").value_or(""));
  if (!node) return;  // -1: the machine has one
  const std::set<unsigned> near =
      files_.list(fmt::format("/sys/devices/system/node/node{}/cpulist", *node));
  std::vector<unsigned> far;
  for (const unsigned core : config_.dataplane.worker_cores) {
    if (!near.contains(core)) far.push_back(core);
  }
  if (far.empty()) return;
  found_.warn(what,
              fmt::format("{} is at NUMA node {}, the worker of core {} is not", address, *node,
                          fmt::join(far, ", ")),
              fmt::format("take worker-cores of node {}: {}", *node, fmt::join(near, ", ")));
}

/// What sits on an interface of the kernel's, or on nothing.
void Nics::interface(const std::string& what, const std::string& device) {
  const bool on_kernel = device.starts_with("net_af_packet") || device.starts_with("net_af_xdp");
  if (!on_kernel) {
    found_.ok(what, device);
    return;
  }
  const std::string name = kernel_interface(device);
  if (name.empty()) {
    found_.fail(what, fmt::format("{} names no network interface", device),
                "add ,iface= and its name");
    return;
  }
  const std::string folder = "/sys/class/net/" + name;
  if (name.find('/') != std::string::npos || !files_.there(folder)) {
    found_.fail(what, fmt::format("there is no network interface {}", name),
                "ip link lists what there is");
    return;
  }
  if (files_.line(folder + "/carrier") != "1") {
    found_.warn(what, fmt::format("{} has no link", name), fmt::format("ip link set {} up", name));
  } else {
    found_.ok(what, fmt::format("{}, by the kernel", name));
  }
}

void Nics::host(const config::Port& port) {
  const std::string what = fmt::format("port {}, host", port.name);
  if (port.host == config::HostPort::tap || port.host == config::HostPort::virtio_user) {
    if (files_.there("/dev/net/tun")) {
      found_.ok(what, "/dev/net/tun");
    } else {
      found_.fail(what, "there is no /dev/net/tun", "modprobe tun");
    }
  }
  if (port.host != config::HostPort::virtio_user) return;
  if (files_.there("/dev/vhost-net")) {
    found_.ok(what, "/dev/vhost-net");
  } else {
    found_.fail(what, "there is no /dev/vhost-net", "modprobe vhost_net, or host: tap");
  }
}

}  // namespace

void check_nics(const config::Config& config, const KernelFiles& files, Findings& found) {
  Nics(config, files, found).run();
}

std::string why_not_asked(const std::string& device, const KernelFiles& files) {
  if (device.starts_with("net_af_xdp"))
    return "net_af_xdp would take an XDP program off the interface";
  if (is_pci_address(device) &&
      is_uio(files.link_name(folder_of(device_name(device)) + "/driver"))) {
    return "a NIC under uio would be reset, though a program has it";
  }
  const std::string interface = kernel_interface(device);
  if (device.starts_with("net_tap") && files.there("/sys/class/net/" + interface)) {
    return interface + " is there, and its MAC would change";
  }
  return {};
}

std::string trust_command(const std::string& device, const KernelFiles& files) {
  if (!is_pci_address(device)) return {};
  const std::string address = device_name(device);
  const std::string parent = folder_of(address) + "/physfn";
  const std::vector<std::string> interfaces = files.names_in(parent + "/net");
  if (interfaces.empty()) return {};
  for (const std::string& name : files.names_in(parent)) {
    if (!name.starts_with("virtfn")) continue;
    if (files.link_name(fmt::format("{}/{}", parent, name)) != address) continue;
    const std::string driver = files.link_name(parent + "/driver");
    return fmt::format(
        "ip link set {} vf {} trust on spoofchk off{}", interfaces[0], name.substr(6),
        driver == "i40e" || driver == "ice"
            ? fmt::format("; ethtool --set-priv-flags {} vf-true-promisc-support on", interfaces[0])
            : "");
  }
  return {};
}

}  // namespace koi::app
