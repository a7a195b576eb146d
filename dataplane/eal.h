#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "common/result.h"

namespace koi::dataplane {

/// What EAL is started with. lcore 0 is control, lcore 1 + w is worker w.
struct EalOptions {
  unsigned control_core = 0;
  std::vector<unsigned> worker_cores;
  bool hugepages = true;
  /// With hugepages: false, in MiB: what EAL takes from the machine at start and has from then on.
  std::size_t memory_mib = 96;
  std::vector<std::string> devices;  // PCI addresses and vdevs with their arguments
  std::vector<std::string> further;  // verbatim
};

/// DPDK's Environment Abstraction Layer, one per process: memory, lcores, devices. Nothing is left
/// in the file system: no shared files (--in-memory), no telemetry socket.
class Eal {
 public:
  /// Checks first what EAL reports badly (cores, hugepages, devices, permission) and names cause
  /// and mend in one sentence. The calling thread becomes lcore 0 and is pinned to the control
  /// core.
  static Result<Eal> start(const EalOptions& options);

  Eal(Eal&& other) noexcept : up_(std::exchange(other.up_, false)) {}
  Eal& operator=(Eal&&) = delete;
  ~Eal();

  /// What DPDK logged last, for error messages: it seldom returns more than -1. One line of it, or
  /// the few that are kept, where the last ones say no more than that it failed.
  static std::string last_log_line();
  static std::string last_log_lines();

 private:
  Eal() = default;
  bool up_ = true;
};

}  // namespace koi::dataplane
