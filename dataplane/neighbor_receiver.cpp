#include "dataplane/neighbor_receiver.h"

namespace koi::dataplane {
namespace {

template <class Address>
bool hear(const Address& address, const MacAddress& mac, const wire::EthernetHeader& ethernet,
          const BurstContext& burst) {
  const MacAddress& to = ethernet.destination;
  if (!to.is_multicast() && to != burst.port_mac()) return false;
  if (mac.is_multicast() || mac.is_zero() || mac == burst.port_mac() || is_virtual(mac)) {
    return false;
  }
  const Entry* entry = burst.topology().find_address(burst.port, ethernet.vlan, address);
  if (entry == nullptr || entry->kind != EntryKind::peer) return false;
  burst.reporter.offer(
      NeighborHeard{.port = burst.port, .vlan = ethernet.vlan, .address = address, .mac = mac});
  return true;
}

}  // namespace

bool hear_peer(const Ipv4Address& address, const MacAddress& mac,
               const wire::EthernetHeader& ethernet, const BurstContext& burst) {
  return hear(address, mac, ethernet, burst);
}

bool hear_peer(const Ipv6Address& address, const MacAddress& mac,
               const wire::EthernetHeader& ethernet, const BurstContext& burst) {
  return hear(address, mac, ethernet, burst);
}

}  // namespace koi::dataplane
