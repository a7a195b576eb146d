#include "controlplane/own_addresses.h"

#include <algorithm>

#include "config/derived.h"

namespace koi::controlplane {

bool speaks_ipv6(const config::Config& config, const config::Port& port, VlanId vlan) {
  return std::any_of(config.groups.begin(), config.groups.end(), [&](const config::Group& group) {
    return group.port == port.name && group.vlan == vlan &&
           (config::families_of(group) & family_bit(Family::ipv6)) != 0;
  });
}

OwnAddresses own_addresses(const config::Port& port, VlanId vlan, const MacAddress& mac,
                           bool with_ipv6) {
  OwnAddresses own;
  const auto& given = vlan == VlanId(0) ? port.addresses : port.vlans.at(vlan).addresses;
  const auto note = [](auto& first, const auto& address) {
    if (first == std::decay_t<decltype(first)>{}) first = address;
  };
  for (const config::InterfaceAddress& interface : given) {
    const IpAddress& address = interface.address;
    own.all.push_back(address);
    if (address.is_v4()) {
      note(own.ipv4, address.v4());
    } else {
      note(address.v6().is_link_local() ? own.link_local : own.global, address.v6());
    }
  }
  if (own.link_local.is_unspecified() && (with_ipv6 || !own.global.is_unspecified())) {
    own.link_local = link_local_from(mac);  // RFC 4291, appendix A
    own.all.emplace_back(own.link_local);
  }
  return own;
}

}  // namespace koi::controlplane
