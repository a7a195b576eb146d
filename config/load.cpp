#include "config/load.h"

#include <algorithm>
#include <array>
#include <exception>
#include <string_view>
#include <unistd.h>

#include <fmt/format.h>

#include "config/sections.h"
#include "config/source_text.h"
#include "config/yaml_tree.h"

namespace koi::config {
namespace {

constexpr std::size_t kMaxNodeName = 64;

bool is_node_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxNodeName &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '-' || c == '_';
         });
}

std::string host_name(const LoadOptions& options) {
  if (!options.host_name.empty()) return options.host_name;
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

void load_node(YamlMap& root, const LoadOptions& options, Config& config, Report& report) {
  const std::string allowed = fmt::format("1 to {} of a-z, A-Z, 0-9, ., - and _", kMaxNodeName);
  if (const auto node = root.find("node")) {
    const auto name = node->text(allowed);
    if (name && !is_node_name(*name)) {
      node->error(fmt::format("{} is no name for a node; allowed: {}", in_quotes(*name), allowed));
    }
    config.node = name.value_or("");
  } else {
    config.node = host_name(options);
    if (!is_node_name(config.node)) {
      report.error("node", fmt::format("is missing, and the host name {} cannot stand for it; "
                                       "allowed: {}",
                                       in_quotes(config.node), allowed));
    }
  }
  if (const auto node = root.find("node-id")) {
    const auto id = node->whole_number(0, 4095);
    if (id) config.node_id = NodeId(static_cast<std::uint16_t>(*id));
  } else {
    config.node_id = node_id_of(config.node);
    report.warning("node-id",
                   fmt::format("not given, {} taken from the name {}; each box must have another "
                               "one: better give each its own, 0 to 4095",
                               config.node_id.value(), in_quotes(config.node)));
  }
}

void load_root(const Tree& tree, const LoadOptions& options, Config& config, Report& report) {
  auto root = YamlNode(tree, "", tree.mark, report).map();
  if (!root) return;
  load_node(*root, options, config, report);
  root->read_path("state-file", config.state_file);
  if (const auto node = root->require("dataplane", "a map with worker-cores at least")) {
    load_dataplane(*node, config.dataplane);
  }
  if (const auto node = root->require("ports", "a map of port names")) {
    load_ports(*node, config.ports);
  }
  if (const auto node = root->require("groups", "a map of group names")) {
    load_groups(*node, options, config.groups);
  }
  if (const auto node = root->find("control")) load_control(*node, config.control);
  root->finish();
  validate(config, report);  // in the file's order: it finds the places by position
  for (Group& group : config.groups) {
    if (!group.balance) continue;
    std::sort(group.balance->members.begin(), group.balance->members.end(),
              [](const Member& a, const Member& b) { return a.vhid < b.vhid; });
  }
}

}  // namespace

NodeId node_id_of(std::string_view name) {
  std::uint32_t hash = 2166136261U;  // FNV-1a
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
  return NodeId(static_cast<std::uint16_t>((hash ^ (hash >> 12) ^ (hash >> 24)) & 0xfffU));
}

Loaded load(const std::string& path, const LoadOptions& options) {
  Loaded loaded;
  Report report(path);
  try {
    if (const auto text = read_source(path, report)) {
      if (const auto tree = parse_yaml(*text, report)) {
        load_root(*tree, options, loaded.config, report);
      }
    }
  } catch (const std::exception& error) {  // memory; the YAML library's stay in parse_yaml()
    report.error_at({}, "", fmt::format("cannot be loaded: {}", error.what()));
  }
  std::move(report).finish(loaded);
  return loaded;
}

}  // namespace koi::config
