#include <array>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "common/wire/arp.h"
#include "common/wire/carp.h"
#include "common/wire/ethernet.h"
#include "common/wire/icmp.h"
#include "common/wire/icmpv6.h"
#include "common/wire/ipv4.h"
#include "common/wire/ipv6.h"
#include "common/wire/nd.h"

/// The differential test's other side (tests/system/test_decode.py): reads frames from standard
/// input, each after its length (2 bytes, big-endian), and prints for each one line of JSON: the
/// fields that koi's parsers found, and under "drop" the reason of the first one that refused.
/// Only the parsers: who owns an address, and from whom a packet is, is not asked.
namespace {

using koi::DropReason;
using nlohmann::json;
using Bytes = std::span<const std::byte>;

template <class T>
bool refused(const koi::Parsed<T>& parsed, json& out) {
  if (parsed) return false;
  out["drop"] = koi::to_string(parsed.reason());
  return true;
}

std::string hex(Bytes bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::byte b : bytes) {
    text += kDigits[std::to_integer<unsigned>(b) >> 4];
    text += kDigits[std::to_integer<unsigned>(b) & 0xf];
  }
  return text;
}

void decode_arp(Bytes payload, json& out) {
  const auto arp = koi::wire::parse_arp(payload);
  if (refused(arp, out)) return;
  out["arp"] = {{"op", arp->operation},
                {"hwsrc", arp->sender_mac.to_string()},
                {"psrc", arp->sender_ip.to_string()},
                {"hwdst", arp->target_mac.to_string()},
                {"pdst", arp->target_ip.to_string()}};
}

void decode_carp(Bytes message, json& out) {
  const auto carp = koi::wire::parse_carp(message);
  if (refused(carp, out)) return;
  out["carp"] = {
      {"version", carp->version}, {"type", carp->type},       {"vhid", carp->vhid.value()},
      {"advskew", carp->advskew}, {"authlen", carp->authlen}, {"demotion", carp->demote},
      {"advbase", carp->advbase}, {"counter", carp->counter}, {"hmac", hex(carp->digest)}};
}

void decode_ipv4(Bytes packet, json& out) {
  const auto ip = koi::wire::parse_ipv4(packet);
  if (refused(ip, out)) return;
  out["ip"] = {{"tos", ip->tos},
               {"id", ip->id},
               {"df", ip->dont_fragment},
               {"ttl", ip->ttl},
               {"proto", ip->protocol},
               {"src", ip->source.to_string()},
               {"dst", ip->destination.to_string()},
               {"length", ip->payload_length}};
  const Bytes message = packet.subspan(koi::wire::kIpv4Length, ip->payload_length);
  if (ip->protocol == koi::wire::kCarpProtocol) return decode_carp(message, out);
  if (ip->protocol != koi::wire::kProtocolIcmp) return;
  const auto echo = koi::wire::parse_icmp_echo_request(message);
  if (refused(echo, out)) return;
  out["echo"] = {{"id", echo->identifier}, {"seq", echo->sequence}};
}

void decode_icmpv6(const koi::wire::Ipv6Header& ip, Bytes message, json& out) {
  const auto type = message.empty() ? 0 : std::to_integer<std::uint8_t>(message[0]);
  if (type == koi::wire::kNeighborSolicitation || type == koi::wire::kNeighborAdvertisement) {
    const bool asks = type == koi::wire::kNeighborSolicitation;
    const auto neighbor = asks ? koi::wire::parse_solicitation(ip, message)
                               : koi::wire::parse_advertisement(ip, message);
    if (refused(neighbor, out)) return;
    json& nd = out["nd"];
    nd = {{"type", type}, {"tgt", neighbor->target.to_string()}};
    if (!asks) nd["flags"] = neighbor->flags >> 5;
    if (neighbor->link_layer) nd["lladdr"] = neighbor->link_layer->to_string();
    return;
  }
  const auto echo = koi::wire::parse_icmpv6_echo_request(ip, message);
  if (refused(echo, out)) return;
  out["echo"] = {{"id", echo->identifier}, {"seq", echo->sequence}};
}

void decode_ipv6(Bytes packet, json& out) {
  const auto ip = koi::wire::parse_ipv6(packet);
  if (refused(ip, out)) return;
  out["ipv6"] = {{"tc", ip->traffic_class},
                 {"hlim", ip->hop_limit},
                 {"nh", ip->protocol},
                 {"src", ip->source.to_string()},
                 {"dst", ip->destination.to_string()},
                 {"length", ip->payload_length}};
  const Bytes message = packet.subspan(ip->payload, ip->payload_length);
  if (ip->protocol == koi::wire::kCarpProtocol) return decode_carp(message, out);
  if (ip->protocol == koi::wire::kProtocolIcmpv6) decode_icmpv6(*ip, message, out);
}

json decode(Bytes frame) {
  json out = json::object();
  const auto ethernet = koi::wire::parse_ethernet(frame);
  if (refused(ethernet, out)) return out;
  out["eth"] = {{"dst", ethernet->destination.to_string()},
                {"src", ethernet->source.to_string()},
                {"vlan", ethernet->vlan.value()},
                {"type", ethernet->ethertype}};
  const Bytes payload = frame.subspan(ethernet->payload);
  if (ethernet->ethertype == koi::wire::kEtherArp) decode_arp(payload, out);
  if (ethernet->ethertype == koi::wire::kEtherIpv4) decode_ipv4(payload, out);
  if (ethernet->ethertype == koi::wire::kEtherIpv6) decode_ipv6(payload, out);
  return out;
}

/// Of the next frame; nothing at the end of the input.
std::optional<std::vector<std::byte>> next_frame() {
  std::array<char, 2> head{};
  if (!std::cin.read(head.data(), head.size())) return std::nullopt;
  const auto length = static_cast<std::size_t>((static_cast<unsigned char>(head[0]) << 8) |
                                               static_cast<unsigned char>(head[1]));
  std::string text(length, '\0');
  if (!std::cin.read(text.data(), static_cast<std::streamsize>(length))) return std::nullopt;
  const Bytes bytes = std::as_bytes(std::span(text));
  return std::vector<std::byte>(bytes.begin(), bytes.end());
}

}  // namespace

int main() {
  std::ios::sync_with_stdio(false);
  while (const auto frame = next_frame()) std::cout << decode(*frame).dump() << '\n';
}
