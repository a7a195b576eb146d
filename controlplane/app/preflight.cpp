#include "controlplane/app/preflight.h"

#include <algorithm>
#include <fstream>
#include <set>
#include <string_view>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "controlplane/app/kernel_files.h"
#include "controlplane/app/preflight_folders.h"
#include "controlplane/app/preflight_nics.h"

namespace koi::app {
namespace {

class Inspection {
 public:
  Inspection(const config::Config& config, std::size_t memory_mib, std::string root)
      : config_(config), memory_mib_(memory_mib), files_(std::move(root)) {}

  std::vector<Finding> run() {
    clock();
    cores();
    memory();
    check_folders(config_, files_, geteuid(), found_);
    check_nics(config_, files_, found_);
    return found_.take();
  }

 private:
  void clock();
  void cores();
  void worker_core(unsigned core, const std::set<unsigned>& isolated,
                   const std::set<unsigned>& tickless);
  void memory();

  const config::Config& config_;
  const std::size_t memory_mib_;
  const KernelFiles files_;
  Findings found_;
};

/// Leases are counted by the TSC: it has to go on evenly, and alike on all cores.
void Inspection::clock() {
  std::ifstream cpuinfo(files_.root() + "/proc/cpuinfo");
  bool constant = false;
  bool nonstop = false;
  for (std::string each; std::getline(cpuinfo, each);) {
    if (!each.starts_with("flags")) continue;
    constant = each.find(" constant_tsc") != std::string::npos;
    nonstop = each.find(" nonstop_tsc") != std::string::npos;
    break;
  }
  const std::string source =
      files_.line("/sys/devices/system/clocksource/clocksource0/current_clocksource")
          .value_or("unknown");
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
  const std::set<unsigned> online = files_.list("/sys/devices/system/cpu/online");
  const std::set<unsigned> isolated = files_.list("/sys/devices/system/cpu/isolated");
  const std::set<unsigned> tickless = files_.list("/sys/devices/system/cpu/nohz_full");
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
    for (const unsigned sibling : files_.list(
             fmt::format("/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list", core))) {
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
  for (const std::string& name : files_.names_in(folder)) {  // hugepages-2048kB
    const auto pages = number_at_start(
        files_.line(fmt::format("{}/{}/free_hugepages", folder, name)).value_or(""));
    const auto kib =
        number_at_start(std::string_view(name).substr(std::min<std::size_t>(name.size(), 10)));
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
