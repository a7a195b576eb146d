#include <string_view>

#include <fmt/format.h>

#include "config/sections.h"
#include "config/values.h"
#include "config/words.h"

namespace koi::config {
namespace {

constexpr std::string_view kModes = "off, receive-only, permissive, enforce";
constexpr std::size_t kMaxAccepted = 8;
constexpr Duration kShortestHello = 100ms;
constexpr Duration kLongestHello = 600s;

void load_trailer_key(YamlMap& map, const LoadOptions& options, bool allow_weak, TrailerKey& key) {
  if (const auto node = map.require("key-file", "the path of a file with 32 to 64 bytes")) {
    load_key(*node, options, allow_weak, KeyUse::trailer, key.file, key.key);
  }
  if (const auto node = map.require("key-id", "a whole number from 0 to 255")) {
    const auto id = node->whole_number(0, 255);
    if (id) key.id = static_cast<std::uint8_t>(*id);
  }
}

}  // namespace

void load_trailer(YamlMap& group_map, const LoadOptions& options, Group& group) {
  const auto section = group_map.find("trailer");
  auto map = section ? section->map() : std::nullopt;
  if (!map) return;
  Trailer& trailer = group.trailer.emplace();
  if (const auto node = map->require("mode", kModes)) {
    trailer.mode = node->choice<TrailerMode>(kTrailerWords, kModes).value_or(TrailerMode::off);
  }
  if (trailer.mode != TrailerMode::off || map->find("key-file") || map->find("key-id")) {
    load_trailer_key(*map, options, group.allow_weak_key, trailer.key.emplace());
  }
  const auto node = map->find("accept");
  const auto list = node ? node->list() : std::nullopt;
  if (list && list->size() > kMaxAccepted) {
    node->error(fmt::format("has {} keys; allowed: at most {}", list->size(), kMaxAccepted));
  } else if (list) {
    for (const YamlNode& item : *list) {
      TrailerKey& key = trailer.accept.emplace_back();  // a wrong one leaves a placeholder
      auto entry = item.map();
      if (!entry) continue;
      load_trailer_key(*entry, options, group.allow_weak_key, key);
      entry->finish();
    }
  }
  if (const auto interval = map->find("hello-interval")) {
    const auto value = interval->duration();
    if (value && *value != Duration::zero() &&
        (*value < kShortestHello || *value > kLongestHello)) {
      interval->error(fmt::format("{} is wrong; allowed: 0s (none is sent), or {} to {}",
                                  format_duration(*value), format_duration(kShortestHello),
                                  format_duration(kLongestHello)));
    } else {
      trailer.hello_interval = value.value_or(trailer.hello_interval);
    }
  }
  map->finish();
}

}  // namespace koi::config
