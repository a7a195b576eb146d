#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "config/sections.h"
#include "config/unsupported.h"
#include "config/values.h"
#include "config/words.h"

namespace koi::config {
namespace {

constexpr std::uint8_t kHighestAdvbase = 254;
constexpr std::uint8_t kHighestAdvskew = 254;
constexpr std::size_t kMaxPeers = 16;
constexpr std::size_t kMaxTies = 255;
constexpr Duration kLongestRefresh = 24 * 3600s;
constexpr Duration kLongestPreemptDelay = 600s;

void load_timing(YamlMap& map, Group& group) {
  map.read("advbase", group.advbase, std::uint8_t{0}, kHighestAdvbase);
  if (const auto node = map.find("lowest-advskew")) {
    const auto value = node->whole_number(0, kHighestAdvskew);
    if (value) group.lowest_advskew = static_cast<std::uint8_t>(*value);
  }
  map.read("preempt-delay", group.preempt_delay, 0s, kLongestPreemptDelay);
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
}

/// One virtual host of the group's own, or those of `balance`.
void load_virtual_hosts(YamlMap& map, const LoadOptions& options, Group& group) {
  if (const auto balance = map.find("balance")) {
    load_balance(*balance, options, group);
    for (const char* key : {"vhid", "advskew"}) {
      const auto node = map.find(key);
      if (node) node->error("is each member's own with balance; allowed: in balance.members");
    }
    return;
  }
  if (const auto node = map.require("vhid", "a whole number from 1 to 255")) {
    const auto vhid = node->whole_number(1, 255);
    if (vhid) group.vhid = Vhid(static_cast<std::uint8_t>(*vhid));
  }
  map.read("advskew", group.advskew, std::uint8_t{0}, kHighestAdvskew);
}

void load_protocol(YamlMap& map, Group& group) {
  if (const auto node = map.find("protocol")) {
    if (const auto protocol =
            node->choice<Protocol>(kProtocolWords, unsupported::kProtocolsAllowed)) {
      group.protocol = *protocol;
      unsupported::check_protocol(*node, *protocol);
    }
  }
  if (const auto node = map.find("dialect")) {
    group.dialect = node->choice<Dialect>(kDialectWords, "koi, openbsd, freebsd, ucarp")
                        .value_or(group.dialect);
  }
  if (const auto node = map.find("hmac-v6ll")) {
    group.hmac_v6ll = node->choice<HmacLinkLocal>(kHmacLinkLocalWords, "exclude, include")
                          .value_or(group.hmac_v6ll);
  }
  if (const auto node = map.find("demotion-encoding")) {
    group.demotion_encoding = node->choice<DemotionEncoding>(kDemotionWords, "count, skew, both");
  }
}

void load_transport(YamlMap& map, Group& group) {
  if (const auto list = map.find("peers")) {
    load_host_addresses(*list, 0, kMaxPeers, group.peers);
  }
  map.read("multicast", group.multicast);
}

void load_ties(YamlMap& map, std::vector<std::string>& tie) {
  const auto node = map.find("tie");
  const auto list = node ? node->list() : std::nullopt;
  if (!list) return;
  if (list->size() > kMaxTies) {
    node->error(fmt::format("has {} groups; allowed: at most {}", list->size(), kMaxTies));
    return;
  }
  for (const YamlNode& item : *list) tie.push_back(item.text("the name of a group").value_or(""));
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
  map->read("takeover-when-deaf", group.takeover_when_deaf);
  load_keys(*map, options, group);
  load_virtual_hosts(*map, options, group);  // after the dialect and allow-weak-key
  if (const auto list = map->require("addresses", "a list of at least one shared address")) {
    load_host_addresses(*list, 1, kMaxSharedAddresses, group.addresses);
  }
  if (const auto list = map->find("previous-addresses")) {
    load_host_addresses(*list, 0, kMaxSharedAddresses, group.previous_addresses);
  }
  load_transport(*map, group);
  load_ties(*map, group.tie);
  load_track(*map, group.track);
  load_host_side(*map, group);
  load_trailer(*map, options, group);
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
