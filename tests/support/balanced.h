#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/balance/balancer.h"
#include "tests/support/world.h"

namespace koi::test {

/// Port 0, untagged: a balanced group at kSharedIp with these vhids (ascending), its slots the
/// first ones; then vhid 200 alone at kForeignSharedIp. Own address kOwnIp.
inline TopologyBuilder balanced_builder(const std::vector<std::uint8_t>& vhids,
                                        const balance::Balancer& balancer) {
  return TopologyBuilder()
      .port(kPortMac)
      .own(PortIndex(0), VlanId(0), kOwnIp)
      .balanced({.addresses = {kSharedIp}}, vhids, balancer)
      .group({.vhid = Vhid(200), .addresses = {kForeignSharedIp}});
}
inline std::shared_ptr<const Topology> balanced_topology(const std::vector<std::uint8_t>& vhids,
                                                         const balance::Balancer& balancer) {
  return balanced_builder(vhids, balancer).build();
}

inline balance::Balancer openbsd_balancer(unsigned members) {
  return balance::Balancer::openbsd(from_text("secret"), members);
}

}  // namespace koi::test
