#pragma once

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

namespace koi::dataplane {

/// One NIC port under DPDK, with a queue pair for each worker as far as the driver has them: queue
/// pair q belongs to worker q. Set-up and shutdown only; workers use id() and the queue number.
class Port {
 public:
  /// Configures and starts the port; promiscuous, for the virtual MACs come and go, and
  /// all-multicast where promiscuous is not to be had. pools: one per worker. members: what it
  /// joins if the device is a bond, else none. finishes: what its host leaves undone (offload.h).
  /// interrupts: receive interrupts are wanted, if the driver has them.
  static Result<Port> start(PortIndex index, const std::string& name, const std::string& device,
                            const std::vector<std::string>& members,
                            const std::vector<rte_mempool*>& pools, bool finishes, bool interrupts);

  Port(Port&& other) noexcept;
  Port& operator=(Port&&) = delete;
  ~Port();

  PortIndex index() const { return index_; }
  std::uint16_t id() const { return id_; }  // DPDK's number
  const std::string& name() const { return name_; }
  const MacAddress& mac() const { return mac_; }
  std::uint16_t mtu() const { return mtu_; }  // bytes behind the Ethernet header and a VLAN tag
  std::uint16_t queues() const { return queues_; }
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
  /// Configures and starts it. Returns what failed and DPDK's code for it, or nothing.
  std::optional<std::pair<const char*, int>> bring_up(const rte_eth_conf& conf,
                                                      const std::vector<rte_mempool*>& pools);
  PortIndex index_;
  std::uint16_t id_ = 0xffff;
  std::string name_;
  std::string driver_;
  std::string kernel_interface_;
  MacAddress mac_;
  std::uint16_t mtu_ = 1500;
  std::uint16_t queues_ = 0;
  std::uint16_t rx_descriptors_ = 0;
  std::uint16_t tx_descriptors_ = 0;
  bool promiscuous_ = false;
  bool interrupts_ = false;
  Offloads offloads_;
  std::optional<Bond> bond_;
};

}  // namespace koi::dataplane
