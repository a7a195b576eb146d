#include "controlplane/neighbors.h"

#include <algorithm>

#include "common/wire/arp.h"
#include "common/wire/ethernet.h"
#include "common/wire/nd.h"

namespace koi::controlplane {
namespace {

TransmitFrame arp_request(const Interface& from, const Ipv4Address& address,
                          const std::optional<MacAddress>& known) {
  TransmitFrame frame;
  const std::span<std::byte> out(frame.bytes);
  const std::size_t at = wire::write_ethernet(out, known.value_or(kBroadcastMac), from.mac,
                                              from.vlan, wire::kEtherArp, from.pcp);
  wire::write_arp({.operation = wire::kArpRequest,
                   .sender_mac = from.mac,
                   .sender_ip = from.source,
                   .target_mac = {},
                   .target_ip = address},
                  out.subspan(at).first<wire::kArpLength>());
  frame.length = static_cast<std::uint16_t>(at + wire::kArpLength);
  return frame;
}

TransmitFrame solicitation(const Interface& from, const Ipv6Address& address,
                           const std::optional<MacAddress>& known) {
  TransmitFrame frame;
  const std::span<std::byte> out(frame.bytes);
  const Ipv6Address group = solicited_node(address);
  const std::size_t at = wire::write_ethernet(out, known.value_or(multicast_mac(group)), from.mac,
                                              from.vlan, wire::kEtherIpv6, from.pcp);
  const auto packet = out.subspan(at).first<wire::kIpv6Length + wire::kNeighborAnswerLength>();
  wire::write_solicitation(from.link_local, known ? address : group, address, from.mac, packet);
  wire::set_traffic_class(packet, from.traffic.ipv6);
  frame.length = static_cast<std::uint16_t>(at + packet.size());
  return frame;
}

}  // namespace

TransmitFrame ask_for(const Interface& from, const IpAddress& address,
                      const std::optional<MacAddress>& known) {
  TransmitFrame frame = address.is_v4() ? arp_request(from, address.v4(), known)
                                        : solicitation(from, address.v6(), known);
  frame.kind = FrameKind::own;
  frame.family = address.family();
  frame.port = from.port;
  return frame;
}

bool NeighborTable::add(const Interface& from, const IpAddress& peer, Instant first) {
  const Key key(from.port, from.vlan, peer);
  if (const auto there = peers_.find(key); there != peers_.end()) {
    there->second.from = from;
    return true;
  }
  if (peers_.size() == kMostPeers) return false;
  peers_.emplace(key, Peer{.from = from, .mac = std::nullopt, .next = first});
  next_ = std::min(next_, first);
  return true;
}

std::optional<MacAddress> NeighborTable::mac_of(PortIndex port, VlanId vlan,
                                                const IpAddress& peer) const {
  const auto at = peers_.find(Key(port, vlan, peer));
  return at == peers_.end() ? std::nullopt : at->second.mac;
}

bool NeighborTable::on_heard(const NeighborHeard& heard, Instant now) {
  const auto at = peers_.find(Key(heard.port, heard.vlan, heard.address));
  if (at == peers_.end()) return false;
  Peer& peer = at->second;
  const bool is_new = peer.mac != heard.mac;
  peer.mac = heard.mac;
  peer.asked = 0;
  peer.next = now + kRefresh;
  find_next();
  return is_new;
}

void NeighborTable::link_up(PortIndex port, Instant now) {
  for (auto& [key, peer] : peers_) {
    if (std::get<PortIndex>(key) != port) continue;
    // Not only where it was: what was plugged in may be another network or another box.
    peer.asked = peer.mac ? 1 : 0;
    peer.next = now;
  }
  find_next();
}

void NeighborTable::link_down(PortIndex port) {
  for (auto& [key, peer] : peers_) {
    if (std::get<PortIndex>(key) == port) peer.next = Instant::max();
  }
  find_next();
}

std::vector<TransmitFrame> NeighborTable::due(Instant now, std::size_t limit) {
  std::vector<TransmitFrame> frames;
  if (now < next_) return frames;
  for (auto& [key, peer] : peers_) {
    if (peer.next > now) continue;
    if (frames.size() == limit) break;
    // RFC 1122 §2.3.2.1: the refresh is asked of the one that is known, what follows of everybody.
    const bool only_there = peer.mac.has_value() && peer.asked == 0;
    frames.push_back(
        ask_for(peer.from, std::get<IpAddress>(key), only_there ? peer.mac : std::nullopt));
    frames.back().not_after = now + kFrameLasts;
    ++peer.asked;
    peer.next = now + std::min<Duration>(kFirstWait * peer.asked, kLongestWait);
  }
  find_next();
  return frames;
}

void NeighborTable::find_next() {
  next_ = Instant::max();
  for (const auto& [key, peer] : peers_) next_ = std::min(next_, peer.next);
}

}  // namespace koi::controlplane
