#include "config/unsupported.h"

#include <array>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace koi::config::unsupported {
namespace {

void refuse(const YamlNode& node, std::string_view what, std::string_view allowed) {
  node.error(fmt::format("{} is not in this version; allowed: {}", what, allowed));
}

/// An absent or empty list.
void empty_list(YamlMap& map, std::string_view key, std::string_view what) {
  const auto node = map.find(key);
  if (!node) return;
  const auto list = node->list();
  if (list && !list->empty()) refuse(*node, what, "[]");
}

enum class TrailerMode : std::uint8_t { off, receive_only, permissive, enforce };

void check_trailer(YamlMap& group) {
  static constexpr std::array<std::pair<std::string_view, TrailerMode>, 4> kModes = {
      {{"off", TrailerMode::off},
       {"receive-only", TrailerMode::receive_only},
       {"permissive", TrailerMode::permissive},
       {"enforce", TrailerMode::enforce}}};
  const auto node = group.find("trailer");
  auto map = node ? node->map() : std::nullopt;
  if (!map) return;
  if (const auto mode = map->require("mode", kTrailerModesAllowed)) {
    const auto chosen = mode->choice<TrailerMode>(kModes, kTrailerModesAllowed);
    if (chosen && *chosen != TrailerMode::off)
      refuse(*mode, "a signed trailer", kTrailerModesAllowed);
  }
  for (const char* key : {"key-file", "key-id", "accept"}) map->find(key);  // unused when off
  map->finish();
}

}  // namespace

void check_host(const YamlNode& node, HostPort host) {
  if (host != HostPort::none) refuse(node, "a host port", kHostsAllowed);
}

void check_protocol(const YamlNode& node, Protocol protocol) {
  if (protocol != Protocol::carp) refuse(node, "VRRP", kProtocolsAllowed);
}

void check_dialect(const YamlNode& node, Dialect dialect) {
  if (dialect == Dialect::openbsd) refuse(node, "the dialect openbsd", kDialectsAllowed);
  if (dialect == Dialect::freebsd) refuse(node, "the dialect freebsd", kDialectsAllowed);
}

bool check_own_address(const YamlNode& node, const IpAddress& address) {
  if (!address.is_v4()) refuse(node, "IPv6", "IPv4 addresses with prefix length");
  return address.is_v4();
}

bool check_shared_address(const YamlNode& node, const IpAddress& address) {
  if (!address.is_v4()) refuse(node, "IPv6", "IPv4 addresses");
  return address.is_v4();
}

void check_group_keys(YamlMap& group) {
  empty_list(group, "peers", "unicast to peers");
  if (const auto node = group.find("multicast")) {
    const auto on = node->boolean();
    if (on && !*on) refuse(*node, "a group without multicast", "true");
  }
  check_trailer(group);
  if (const auto node = group.find("preempt-delay")) {
    const auto delay = node->duration();
    if (delay && *delay != 0s) refuse(*node, "a delay before preempting", "0s");
  }
  empty_list(group, "tie", "tying groups together");
  empty_list(group, "track", "tracking of health checks");
  if (const auto node = group.find("balance")) {
    refuse(*node, "balancing", "leaving balance out");
  }
}

}  // namespace koi::config::unsupported
