#include "dataplane/bond.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <rte_eth_bond.h>
#include <rte_eth_bond_8023ad.h>
#include <rte_ethdev.h>

#include "common/net/device.h"
#include "dataplane/eal.h"

namespace koi::dataplane {
namespace {

/// Between taking a member out and in again, for a worker may still be within a burst that began
/// before. LACP takes longer than this to use it anyway.
constexpr Duration kRest = 500ms;

}  // namespace

std::string Bond::device(const std::string& bond, const std::vector<std::string>& members) {
  std::string text = bond;
  for (const std::string& member : members) text += ",slave=" + device_name(member);
  return text;
}

Result<Bond> Bond::join(std::uint16_t id, const std::vector<std::string>& members) {
  std::array<std::uint16_t, RTE_MAX_ETHPORTS> joined{};
  const int count = rte_eth_bond_slaves_get(id, joined.data(), joined.size());
  const auto end = joined.begin() + std::max(count, 0);
  Bond bond(id);
  for (const std::string& member : members) {
    std::uint16_t member_id = 0;
    if (rte_eth_dev_get_port_by_name(device_name(member).c_str(), &member_id) != 0 ||
        std::find(joined.begin(), end, member_id) == end) {
      return Error{fmt::format("the bond does not take {} as a member; DPDK says: {}", member,
                               Eal::last_log_lines())};
    }
    bond.members_.push_back({.id = member_id});
    const bool blind = member.starts_with("net_af_packet") || member.starts_with("net_af_xdp");
    bond.interfaces_.push_back(blind ? kernel_interface(member) : std::string());
  }
  rte_ether_addr mac{};
  if (rte_eth_macaddr_get(id, &mac) != 0 || rte_eth_bond_mac_address_set(id, &mac) != 0) {
    return Error{fmt::format("the bond has no MAC address; DPDK says: {}", Eal::last_log_line())};
  }
  bond.lacp_ = rte_eth_bond_mode_get(id) == BONDING_MODE_8023AD;
  return bond;
}

void Bond::update(Instant now) {
  for (Member& member : members_) {
    if (member.in == member.wanted || (member.wanted && now - member.changed < kRest)) continue;
    member.changed = now;
    if (member.wanted) {
      member.in = rte_eth_bond_slave_add(id_, member.id) == 0;
    } else {
      member.in = rte_eth_bond_slave_remove(id_, member.id) != 0;
    }
  }
}

bool Bond::link_up() const {
  std::array<std::uint16_t, RTE_MAX_ETHPORTS> active{};
  const int count = rte_eth_bond_active_slaves_get(id_, active.data(), active.size());
  if (!lacp_) return count > 0;
  constexpr unsigned kCarries = STATE_COLLECTING | STATE_DISTRIBUTING;
  for (int i = 0; i < count; ++i) {
    struct rte_eth_bond_8023ad_slave_info info {};
    if (rte_eth_bond_8023ad_slave_info(id_, active[static_cast<std::size_t>(i)], &info) == 0 &&
        (info.actor_state & kCarries) == kCarries) {
      return true;
    }
  }
  return false;
}

}  // namespace koi::dataplane
