#include <string_view>

#include <fmt/format.h>

#include "config/sections.h"
#include "config/values.h"

namespace koi::config {
namespace {

/// A wrong address leaves a placeholder, so that the positions stay those of the file.
IpAddress load_item(const YamlNode& node) { return load_host_address(node).value_or(IpAddress{}); }

}  // namespace

void check_is_host(const YamlNode& node, const IpAddress& address) {
  if (is_host(address)) return;
  node.error(fmt::format("{} cannot be a host's; allowed: no multicast, {}", address.to_string(),
                         address.is_v4() ? "broadcast, loopback or zero address"
                                         : "loopback, zero or IPv4-mapped address"));
}

std::optional<IpAddress> load_host_address(const YamlNode& node) {
  constexpr std::string_view kAllowed =
      "an address without prefix length: 192.0.2.1, \"2001:db8::1\"";
  const auto given = node.text(kAllowed);
  if (!given) return std::nullopt;
  const auto address = IpAddress::parse(*given);
  if (!address) {
    node.error(fmt::format("{} is wrong; allowed: {}", in_quotes(*given), kAllowed));
    return std::nullopt;
  }
  check_is_host(node, *address);
  return address;
}

void load_host_addresses(const YamlNode& node, std::size_t least, std::size_t most,
                         std::vector<IpAddress>& addresses) {
  const auto list = node.list();
  if (!list) return;
  if (list->size() < least || list->size() > most) {
    node.error(fmt::format("has {} addresses; allowed: {} to {}", list->size(), least, most));
    return;
  }
  for (const YamlNode& item : *list) addresses.push_back(load_item(item));
}

}  // namespace koi::config
