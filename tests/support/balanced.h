#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/balance/balancer.h"
#include "tests/support/world.h"

namespace koi::test {

/// Port 0, untagged: a balanced group at kSharedIp with these vhids (ascending), its slots the
/// first ones; then vhid 200 alone at kForeignSharedIp. Own address kOwnIp.
inline std::shared_ptr<const Topology> balanced_topology(const std::vector<std::uint8_t>& vhids,
                                                         const balance::Balancer& balancer) {
  TopologyBuilder builder;
  builder.port(kPortMac).own(PortIndex(0), VlanId(0), kOwnIp);
  for (const std::uint8_t vhid : vhids) {
    builder.group({.vhid = Vhid(vhid), .addresses = {kSharedIp}});
  }
  builder.group({.vhid = Vhid(200), .addresses = {kForeignSharedIp}});
  Topology topology = *builder.build();
  topology.balancers = {balancer};
  // Of equal addresses the first one's entry counts: that of the group's first slot.
  for (Entry& entry : topology.entries) {
    if (entry.kind == EntryKind::shared && entry.slot == SlotIndex(0)) entry.balancer = 0;
  }
  return std::make_shared<const Topology>(std::move(topology));
}

inline balance::Balancer openbsd_balancer(unsigned members) {
  return balance::Balancer::openbsd(from_text("secret"), members);
}

}  // namespace koi::test
