#pragma once

#include <cstdint>

#include "common/net/ip_address.h"
#include "common/net/mac_address.h"
#include "common/strong_types.h"
#include "controlplane/traffic_class.h"

namespace koi::controlplane {

/// This box on one (port, VLAN), as its own frames show it: the port's real MAC, never a virtual
/// one (protocol.md §15), and its own addresses.
struct Interface {
  PortIndex port;
  VlanId vlan;
  MacAddress mac;
  Ipv4Address source;      // 0.0.0.0: none
  Ipv6Address link_local;  // all zero: none
  TrafficClass traffic;
  std::uint8_t pcp = 6;  // 802.1Q priority, where the VLAN is not 0

  bool operator==(const Interface&) const = default;
};

}  // namespace koi::controlplane
