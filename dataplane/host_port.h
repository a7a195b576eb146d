#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <rte_ethdev.h>
#include <rte_mempool.h>

#include "common/result.h"
#include "dataplane/port.h"

namespace koi::dataplane {

/// The other side of a port: where the frames go that are not koi's to answer, and where the host's
/// come from. A DPDK device of its own, made when its port has started, since it has the port's
/// MAC, MTU and as many queue pairs. Set-up and shutdown only.
class HostPort {
 public:
  /// The device to be made.
  struct Device {
    std::string name;       // unique among DPDK's devices
    std::string arguments;  // of its driver; may be empty
    std::string interface;  // the kernel's name of it; empty: it has none
  };
  /// `host: tap`: needs no module, but /dev/net/tun.
  static Device tap(const Port& port, const std::string& interface);
  /// `host: virtio-user`: needs the module vhost-net.
  static Device virtio_user(const Port& port, const std::string& interface);
  /// `host: vdev:STRING`: any other, as it is written.
  static Device vdev(const std::string& text);

  /// Makes and starts it, with receive interrupts if its driver has them and the port has. pools:
  /// one per worker. Errors say what the machine lacks.
  static Result<HostPort> start(const Port& port, const Device& device,
                                const std::vector<rte_mempool*>& pools);

  HostPort(HostPort&& other) noexcept
      : id_(std::exchange(other.id_, std::nullopt)),
        interface_(std::move(other.interface_)),
        interrupts_(other.interrupts_),
        offloads_(other.offloads_) {}
  HostPort& operator=(HostPort&&) = delete;
  ~HostPort();

  std::uint16_t id() const { return *id_; }  // DPDK's number
  /// The kernel's name of it; empty: it has none.
  const std::string& interface() const { return interface_; }
  /// As the port's.
  bool interrupts() const { return interrupts_; }
  /// What it may leave undone.
  const Offloads& offloads() const { return offloads_; }

 private:
  HostPort() = default;
  /// As the port's.
  std::optional<std::pair<std::string, int>> bring_up(const Port& port, const rte_eth_conf& conf,
                                                      const std::vector<rte_mempool*>& pools) const;
  std::optional<std::uint16_t> id_;
  std::string interface_;
  bool interrupts_ = false;
  Offloads offloads_;
};

}  // namespace koi::dataplane
