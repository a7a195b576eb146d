#include "dataplane/eal.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstring>
#include <deque>
#include <fcntl.h>
#include <linux/capability.h>
#include <mutex>
#include <net/if.h>
#include <optional>
#include <unistd.h>

#include <fmt/format.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>

#include "common/net/device.h"

// Set-up code of the service thread: runs before any worker exists.
namespace koi::dataplane {
namespace {

/// EAL's log goes to a stream of ours, so that a failure can be told in one sentence. DPDK's
/// threads may log at any time, hence the lock; workers never log.
class LogTail {
 public:
  void append(const char* text, std::size_t size) {
    const std::lock_guard lock(mutex_);
    std::string line(text, size);
    while (!line.empty() && std::isspace(static_cast<unsigned char>(line.back())) != 0) {
      line.pop_back();
    }
    // net_tap's warning of what koid means it to find: app/process.h, keep_tap_without_signals().
    if (line.empty() || line.ends_with("All rt-signals are in use")) return;
    lines_.push_back(line);
    if (lines_.size() > kKept) lines_.pop_front();
  }
  std::string last() {
    const std::lock_guard lock(mutex_);
    return lines_.empty() ? std::string("nothing") : lines_.back();
  }
  std::string all() {
    const std::lock_guard lock(mutex_);
    return lines_.empty() ? std::string("nothing") : fmt::format("{}", fmt::join(lines_, "; "));
  }

 private:
  static constexpr std::size_t kKept = 4;
  std::mutex mutex_;
  std::deque<std::string> lines_;
};

/// Sends the standard output nowhere for its lifetime.
class QuietStdout {
 public:
  QuietStdout() : saved_(dup(STDOUT_FILENO)) {
    std::fflush(stdout);
    const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere >= 0) {
      dup2(nowhere, STDOUT_FILENO);
      close(nowhere);
    }
  }
  ~QuietStdout() {
    std::fflush(stdout);
    if (saved_ < 0) return;
    dup2(saved_, STDOUT_FILENO);
    close(saved_);
  }
  QuietStdout(const QuietStdout&) = delete;
  QuietStdout& operator=(const QuietStdout&) = delete;

 private:
  int saved_;
};

LogTail& log_tail() {
  static LogTail tail;
  return tail;
}

ssize_t write_log(void*, const char* text, std::size_t size) {
  log_tail().append(text, size);
  return static_cast<ssize_t>(size);
}

void capture_log() {
  static FILE* stream = fopencookie(nullptr, "w", {nullptr, write_log, nullptr, nullptr});
  if (stream == nullptr) return;
  setvbuf(stream, nullptr, _IOLBF, 0);
  rte_openlog_stream(stream);
}

std::optional<std::string> read_line(const std::string& path) {
  FILE* file = std::fopen(path.c_str(), "re");
  if (file == nullptr) return std::nullopt;
  char line[256];
  std::optional<std::string> text;
  if (std::fgets(line, sizeof line, file) != nullptr) {
    text = line;
    while (!text->empty() && text->back() == '\n') text->pop_back();
  }
  std::fclose(file);
  return text;
}

Status check_cores(const EalOptions& options) {
  const auto cores = static_cast<unsigned>(sysconf(_SC_NPROCESSORS_CONF));
  std::vector<unsigned> wanted = options.worker_cores;
  wanted.push_back(options.control_core);
  for (const unsigned core : wanted) {
    const auto online = read_line(fmt::format("/sys/devices/system/cpu/cpu{}/online", core));
    if (core >= cores || online == "0") {
      return Error{
          fmt::format("core {} does not exist or is offline: this machine has cores 0 to "
                      "{}; mend dataplane.control-core or dataplane.worker-cores",
                      core, cores - 1)};
    }
  }
  return Done{};
}

Status check_hugepages(const EalOptions& options) {
  if (!options.hugepages) return Done{};
  for (const char* size : {"hugepages-2048kB", "hugepages-1048576kB"}) {
    const auto free = read_line(fmt::format("/sys/kernel/mm/hugepages/{}/free_hugepages", size));
    if (free && *free != "0") return Done{};
  }
  return Error{
      "no free hugepages: reserve some with `sysctl vm.nr_hugepages=256`, or set "
      "dataplane.hugepages: false in a lab"};
}

Status check_pci(const std::string& address) {
  const std::string folder = "/sys/bus/pci/devices/" + address;
  if (access(folder.c_str(), F_OK) != 0) {
    return Error{
        fmt::format("PCI device {} does not exist; `lspci -D` lists what there is", address)};
  }
  char target[256];
  const ssize_t size = readlink((folder + "/driver").c_str(), target, sizeof target - 1);
  const std::string driver =
      size > 0 ? std::string(target, static_cast<std::size_t>(size)) : std::string();
  const std::string name = driver.substr(driver.rfind('/') + 1);
  if (is_dpdk_driver(name)) return Done{};
  return Error{
      fmt::format("PCI device {} is bound to {}; bind it to vfio-pci with "
                  "`dpdk-devbind.py --bind=vfio-pci {}`",
                  address, name.empty() ? "no driver" : "the driver " + name, address)};
}

/// Drivers that sit on a kernel interface name it in iface=.
Status check_vdev(const std::string& device) {
  if (!device.starts_with("net_af_packet") && !device.starts_with("net_af_xdp")) return Done{};
  const std::string interface = kernel_interface(device);
  if (interface.empty()) {
    return Error{fmt::format("device {}: name the network interface it sits on: {},iface=eth1",
                             device, device_name(device))};
  }
  if (if_nametoindex(interface.c_str()) == 0) {
    return Error{
        fmt::format("device {}: there is no network interface \"{}\" here; `ip link` lists "
                    "what there is",
                    device, interface)};
  }
  return Done{};
}

Status check_permission(const std::vector<std::string>& devices) {
  if (geteuid() == 0) return Done{};
  const bool raw = std::any_of(devices.begin(), devices.end(), [](const std::string& device) {
    return device.starts_with("net_af_");
  });
  const auto needed = 1ULL << CAP_NET_ADMIN | (raw ? 1ULL << CAP_NET_RAW : 0);
  FILE* file = std::fopen("/proc/self/status", "re");
  unsigned long long effective = 0;
  char line[256];
  while (file != nullptr && std::fgets(line, sizeof line, file) != nullptr) {
    if (std::sscanf(line, "CapEff: %llx", &effective) == 1) break;
  }
  if (file != nullptr) std::fclose(file);
  if ((effective & needed) == needed) return Done{};
  return Error{fmt::format(
      "no permission to open network devices: start koid as root, or with CAP_NET_ADMIN{} "
      "(the unit koid.service does)",
      raw ? " and, for interfaces of the kernel, CAP_NET_RAW" : "")};
}

std::vector<std::string> arguments(const EalOptions& options) {
  std::vector<std::string> args = {"koid", "--no-telemetry", "--main-lcore=0",
                                   "--log-level=*:warning"};
  std::string lcores = fmt::format("0@{}", options.control_core);
  for (std::size_t w = 0; w < options.worker_cores.size(); ++w) {
    lcores += fmt::format(",{}@{}", w + 1, options.worker_cores[w]);
  }
  args.push_back("--lcores=" + lcores);
  if (options.hugepages) {
    args.emplace_back("--in-memory");
  } else {  // --no-huge excludes --in-memory; these together leave no files either
    args.emplace_back("--no-huge");
    args.emplace_back("--no-shconf");
    args.emplace_back("--file-prefix=koi");
    args.push_back(fmt::format("-m{}", options.memory_mib));
  }
  bool pci = false;
  for (const std::string& device : options.devices) {
    pci = pci || is_pci_address(device);
    args.push_back((is_pci_address(device) ? "--allow=" : "--vdev=") + device);
  }
  if (!pci) args.emplace_back("--no-pci");
  args.insert(args.end(), options.further.begin(), options.further.end());
  return args;
}

}  // namespace

std::string Eal::last_log_line() { return log_tail().last(); }

std::string Eal::last_log_lines() { return log_tail().all(); }

Result<Eal> Eal::start(const EalOptions& options) {
  if (const Status s = check_cores(options); !s) return s.error();
  if (const Status s = check_permission(options.devices); !s) return s.error();
  if (const Status s = check_hugepages(options); !s) return s.error();
  for (const std::string& device : options.devices) {
    const Status s = is_pci_address(device) ? check_pci(device_name(device)) : check_vdev(device);
    if (!s) return s.error();
  }
  capture_log();
  std::vector<std::string> args = arguments(options);
  std::vector<char*> argv;
  argv.reserve(args.size() + 1);
  for (std::string& a : args) argv.push_back(a.data());
  argv.push_back(nullptr);
  const QuietStdout quiet;  // EAL prints its whole usage there when an argument is wrong
  if (rte_eal_init(static_cast<int>(args.size()), argv.data()) < 0) {
    return Error{
        fmt::format("DPDK does not start: {}{} (DPDK says: {})", rte_strerror(rte_errno),
                    options.further.empty() ? "" : "; are the arguments in dataplane.eal right?",
                    log_tail().all())};
  }
  return Eal();
}

Eal::~Eal() {
  if (up_) rte_eal_cleanup();
}

}  // namespace koi::dataplane
