#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "common/result.h"
#include "config/config.h"
#include "controlplane/app/service.h"
#include "controlplane/view_builder.h"
#include "dataplane/capture.h"
#include "dataplane/eal.h"
#include "dataplane/host_port.h"
#include "dataplane/port.h"
#include "dataplane/rx_interrupts.h"
#include "dataplane/worker.h"

namespace koi::app {

/// What its packets take: mbufs, and room for the rings and for what drivers keep.
std::size_t memory_mib(const config::Config& config);

/// What EAL is started with for a configuration: cores, memory, devices.
dataplane::EalOptions eal_options(const config::Config& config);

/// The configuration's ports and their hosts, started: which of their queues is whose, and what the
/// rest of koid wants to know of them. Main thread, but where it is said. Must outlive the workers.
class Ports {
 public:
  /// config: not owned; read by open() and interrupts_of() alone, before anybody reloads it.
  explicit Ports(const config::Config& config) : config_(config) {}

  /// Starts them all, with buffers of their own for each worker. REQUIRES: EAL runs.
  Status open();

  dataplane::Port& operator[](PortIndex port) { return ports_[port.value()]; }
  std::vector<controlplane::PortFacts> facts() const;  // by PortIndex
  std::vector<dataplane::Queue> queues_of(std::size_t worker) const;
  /// Nothing: with `idle: poll`, or if something that the worker looks at has none, for only if all
  /// has them may it wait for one.
  std::unique_ptr<dataplane::RxInterrupts> interrupts_of(std::size_t worker) const;
  std::vector<std::vector<dataplane::Capture::Queue>> capture_queues() const;  // by PortIndex

  /// Their links, by PortIndex, for the service thread.
  std::vector<Service::PortLink> links();
  /// Of bonds' members on kernel interfaces: a member's link is its driver's to say, but for these.
  std::vector<Service::LinkWatch> watches();
  /// Whether there are such members, which have to be taken out and in by us. Any thread.
  bool have_kernel_bond() const;

 private:
  Status open_ports();
  Status open_hosts();
  bool sleeps() const { return config_.dataplane.idle == config::Idle::adaptive; }

  const config::Config& config_;
  std::vector<dataplane::Port> ports_;
  std::vector<std::optional<dataplane::HostPort>> hosts_;  // by PortIndex
};

}  // namespace koi::app
