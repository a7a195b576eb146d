#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <rte_ethdev.h>
#include <rte_mempool.h>

#include "common/net/mac_address.h"
#include "common/result.h"
#include "common/strong_types.h"
#include "dataplane/bond.h"
#include "dataplane/offload.h"
#include "dataplane/queue_plan.h"

namespace koi::dataplane {

/// One NIC port under DPDK, with a queue pair for each worker as far as its driver has them and
/// frames get to them (queue_plan.h). Set-up and shutdown only; workers use id() and queue_of().
class Port {
 public:
  /// Configures and starts the port; promiscuous, for the virtual MACs come and go, and
  /// all-multicast where promiscuous is not to be had. pools: one per worker. first: the worker
  /// that has queue pair 0; the next one has the next, in a circle. members: what it joins if the
  /// device is a bond, else none. finishes: what its host leaves undone (offload.h). interrupts:
  /// receive interrupts are wanted, if the driver has them.
  static Result<Port> start(PortIndex index, const std::string& name, const std::string& device,
                            const std::vector<std::string>& members,
                            const std::vector<rte_mempool*>& pools, std::size_t first,
                            bool finishes, bool interrupts);

  Port(Port&& other) noexcept;
  Port& operator=(Port&&) = delete;
  ~Port();

  PortIndex index() const { return index_; }
  std::uint16_t id() const { return id_; }  // DPDK's number
  const std::string& name() const { return name_; }
  const MacAddress& mac() const { return mac_; }
  std::uint16_t mtu() const { return mtu_; }  // bytes behind the Ethernet header and a VLAN tag
  std::uint16_t queues() const { return plan_.pairs; }
  /// As it is, which may be less than was asked of the driver.
  const QueuePlan& plan() const { return plan_; }
  /// The worker that has that queue pair; and the one that a worker has, if it has one.
  std::size_t worker_of(std::uint16_t queue) const { return (first_ + queue) % workers_; }
  std::optional<std::uint16_t> queue_of(std::size_t worker) const;
  std::uint16_t rx_descriptors() const { return rx_descriptors_; }
  /// Frames that may wait in one queue at most; of a bond, in those of all its members.
  std::uint32_t room() const;
  const std::string& driver() const { return driver_; }
  /// What its driver does for frames of the host; nothing unless started so.
  const Offloads& offloads() const { return offloads_; }

  /// Lets frames to this address in, a virtual or a group MAC, where the port is not promiscuous
  /// and filters. Returns an error when the driver has no room for another address.
  Status accept(const MacAddress& mac);

  /// Takes that back. Another one of them is not to have the same address.
  void release(const MacAddress& mac);

  /// Its queues have receive interrupts: wanted, and the driver has them.
  bool interrupts() const { return interrupts_; }

  /// The driver's own word. Those on a kernel interface always say up: see app/kernel_link.h.
  bool link_up() const;
  /// What else there is to a bond; nullptr: it is none. Not owned.
  Bond* bond() { return bond_ ? &*bond_ : nullptr; }
  const Bond* bond() const { return bond_ ? &*bond_ : nullptr; }
  /// Name of the kernel interface that the driver sits on, empty if there is none.
  const std::string& kernel_interface() const { return kernel_interface_; }

 private:
  Port() = default;
  /// Configures and starts the device with these queue pairs; without receive interrupts if it does
  /// not start with them.
  Status run(const QueuePlan& plan, const rte_eth_dev_info& info,
             const std::vector<rte_mempool*>& pools, bool interrupts);
  Status bring_up(const rte_eth_conf& conf, const std::vector<rte_mempool*>& pools);
  Error failed(const char* what, int code) const;

  PortIndex index_;
  std::uint16_t id_ = 0xffff;
  std::string name_;
  std::string device_;
  std::string driver_;
  std::string kernel_interface_;
  MacAddress mac_;
  std::uint16_t mtu_ = 1500;
  QueuePlan plan_;
  std::size_t first_ = 0;
  std::size_t workers_ = 1;
  std::uint16_t rx_descriptors_ = 0;
  std::uint16_t tx_descriptors_ = 0;
  bool promiscuous_ = false;
  bool interrupts_ = false;
  Offloads offloads_;
  std::optional<Bond> bond_;
};

}  // namespace koi::dataplane
