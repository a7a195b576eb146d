#include "controlplane/app/preflight.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "common/net/device.h"

namespace koi::app {
namespace {

namespace fs = std::filesystem;

std::optional<std::string> first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  return line;
}

std::optional<unsigned> number_in(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end == text.data()) return std::nullopt;
  return value;
}

/// The kernel's lists: "0-3,8". What is no number is left out.
std::set<unsigned> parse_list(const std::string& text) {
  std::set<unsigned> all;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    const std::string part = text.substr(at, comma - at);
    at = comma + 1;
    const std::size_t dash = part.find('-');
    const auto from = number_in(part);
    const auto to = dash == std::string::npos ? from : number_in(part.substr(dash + 1));
    if (!from || !to || *to - *from > 65536) continue;
    for (unsigned n = *from; n <= *to; ++n) all.insert(n);
  }
  return all;
}

class Inspection {
 public:
  Inspection(const config::Config& config, std::size_t memory_mib, std::string root)
      : config_(config), memory_mib_(memory_mib), root_(std::move(root)) {}

  std::vector<Finding> run() {
    clock();
    cores();
    memory();
    iommu();
    for (const config::Port& port : config_.ports) {
      if (port.members.empty()) device("port " + port.name, port.device);
      for (const std::string& member : port.members) device("port " + port.name, member);
      host(port);
    }
    return found_.take();
  }

 private:
  std::optional<std::string> line(const std::string& path) const {
    return first_line(root_ + path);
  }
  bool there(const std::string& path) const {
    std::error_code ignored;
    return fs::exists(root_ + path, ignored);
  }
  std::set<unsigned> list(const std::string& path) const {
    return parse_list(line(path).value_or(""));
  }
  /// The last part of where a link of the kernel's leads; empty: there is none.
  std::string link_name(const std::string& path) const {
    std::error_code ignored;
    return fs::read_symlink(root_ + path, ignored).filename();
  }

  void clock();
  void cores();
  void worker_core(unsigned core, const std::set<unsigned>& isolated,
                   const std::set<unsigned>& tickless);
  void memory();
  void iommu();
  void device(const std::string& what, const std::string& device);
  void pci(const std::string& what, const std::string& address);
  void numa(const std::string& what, const std::string& address);
  void interface(const std::string& what, const std::string& device);
  void host(const config::Port& port);

  const config::Config& config_;
  const std::size_t memory_mib_;
  const std::string root_;
  Findings found_;
};

/// Leases are counted by the TSC: it has to go on evenly, and alike on all cores.
void Inspection::clock() {
  std::ifstream cpuinfo(root_ + "/proc/cpuinfo");
  bool constant = false;
  bool nonstop = false;
  for (std::string each; std::getline(cpuinfo, each);) {
    if (!each.starts_with("flags")) continue;
    constant = each.find(" constant_tsc") != std::string::npos;
    nonstop = each.find(" nonstop_tsc") != std::string::npos;
    break;
  }
  const std::string source =
      line("/sys/devices/system/clocksource/clocksource0/current_clocksource").value_or("unknown");
  if (!constant || !nonstop) {
    found_.warn(
        "clock", "the processor does not promise an even TSC (constant_tsc, nonstop_tsc)",
        "do not let the machine sleep or change its clock rate: processor.max_cstate=1 on the "
        "kernel's command line");
  } else if (source != "tsc") {
    found_.warn(
        "clock", fmt::format("the kernel does not trust the TSC and takes {}", source),
        "dmesg | grep -i tsc says why; tsc=reliable on the kernel's command line if it is wrong");
  } else {
    found_.ok("clock", "TSC, constant and nonstop");
  }
}

void Inspection::cores() {
  const std::set<unsigned> online = list("/sys/devices/system/cpu/online");
  const std::set<unsigned> isolated = list("/sys/devices/system/cpu/isolated");
  const std::set<unsigned> tickless = list("/sys/devices/system/cpu/nohz_full");
  std::vector<unsigned> wanted = config_.dataplane.worker_cores;
  wanted.push_back(config_.dataplane.control_core);
  std::sort(wanted.begin(), wanted.end());
  for (const unsigned core : wanted) {
    const std::string what = fmt::format("core {}", core);
    if (!online.contains(core)) {
      found_.fail(what, fmt::format("is not online; there are {}", fmt::join(online, ", ")),
                  "mend dataplane.control-core or dataplane.worker-cores");
    } else if (core == config_.dataplane.control_core) {
      found_.ok(what, "control");
    } else {
      worker_core(core, isolated, tickless);
    }
  }
  // Two threads on one core's two halves take time from each other.
  std::set<std::set<unsigned>> told;
  for (const unsigned core : wanted) {
    std::set<unsigned> ours;
    for (const unsigned sibling :
         list(fmt::format("/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list", core))) {
      if (std::binary_search(wanted.begin(), wanted.end(), sibling)) ours.insert(sibling);
    }
    if (ours.size() < 2 || !told.insert(ours).second) continue;
    found_.warn(fmt::format("cores {}", fmt::join(ours, ", ")),
                "are threads of one core: they take time from each other",
                "take cores of their own; lscpu -e lists which thread is on which");
  }
}

void Inspection::worker_core(unsigned core, const std::set<unsigned>& isolated,
                             const std::set<unsigned>& tickless) {
  const std::string what = fmt::format("core {}", core);
  if (isolated.contains(core) && tickless.contains(core)) {
    found_.ok(what, "a worker's own");
    return;
  }
  const std::string all = fmt::format("{}", fmt::join(config_.dataplane.worker_cores, ","));
  found_.warn(
      what,
      isolated.contains(core)
          ? "a worker's, but the kernel's tick interrupts it"
          : "a worker's, but the kernel runs other work there: whatever keeps the worker away for "
            "a millisecond costs answers",
      fmt::format("on the kernel's command line: isolcpus={0} nohz_full={0} rcu_nocbs={0}", all));
}

void Inspection::memory() {
  if (!config_.dataplane.hugepages) {
    found_.warn("memory", fmt::format("{} MiB without hugepages", memory_mib_),
                "dataplane.hugepages: true, but in a lab");
    return;
  }
  std::uint64_t free_kib = 0;
  const std::string folder = "/sys/kernel/mm/hugepages";
  std::error_code ignored;
  for (const auto& size : fs::directory_iterator(root_ + folder, ignored)) {
    const std::string name = size.path().filename();  // hugepages-2048kB
    const auto pages = number_in(first_line(size.path() / "free_hugepages").value_or(""));
    const auto kib =
        number_in(std::string_view(name).substr(std::min<std::size_t>(name.size(), 10)));
    if (pages && kib) free_kib += std::uint64_t{*pages} * *kib;
  }
  const std::string detail =
      fmt::format("{} MiB of hugepages are free, {} MiB needed", free_kib / 1024, memory_mib_);
  if (free_kib / 1024 >= memory_mib_) {
    found_.ok("memory", detail);
  } else {
    found_.fail("memory", detail, fmt::format("sysctl vm.nr_hugepages={}", memory_mib_ / 2 + 1));
  }
}

void Inspection::iommu() {
  const bool wanted = std::any_of(config_.ports.begin(), config_.ports.end(), [](const auto& port) {
    return is_pci_address(port.device) ||
           std::any_of(port.members.begin(), port.members.end(),
                       [](const std::string& m) { return is_pci_address(m); });
  });
  if (!wanted) return;
  std::error_code ignored;
  const fs::directory_iterator units(root_ + "/sys/class/iommu", ignored);
  if (!ignored && units != fs::directory_iterator()) {
    found_.ok("IOMMU", "on");
  } else if (line("/sys/module/vfio/parameters/enable_unsafe_noiommu_mode") == "Y") {
    found_.warn(
        "IOMMU", "off: a NIC may write anywhere in memory",
        "switch it on in the firmware, and intel_iommu=on iommu=pt on the kernel's command line");
  } else {
    found_.fail(
        "IOMMU", "off: vfio-pci refuses the NICs",
        "switch it on in the firmware, and intel_iommu=on iommu=pt on the kernel's command line");
  }
}

void Inspection::device(const std::string& what, const std::string& device) {
  if (is_pci_address(device)) {
    pci(what, device_name(device));
  } else {
    interface(what, device);
  }
}

void Inspection::pci(const std::string& what, const std::string& address) {
  const std::string folder = "/sys/bus/pci/devices/" + address;
  if (!there(folder)) {
    found_.fail(what, fmt::format("there is no PCI device {}", address),
                "lspci -D lists what there is");
    return;
  }
  const std::string driver = link_name(folder + "/driver");
  if (is_dpdk_driver(driver)) {
    found_.ok(what, fmt::format("{} is bound to {}", address, driver));
  } else {
    found_.fail(what,
                fmt::format("{} is bound to {}", address,
                            driver.empty() ? "no driver" : "the kernel's " + driver),
                "tools/bind " + address);
  }
  numa(what, address);
}

void Inspection::numa(const std::string& what, const std::string& address) {
  const auto node = number_in(line("/sys/bus/pci/devices/" + address + "/numa_node").value_or(""));
  if (!node) return;  // -1: the machine has one
  const std::set<unsigned> near =
      list(fmt::format("/sys/devices/system/node/node{}/cpulist", *node));
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
void Inspection::interface(const std::string& what, const std::string& device) {
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
  if (name.find('/') != std::string::npos || !there(folder)) {
    found_.fail(what, fmt::format("there is no network interface {}", name),
                "ip link lists what there is");
    return;
  }
  if (line(folder + "/carrier") != "1") {
    found_.warn(what, fmt::format("{} has no link", name), fmt::format("ip link set {} up", name));
  } else {
    found_.ok(what, fmt::format("{}, by the kernel", name));
  }
}

void Inspection::host(const config::Port& port) {
  const std::string what = fmt::format("port {}, host", port.name);
  if (port.host == config::HostPort::tap || port.host == config::HostPort::virtio_user) {
    if (there("/dev/net/tun")) {
      found_.ok(what, "/dev/net/tun");
    } else {
      found_.fail(what, "there is no /dev/net/tun", "modprobe tun");
    }
  }
  if (port.host != config::HostPort::virtio_user) return;
  if (there("/dev/vhost-net")) {
    found_.ok(what, "/dev/vhost-net");
  } else {
    found_.fail(what, "there is no /dev/vhost-net", "modprobe vhost_net, or host: tap");
  }
}

}  // namespace

std::vector<Finding> preflight(const config::Config& config, std::size_t memory_mib,
                               const std::string& root) {
  return Inspection(config, memory_mib, root).run();
}

std::string preflight_text(const std::vector<Finding>& findings) {
  constexpr const char* kVerdicts[] = {"OK", "WARN", "FAIL"};
  std::string text;
  std::size_t warnings = 0;
  std::size_t failures = 0;
  for (const Finding& finding : findings) {
    warnings += finding.verdict == Finding::Verdict::warn;
    failures += finding.verdict == Finding::Verdict::fail;
    text += fmt::format("{:4}  {}: {}\n", kVerdicts[static_cast<std::size_t>(finding.verdict)],
                        finding.what, finding.detail);
    if (!finding.mend.empty()) text += fmt::format("      -> {}\n", finding.mend);
  }
  return text + fmt::format("{} checks: {} would keep koid from starting, {} cost it something\n",
                            findings.size(), failures, warnings);
}

bool passes(const std::vector<Finding>& findings) {
  return std::none_of(findings.begin(), findings.end(),
                      [](const Finding& f) { return f.verdict == Finding::Verdict::fail; });
}

}  // namespace koi::app
