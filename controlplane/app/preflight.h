#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "config/config.h"

namespace koi::app {

/// One thing that koid needs of its machine.
struct Finding {
  enum class Verdict : std::uint8_t {
    ok,
    warn,  // koid starts, but not at its best
    fail,  // koid does not start
  };
  Verdict verdict = Verdict::ok;
  std::string what;    // "core 3", "port lan"
  std::string detail;  // as it is
  std::string mend;    // a command, or what to put where; empty iff ok
};

/// What `koid --preflight` finds: cores, clock, memory, IOMMU, NICs and their kernel's drivers, the
/// kernel's devices for the host's side. Looks at the kernel's files below `root` only (empty: the
/// machine's own), starts nothing and changes nothing. memory_mib: what the rings and buffers take.
std::vector<Finding> preflight(const config::Config& config, std::size_t memory_mib,
                               const std::string& root = {});

/// A line each, "OK", "WARN" or "FAIL" first; what mends it on a line of its own; then the sum.
std::string preflight_text(const std::vector<Finding>& findings);

/// False iff koid would not start.
bool passes(const std::vector<Finding>& findings);

}  // namespace koi::app
