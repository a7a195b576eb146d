#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "config/derived.h"
#include "config/sections.h"
#include "config/values.h"

namespace koi::config {
namespace {

constexpr std::size_t kMaxTracks = 16;
constexpr Duration kShortestInterval = 100ms;
constexpr Duration kLongestInterval = 600s;
constexpr Duration kShortestCheckTimeout = 10ms;
constexpr std::string_view kKinds =
    "exactly one of port: NAME, ping: ADDRESS, tcp: \"ADDRESS:PORT\", script: /PATH";

/// A target without a port to reach it through cannot be a link-local address.
bool usable(const YamlNode& node, const IpAddress& address) {
  if (is_link_local(address)) {
    node.error(fmt::format("{} is link-local; allowed: an address that needs no interface",
                           address.to_string()));
  }
  return !is_link_local(address);
}

void load_target(const YamlNode& node, Track& track) {
  switch (track.kind) {
    case Track::Kind::port:
      track.port = node.text("the name of a port").value_or("");
      return;
    case Track::Kind::ping:
      if (const auto address = load_host_address(node)) {
        usable(node, *address);
        track.address = *address;
      }
      return;
    case Track::Kind::tcp: {
      constexpr std::string_view kAllowed =
          "an address and a port from 1 to 65535: \"192.0.2.9:443\", \"[2001:db8::1]:443\"";
      const auto given = node.text(kAllowed);
      const auto endpoint = given ? parse_endpoint(*given) : std::nullopt;
      if (given && !endpoint) {
        node.error(fmt::format("{} is wrong; allowed: {}", in_quotes(*given), kAllowed));
      }
      if (!endpoint) return;
      if (usable(node, endpoint->address)) check_is_host(node, endpoint->address);
      track.address = endpoint->address;
      track.number = endpoint->number;
      return;
    }
    case Track::Kind::script:
      track.program = node.absolute_path().value_or("");
      return;
  }
}

/// Fills in the kind and the target. Returns false iff there is not exactly one.
bool load_kind(const YamlNode& check, YamlMap& map, Track& track) {
  static constexpr std::array<std::pair<std::string_view, Track::Kind>, 4> kNames = {
      {{"port", Track::Kind::port},
       {"ping", Track::Kind::ping},
       {"tcp", Track::Kind::tcp},
       {"script", Track::Kind::script}}};
  std::optional<YamlNode> target;
  std::size_t given = 0;
  for (const auto& [name, kind] : kNames) {
    auto node = map.find(name);
    if (!node) continue;
    ++given;
    track.kind = kind;
    target = std::move(node);
  }
  if (given != 1) {
    check.error(fmt::format("has {} targets; allowed: {}", given, kKinds));
    return false;
  }
  load_target(*target, track);
  return true;
}

void load_pace(YamlMap& map, Track& track) {
  if (track.kind == Track::Kind::port) {
    for (const char* key : {"interval", "timeout", "rise", "fall"}) {
      const auto node = map.find(key);
      if (node) node->error("is not for a port, whose link says itself; allowed: name, weight");
    }
    return;
  }
  map.read("interval", track.interval, kShortestInterval, kLongestInterval);
  const bool script = track.kind == Track::Kind::script;
  if (!script) track.timeout = std::min(track.timeout, track.interval);
  map.read("timeout", track.timeout, kShortestCheckTimeout,
           script ? kLongestInterval : track.interval);
  map.read("rise", track.rise, std::uint8_t{1}, std::uint8_t{100});
  map.read("fall", track.fall, std::uint8_t{1}, std::uint8_t{100});
}

Track load_check(const YamlNode& node) {
  Track track;
  auto map = node.map();
  if (!map) return track;
  const bool known = load_kind(node, *map, track);
  load_pace(*map, track);
  map->read("weight", track.weight, std::uint8_t{1}, std::uint8_t{255});
  if (known) track.name = default_name(track);
  if (const auto name = map->find("name")) {
    const std::string allowed = fmt::format("1 to {} of a-z, 0-9 and -", kMaxTrackName);
    const auto given = name->text(allowed);
    if (given && !is_name(*given, kMaxTrackName)) {
      name->error(
          fmt::format("{} is no name for a check; allowed: {}", in_quotes(*given), allowed));
    }
    track.name = given.value_or("");
  }
  map->finish();
  return track;
}

}  // namespace

void load_track(YamlMap& group, std::vector<Track>& track) {
  const auto node = group.find("track");
  const auto list = node ? node->list() : std::nullopt;
  if (!list) return;
  if (list->size() > kMaxTracks) {
    node->error(fmt::format("has {} checks; allowed: at most {}", list->size(), kMaxTracks));
    return;
  }
  for (const YamlNode& item : *list) track.push_back(load_check(item));
}

}  // namespace koi::config
