#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tools/agent/host_spec.h"
#include "tools/agent/kernel_interface.h"

namespace koi::agent {

/// Of ARP, on each of the agent's interfaces (kernel, ip-sysctl): it is answered for addresses of
/// the interface alone, and asked for with such a source alone; koid's answers are the box's
/// others.
inline constexpr std::uint32_t kArpIgnore = 1;
inline constexpr std::uint32_t kArpAnnounce = 2;

/// What is to be done to an interface, in this order.
struct HostChanges {
  bool no_link_local = false;  // the kernel is to make none
  std::optional<std::uint32_t> arp_ignore;
  std::optional<std::uint32_t> arp_announce;
  std::optional<MacAddress> mac;
  std::optional<unsigned> mtu;
  bool up = false;
  std::optional<bool> carrier;
  std::vector<KernelAddress> remove;
  std::vector<HostAddress> add;

  bool operator==(const HostChanges&) const = default;
};

/// What makes the interface what koid wants. Pure. Of a VLAN's interface the link is left alone, of
/// one that is gone its settings too, of every interface the addresses that `wanted` does not list.
HostChanges plan(const HostInterface& wanted, const KernelInterface& is);

}  // namespace koi::agent
