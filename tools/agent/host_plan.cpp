#include "tools/agent/host_plan.h"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <map>

namespace koi::agent {
namespace {

/// What linux/if_addr.h of older kernels does not have.
constexpr std::uint8_t kMadeByTheKernel = 3;  // IFAPROT_KERNEL_LL

bool is_link_local(const IpAddress& address) {
  return !address.is_v4() && address.v6().is_link_local();
}

void plan_link(const HostInterface& wanted, const KernelInterface& is, HostChanges& changes) {
  if (wanted.mac && *wanted.mac != is.mac) changes.mac = wanted.mac;
  if (wanted.mtu != 0 && wanted.mtu != is.mtu) changes.mtu = wanted.mtu;
  changes.up = !is.up;
  if (is.carrier && *is.carrier != wanted.up) changes.carrier = wanted.up;
}

void plan_addresses(const HostInterface& wanted, const KernelInterface& is, HostChanges& changes) {
  std::multimap<IpAddress, const KernelAddress*> there;
  for (const KernelAddress& address : is.addresses) there.emplace(address.address, &address);
  for (const HostAddress& listed : wanted.addresses) {
    bool good = false;
    const auto [first, last] = there.equal_range(listed.address);
    for (auto it = first; it != last; ++it) {
      const KernelAddress& found = *it->second;
      const bool usable = found.prefix == listed.prefix && (found.flags & IFA_F_DADFAILED) == 0;
      if (listed.wanted && usable) {
        good = true;
      } else {
        changes.remove.push_back(found);
      }
    }
    there.erase(first, last);
    if (listed.wanted && !good) changes.add.push_back(listed);
  }
  if (!wanted.link_local) return;
  // Made before the kernel was told to make none.
  for (const auto& [address, found] : there) {
    if (found->protocol == kMadeByTheKernel && is_link_local(address)) {
      changes.remove.push_back(*found);
    }
  }
}

/// Only what the agent has put there, to the prefix.
void plan_farewell(const HostInterface& wanted, const KernelInterface& is, HostChanges& changes) {
  for (const HostAddress& listed : wanted.addresses) {
    for (const KernelAddress& found : is.addresses) {
      if (found.address == listed.address && found.prefix == listed.prefix) {
        changes.remove.push_back(found);
      }
    }
  }
}

}  // namespace

HostChanges plan(const HostInterface& wanted, const KernelInterface& is) {
  HostChanges changes;
  if (wanted.gone) {
    plan_farewell(wanted, is, changes);
    return changes;
  }
  if (is.arp_ignore && *is.arp_ignore != kArpIgnore) changes.arp_ignore = kArpIgnore;
  if (is.arp_announce && *is.arp_announce != kArpAnnounce) changes.arp_announce = kArpAnnounce;
  changes.no_link_local = wanted.link_local && is.address_generation &&
                          *is.address_generation != IN6_ADDR_GEN_MODE_NONE;
  if (wanted.vlan == 0) plan_link(wanted, is, changes);
  plan_addresses(wanted, is, changes);
  return changes;
}

}  // namespace koi::agent
