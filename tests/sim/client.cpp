#include "tests/sim/client.h"

#include "common/wire/arp.h"
#include "common/wire/ethernet.h"

namespace koi::sim {

Packet Client::request(const Ipv4Address& target) const {
  Packet packet;
  const std::span<std::byte> out(packet.bytes);
  const std::size_t at = wire::write_ethernet(out, kBroadcastMac, mac_, VlanId(0), wire::kEtherArp);
  wire::write_arp({.operation = wire::kArpRequest,
                   .sender_mac = mac_,
                   .sender_ip = address_,
                   .target_mac = {},
                   .target_ip = target},
                  out.subspan(at).first<wire::kArpLength>());
  packet.length = static_cast<std::uint16_t>(at + wire::kArpLength);
  return packet;
}

/// RFC 826: who is in the cache already is updated, whoever says it; a reply to us makes an entry.
void Client::receive(const Packet& packet, Moment now) {
  const std::span<const std::byte> bytes = std::span(packet.bytes).first(packet.length);
  const auto ethernet = wire::parse_ethernet(bytes);
  if (!ethernet || ethernet->ethertype != wire::kEtherArp) return;
  const auto arp = wire::parse_arp(bytes.subspan(ethernet->payload));
  if (!arp) return;
  const bool to_us = arp->operation == wire::kArpReply && arp->target_ip == address_;
  if (to_us) ++answers_;
  const auto known = cache_.find(arp->sender_ip);
  if (known != cache_.end()) {
    known->second = {arp->sender_mac, now};
  } else if (to_us) {
    cache_.emplace(arp->sender_ip, Entry{arp->sender_mac, now});
  }
}

std::optional<MacAddress> Client::knows(const Ipv4Address& address, Moment now) const {
  const auto known = cache_.find(address);
  if (known == cache_.end() || now - known->second.at > kKeeps) return std::nullopt;
  return known->second.mac;
}

}  // namespace koi::sim
