#include "tests/sim/network.h"

#include "common/wire/bytes.h"

namespace koi::sim {

Network::Network(std::uint64_t seed, std::size_t nodes)
    : random_(seed), nodes_(nodes), cut_(nodes * nodes), plugged_(nodes, true), place_(nodes) {}

void Network::heal() {
  cut_.assign(cut_.size(), false);
  plugged_.assign(plugged_.size(), true);
  trunk_cut_ = false;
}

Node Network::owner(Node from, const MacAddress& mac) const {
  const auto& here = learnt_[place_[from]];
  const auto found = here.find(mac);
  if (found == here.end()) return nodes_;
  if (found->second != kTrunk) return found->second;
  const auto& there = learnt_[1 - place_[from]];
  const auto beyond = there.find(mac);
  return beyond == there.end() || beyond->second == kTrunk ? nodes_ : beyond->second;
}

void Network::send(Node from, const Packet& packet, Moment now) {
  if (!plugged_[from]) {
    for (Node to = 0; to < nodes_; ++to) {
      if (to != from && packet.advertisement) lose(from, to);
    }
    return;
  }
  MacAddress destination, source;
  const std::span<const std::byte> bytes = std::span(packet.bytes).first(packet.length);
  wire::get_mac(bytes, 0, destination);
  wire::get_mac(bytes, 6, source);
  const std::size_t here = place_[from];
  const Node known = destination.is_multicast() ? nodes_ : owner(from, destination);
  learnt_[here][source] = from;
  const bool crosses = known == nodes_ || place_[known] != here;
  if (crosses && !trunk_cut_) learnt_[1 - here][source] = kTrunk;
  if (known != nodes_) {
    if (known != from) hand_over(from, known, packet, now);
    return;
  }
  for (Node to = 0; to < nodes_; ++to) {
    if (to != from) hand_over(from, to, packet, now);
  }
}

void Network::hand_over(Node from, Node to, const Packet& packet, Moment now) {
  if (!reaches(from, to) || (quality.loss > 0 && random_.chance(quality.loss))) {
    if (packet.advertisement) lose(from, to);
    return;
  }
  const auto late = [&] {
    return quality.jitter == 0us
               ? quality.delay
               : quality.delay + Duration(random_.between(0, quality.jitter.count()));
  };
  Packet copy = packet;
  copy.arrival = now + late();
  deliver(from, to, copy);
  if (quality.duplicates > 0 && random_.chance(quality.duplicates)) {
    copy.arrival = now + late();
    deliver(from, to, copy);
  }
}

}  // namespace koi::sim
