#pragma once

#include <vector>

#include "common/net/ip_address.h"
#include "common/net/mac_address.h"
#include "common/strong_types.h"
#include "config/config.h"

namespace koi::controlplane {

/// This box's own addresses on one (port, VLAN): what it answers for as itself, and the sources of
/// what it sends (protocol.md §2).
struct OwnAddresses {
  std::vector<IpAddress> all;
  Ipv4Address ipv4;        // the first; 0.0.0.0: none
  Ipv6Address link_local;  // the first; all zero: none
  Ipv6Address global;      // the first that is not link-local; all zero: none

  /// Source of advertisements over IPv6: a link-local one where there is one.
  const Ipv6Address& ipv6() const { return link_local.is_unspecified() ? global : link_local; }
};

/// Iff a group there advertises over IPv6.
bool speaks_ipv6(const config::Config& config, const config::Port& port, VlanId vlan);

/// with_ipv6: a link-local address is derived from the MAC where none is given. Not where nobody
/// speaks IPv6: there the box should not appear in it. REQUIRES: the port has the VLAN.
OwnAddresses own_addresses(const config::Port& port, VlanId vlan, const MacAddress& mac,
                           bool with_ipv6);

}  // namespace koi::controlplane
