#include <map>
#include <string>

#include <fmt/format.h>

#include "config/report.h"
#include "config/sections.h"

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

}  // namespace

void validate(const Config& config, Report& report) {
  check_cores(config.dataplane, report);
  validate_ports(config, report);
  validate_groups(config, report);
}

}  // namespace koi::config
