#include <string_view>

#include <fmt/format.h>

#include "config/sections.h"
#include "config/words.h"

namespace koi::config {
namespace {

constexpr std::size_t kMaxHooks = 8;
constexpr Duration kShortestHookTimeout = 100ms;
constexpr Duration kLongestTimeout = 600s;
constexpr Duration kLongestSyncWait = 600s;

Hook load_hook(const YamlNode& node) {
  Hook hook;
  auto map = node.map();
  if (!map) return hook;
  if (const auto program = map->require("program", "an absolute path")) {
    hook.program = program->absolute_path().value_or("");
  }
  map->read("timeout", hook.timeout, kShortestHookTimeout, kLongestTimeout);
  map->finish();
  return hook;
}

}  // namespace

void load_host_side(YamlMap& map, Group& group) {
  if (const auto node = map.find("assign")) {
    group.assign =
        node->choice<Assign>(kAssignWords, "never, always, master").value_or(group.assign);
  }
  map.read("sync-wait", group.sync_wait, 0s, kLongestSyncWait);
  const auto node = map.find("hooks");
  const auto list = node ? node->list() : std::nullopt;
  if (!list) return;
  if (list->size() > kMaxHooks) {
    node->error(fmt::format("has {} hooks; allowed: at most {}", list->size(), kMaxHooks));
    return;
  }
  for (const YamlNode& item : *list) group.hooks.push_back(load_hook(item));
}

}  // namespace koi::config
