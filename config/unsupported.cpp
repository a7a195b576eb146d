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

enum class TrailerMode : std::uint8_t { off, receive_only, permissive, enforce };

}  // namespace

void check_protocol(const YamlNode& node, Protocol protocol) {
  if (protocol != Protocol::carp) refuse(node, "VRRP", kProtocolsAllowed);
}

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

}  // namespace koi::config::unsupported
