#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "common/result.h"
#include "common/time.h"

namespace koi::dataplane {

/// What is particular about a port whose device is DPDK's net_bonding: it joins others, its
/// members, and decides by their links, and with LACP (mode 4) by what the switch says, which of
/// them carry frames. Set-up and service thread; workers see one port as any other, whose transmit
/// function they call at least every 100 ms, for LACP's own frames leave within it.
class Bond {
 public:
  /// The bond as EAL is to make it: its device with a slave= for each member.
  static std::string device(const std::string& bond, const std::vector<std::string>& members);

  /// REQUIRES: the port, which has DPDK's number id, was configured once, for that is when the
  /// driver takes its members in; but it only logs when it does not. Its MAC address, the first
  /// member's unless the device names one, is its own from here on, whatever becomes of that
  /// member.
  static Result<Bond> join(std::uint16_t id, const std::vector<std::string>& members);

  std::size_t members() const { return members_.size(); }
  /// Of each member the kernel interface to watch, for its driver does not: net_af_packet and
  /// net_af_xdp call every link up. Empty where the driver says.
  const std::vector<std::string>& kernel_interfaces() const { return interfaces_; }
  /// Whether that one is up with carrier. Takes effect in update().
  void kernel_says(std::size_t member, bool up) { members_[member].wanted = up; }
  /// Takes members out whose interface is down, and in again. Call it every few milliseconds.
  void update(Instant now);

  /// Whether any member carries frames: with LACP, collects and distributes.
  bool link_up() const;

 private:
  struct Member {
    std::uint16_t id;  // DPDK's number
    bool wanted = true;
    bool in = true;
    Instant changed{};
  };

  explicit Bond(std::uint16_t id) : id_(id) {}
  std::uint16_t id_;
  bool lacp_ = false;
  std::vector<Member> members_;
  std::vector<std::string> interfaces_;
};

}  // namespace koi::dataplane
