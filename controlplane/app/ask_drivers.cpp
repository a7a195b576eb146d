#include "controlplane/app/ask_drivers.h"

#include <cstdint>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "common/net/device.h"
#include "config/derived.h"
#include "controlplane/app/confine.h"
#include "controlplane/app/control_socket.h"
#include "controlplane/app/driver_facts.h"
#include "controlplane/app/kernel_files.h"
#include "controlplane/app/ports.h"
#include "controlplane/app/preflight.h"
#include "controlplane/app/preflight_nics.h"
#include "controlplane/app/process.h"
#include "dataplane/driver_offer.h"
#include "dataplane/eal.h"
#include "dataplane/queue_plan.h"

namespace koi::app {
namespace {

DriverAnswer ask(const std::string& what, const std::string& device, std::uint16_t workers) {
  DriverAnswer answer;
  answer.what = what;
  answer.device = device;
  const auto offer = dataplane::ask_driver(device);
  if (!offer) {
    answer.refusal = offer.error().message;
    return answer;
  }
  answer.driver = offer.value().driver;
  answer.mac_filters = offer.value().mac_filters;
  answer.link_interrupts = offer.value().link_interrupts;
  answer.offered = offer.value().queues.pairs;
  if (answer.offered == 0) return answer;
  const dataplane::QueuePlan plan = dataplane::plan_queues(offer.value().queues, workers);
  answer.used = plan.pairs;
  answer.spread = dataplane::text(plan, workers);
  return answer;
}

}  // namespace

void ask_drivers(const config::Config& config, std::vector<Finding>& found) {
  const auto add = [&found](std::vector<Finding> more) {
    found.insert(found.end(), more.begin(), more.end());
  };
  Findings not_asked;
  if (ControlSocket::is_taken(config.control.socket)) {
    not_asked.warn("drivers", "not asked: koid runs and has the devices",
                   "systemctl stop koid, and koid --preflight again");
    return add(not_asked.take());
  }
  if (!passes(found)) {
    not_asked.warn("drivers", "not asked: koid would not start",
                   "what FAIL says, and koid --preflight again");
    return add(not_asked.take());
  }
  for (const config::Port& port : config.ports) {
    for (const std::string& device : config::devices_of(port)) {
      const std::string why = why_not_asked(device, KernelFiles({}));
      if (why.empty()) continue;
      not_asked.warn("drivers", fmt::format("not asked, for {}: {}", device_name(device), why),
                     "nothing; koid itself asks them at its start");
      return add(not_asked.take());
    }
  }
  keep_tap_without_signals();
  lift_memory_limit();
  const auto eal = dataplane::Eal::start(eal_options(config));
  if (!eal) {
    not_asked.fail("drivers", eal.error().message, "what it says, and koid --preflight again");
    return add(not_asked.take());
  }
  const std::size_t workers = config.dataplane.worker_cores.size();
  for (std::size_t p = 0; p < config.ports.size(); ++p) {
    const config::Port& port = config.ports[p];
    PortNeeds needs;
    needs.workers = workers;
    needs.virtual_macs = virtual_macs(config, PortIndex(static_cast<std::uint8_t>(p)));
    const std::string what = "port " + port.name;
    for (const std::string& device : config::devices_of(port)) {
      const std::string whose = port.members.empty() ? what : what + ", " + device_name(device);
      needs.trust = trust_command(device, KernelFiles({}));
      add(driver_facts(ask(whose, device, static_cast<std::uint16_t>(workers)), needs));
    }
  }
}

}  // namespace koi::app
