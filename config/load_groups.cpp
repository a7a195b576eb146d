#include <array>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "config/key_file.h"
#include "config/sections.h"
#include "config/unsupported.h"
#include "config/values.h"

namespace koi::config {
namespace {

constexpr std::array<std::pair<std::string_view, Protocol>, 3> kProtocols = {
    {{"carp", Protocol::carp}, {"vrrp2", Protocol::vrrp2}, {"vrrp3", Protocol::vrrp3}}};

constexpr std::array<std::pair<std::string_view, Dialect>, 4> kDialects = {
    {{"koi", Dialect::koi},
     {"openbsd", Dialect::openbsd},
     {"freebsd", Dialect::freebsd},
     {"ucarp", Dialect::ucarp}}};

constexpr std::uint8_t kHighestAdvbase = 254;
constexpr std::uint8_t kHighestAdvskew = 254;
constexpr std::size_t kMaxAcceptKeys = 8;
constexpr Duration kLongestRefresh = 24 * 3600s;

/// A wrong address leaves a placeholder, so that the positions stay those of the file.
IpAddress load_shared_address(const YamlNode& node) {
  constexpr std::string_view kAllowed = "an address without prefix length: 192.0.2.1";
  const auto given = node.text(kAllowed);
  if (!given) return {};
  const auto address = IpAddress::parse(*given);
  if (!address) {
    node.error(fmt::format("{} is wrong; allowed: {}", in_quotes(*given), kAllowed));
    return {};
  }
  if (!unsupported::check_shared_address(node, *address)) return *address;
  if (!address->v4().is_host()) {
    node.error(
        fmt::format("{} cannot be a host's; allowed: no multicast, broadcast, loopback or "
                    "zero address",
                    address->to_string()));
  }
  return *address;
}

void load_addresses(const YamlNode& node, std::size_t least, std::vector<IpAddress>& addresses) {
  const auto list = node.list();
  if (!list) return;
  if (list->size() < least || list->size() > kMaxSharedAddresses) {
    node.error(fmt::format("has {} addresses; allowed: {} to {}", list->size(), least,
                           kMaxSharedAddresses));
    return;
  }
  for (const YamlNode& item : *list) addresses.push_back(load_shared_address(item));
}

/// Fills in the name of the key file, and the key if it can be had.
void load_key(const YamlNode& node, const LoadOptions& options, bool allow_weak, std::string& name,
              Secret& key) {
  auto path = node.absolute_path();
  if (!path) return;
  auto read = read_key_file(options.key_root + *path, allow_weak);
  if (read) {
    key = std::move(read).value();
  } else {
    node.error(fmt::format("key file {} {}", *path, read.error().message));
  }
  name = std::move(*path);
}

void load_keys(YamlMap& map, const LoadOptions& options, Group& group) {
  map.read("allow-weak-key", group.allow_weak_key);
  if (const auto node = map.require("key-file", "the path of a key file")) {
    load_key(*node, options, group.allow_weak_key, group.key_file, group.key);
  }
  const auto node = map.find("accept-key-files");
  const auto list = node ? node->list() : std::nullopt;
  if (!list) return;
  if (list->size() > kMaxAcceptKeys) {
    node->error(fmt::format("has {} key files; allowed: at most {}", list->size(), kMaxAcceptKeys));
    return;
  }
  for (const YamlNode& item : *list) {
    load_key(item, options, group.allow_weak_key, group.accept_key_files.emplace_back(),
             group.accept_keys.emplace_back());
  }
}

void load_timing(YamlMap& map, Group& group) {
  map.read("advbase", group.advbase, std::uint8_t{0}, kHighestAdvbase);
  map.read("advskew", group.advskew, std::uint8_t{0}, kHighestAdvskew);
  if (const auto node = map.find("lowest-advskew")) {
    const auto value = node->whole_number(0, kHighestAdvskew);
    if (value) group.lowest_advskew = static_cast<std::uint8_t>(*value);
  }
  map.read("dead-ratio", group.dead_ratio, std::uint8_t{1}, std::uint8_t{255});
  if (const auto node = map.find("announce-refresh")) {
    const auto refresh = node->duration();
    if (refresh && *refresh != 0s && (*refresh < 1s || *refresh > kLongestRefresh)) {
      node->error(fmt::format("{} is wrong; allowed: 0s (never), or 1s to 1440m",
                              format_duration(*refresh)));
    } else if (refresh) {
      group.announce_refresh = *refresh;
    }
  }
}

void load_place(YamlMap& map, Group& group) {
  if (const auto node = map.require("port", "the name of a port")) {
    group.port = node->text("the name of a port").value_or("");
  }
  if (const auto node = map.find("vlan")) {
    const auto vlan = node->whole_number(1, 4094);
    if (vlan) group.vlan = VlanId(static_cast<std::uint16_t>(*vlan));
  }
  if (const auto node = map.require("vhid", "a whole number from 1 to 255")) {
    const auto vhid = node->whole_number(1, 255);
    if (vhid) group.vhid = Vhid(static_cast<std::uint8_t>(*vhid));
  }
}

void load_protocol(YamlMap& map, Group& group) {
  if (const auto node = map.find("protocol")) {
    if (const auto protocol = node->choice<Protocol>(kProtocols, unsupported::kProtocolsAllowed)) {
      group.protocol = *protocol;
      unsupported::check_protocol(*node, *protocol);
    }
  }
  if (const auto node = map.find("dialect")) {
    if (const auto dialect = node->choice<Dialect>(kDialects, unsupported::kDialectsAllowed)) {
      group.dialect = *dialect;
      unsupported::check_dialect(*node, *dialect);
    }
  }
}

std::optional<Group> load_group(const std::string& name, const YamlNode& node,
                                const LoadOptions& options) {
  if (!is_name(name, kMaxGroupName)) {
    node.error(fmt::format("{} is no name for a group; allowed: 1 to {} of a-z, 0-9 and -",
                           in_quotes(name), kMaxGroupName));
  }
  auto map = node.map();
  if (!map) return std::nullopt;
  Group group;
  group.name = name;
  load_place(*map, group);
  load_protocol(*map, group);
  load_timing(*map, group);
  map->read("preempt", group.preempt);
  load_keys(*map, options, group);
  if (const auto list = map->require("addresses", "a list of at least one shared address")) {
    load_addresses(*list, 1, group.addresses);
  }
  if (const auto list = map->find("previous-addresses")) {
    load_addresses(*list, 0, group.previous_addresses);
  }
  unsupported::check_group_keys(*map);
  map->finish();
  return group;
}

}  // namespace

void load_groups(const YamlNode& section, const LoadOptions& options, std::vector<Group>& groups) {
  const auto map = section.map();
  if (!map) return;
  const auto entries = map->entries();
  if (entries.empty() || entries.size() > kMaxSlots) {
    section.error(fmt::format("has {} groups; allowed: 1 to {}", entries.size(), kMaxSlots));
  }
  for (const auto& [name, node] : entries) {
    if (groups.size() == kMaxSlots) break;
    if (auto group = load_group(name, node, options)) groups.push_back(std::move(*group));
  }
}

}  // namespace koi::config
