#include <utility>

#include <fmt/format.h>

#include "config/sections.h"

namespace koi::config {
namespace {

constexpr std::size_t kMaxAcceptKeys = 8;

}  // namespace

void load_key(const YamlNode& node, const LoadOptions& options, bool allow_weak, KeyUse use,
              std::string& name, Secret& key) {
  auto path = node.absolute_path();
  if (!path) return;
  auto read = read_key_file(options.key_root + *path, allow_weak, use);
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
    load_key(*node, options, group.allow_weak_key, KeyUse::carp, group.key_file, group.key);
  }
  const auto node = map.find("accept-key-files");
  const auto list = node ? node->list() : std::nullopt;
  if (!list) return;
  if (list->size() > kMaxAcceptKeys) {
    node->error(fmt::format("has {} key files; allowed: at most {}", list->size(), kMaxAcceptKeys));
    return;
  }
  for (const YamlNode& item : *list) {
    load_key(item, options, group.allow_weak_key, KeyUse::carp,
             group.accept_key_files.emplace_back(), group.accept_keys.emplace_back());
  }
}

}  // namespace koi::config
