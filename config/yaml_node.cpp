#include "config/yaml_node.h"

#include <algorithm>

#include <fmt/format.h>

#include "config/values.h"

namespace koi::config {
namespace {

std::string_view name_of(Tree::Kind kind) {
  switch (kind) {
    case Tree::Kind::null:
      return "nothing";
    case Tree::Kind::scalar:
      return "a single value";
    case Tree::Kind::sequence:
      return "a list";
    case Tree::Kind::map:
      return "a map";
  }
  return "something else";
}

bool has_control_character(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  });
}

}  // namespace

YamlNode::YamlNode(const Tree& tree, std::string path, Mark where, Report& report)
    : tree_(&tree), path_(std::move(path)), where_(where), report_(&report) {
  report_->place(path_, where_);
}

void YamlNode::error(std::string text) const { report_->error_at(where_, path_, std::move(text)); }

void YamlNode::wrong_kind(std::string_view allowed) const {
  error(fmt::format("is {}; allowed: {}", name_of(tree_->kind), allowed));
}

std::optional<std::string> YamlNode::text(std::string_view allowed) const {
  if (tree_->kind != Tree::Kind::scalar) {
    wrong_kind(allowed);
  } else if (tree_->text.empty()) {
    error(fmt::format("is empty; allowed: {}", allowed));
  } else if (tree_->text.size() > kMaxText) {
    error(fmt::format("is too long; allowed: {}, at most {} bytes", allowed, kMaxText));
  } else if (has_control_character(tree_->text)) {
    error(fmt::format("has a control character; allowed: {}", allowed));
  } else {
    return tree_->text;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> YamlNode::whole_number(std::uint64_t min, std::uint64_t max) const {
  const std::string allowed = fmt::format("a whole number from {} to {}", min, max);
  const auto given = text(allowed);
  if (!given) return std::nullopt;
  const auto value = tree_->plain ? parse_whole_number(*given) : std::nullopt;
  if (!value || *value < min || *value > max) {
    error(fmt::format("{} is wrong; allowed: {}", in_quotes(*given), allowed));
    return std::nullopt;
  }
  return value;
}

std::optional<bool> YamlNode::boolean() const {
  const auto given = text("true or false");
  if (!given) return std::nullopt;
  if (tree_->plain && *given == "true") return true;
  if (tree_->plain && *given == "false") return false;
  error(fmt::format("{} is wrong; allowed: true or false", in_quotes(*given)));
  return std::nullopt;
}

std::optional<Duration> YamlNode::duration() const {
  constexpr std::string_view kAllowed = "a whole number with its unit: 500ms, 60s, 2m";
  const auto given = text(kAllowed);
  if (!given) return std::nullopt;
  const auto value = parse_duration(*given);
  if (!value) error(fmt::format("{} is wrong; allowed: {}", in_quotes(*given), kAllowed));
  return value;
}

std::optional<Duration> YamlNode::duration(Duration min, Duration max) const {
  const auto value = duration();
  if (!value || (*value >= min && *value <= max)) return value;
  error(fmt::format("{} is wrong; allowed: {} to {}", format_duration(*value), format_duration(min),
                    format_duration(max)));
  return std::nullopt;
}

std::optional<std::string> YamlNode::absolute_path() const {
  constexpr std::string_view kAllowed = "a path that begins with /";
  auto given = text(kAllowed);
  if (given && !given->starts_with('/')) {
    error(fmt::format("{} is wrong; allowed: {}", in_quotes(*given), kAllowed));
    return std::nullopt;
  }
  return given;
}

std::optional<std::vector<YamlNode>> YamlNode::list() const {
  if (tree_->kind != Tree::Kind::sequence) {
    wrong_kind("a list");
    return std::nullopt;
  }
  std::vector<YamlNode> nodes;
  nodes.reserve(tree_->children.size());
  for (std::size_t i = 0; i < tree_->children.size(); ++i) {
    const Tree& child = tree_->children[i];
    nodes.emplace_back(child, fmt::format("{}[{}]", path_, i), child.mark, *report_);
  }
  return nodes;
}

std::optional<YamlMap> YamlNode::map() const {
  if (tree_->kind != Tree::Kind::map) {
    wrong_kind("a map");
    return std::nullopt;
  }
  return YamlMap(*tree_, path_, *report_);
}

YamlMap::YamlMap(const Tree& tree, std::string path, Report& report)
    : path_(std::move(path)), report_(&report) {
  for (std::size_t i = 0; i + 1 < tree.children.size(); i += 2) {
    const Tree& key = tree.children[i];
    if (key.kind != Tree::Kind::scalar) {
      report.error_at(key.mark, path_,
                      fmt::format("a key is {}; allowed: a single value", name_of(key.kind)));
      continue;
    }
    const auto [at, fresh] = index_.emplace(key.text, entries_.size());
    if (!fresh) {
      report.error_at(key.mark, path_of(key.text),
                      fmt::format("given twice, first on line {}; allowed: once",
                                  entries_[at->second].mark.line));
      continue;
    }
    entries_.push_back({key.text, key.mark, &tree.children[i + 1]});
  }
}

std::string YamlMap::path_of(std::string_view key) const {
  return path_.empty() ? path_part(key) : path_ + "." + path_part(key);
}

YamlNode YamlMap::node(const Entry& entry) const {
  // What is wrong with a single value stands at the value; with all else, at its key.
  const Mark where = entry.value->kind == Tree::Kind::scalar ? entry.value->mark : entry.mark;
  return {*entry.value, path_of(entry.key), where, *report_};
}

std::optional<YamlNode> YamlMap::find(std::string_view key) {
  if (std::find(known_.begin(), known_.end(), key) == known_.end()) known_.emplace_back(key);
  const auto at = index_.find(std::string(key));
  if (at == index_.end()) return std::nullopt;
  return node(entries_[at->second]);
}

std::optional<YamlNode> YamlMap::require(std::string_view key, std::string_view allowed) {
  auto found = find(key);
  if (!found) report_->error(path_of(key), fmt::format("is missing; allowed: {}", allowed));
  return found;
}

std::vector<std::pair<std::string, YamlNode>> YamlMap::entries() const {
  std::vector<std::pair<std::string, YamlNode>> all;
  all.reserve(entries_.size());
  for (const Entry& entry : entries_) all.emplace_back(entry.key, node(entry));
  return all;
}

void YamlMap::finish() const {
  std::string allowed;
  for (const std::string& key : known_) allowed += (allowed.empty() ? "" : ", ") + key;
  for (const Entry& entry : entries_) {
    if (std::find(known_.begin(), known_.end(), entry.key) != known_.end()) continue;
    report_->error_at(entry.mark, path_of(entry.key),
                      fmt::format("unknown key; allowed: {}", allowed));
  }
}

void YamlMap::read(std::string_view key, bool& out) {
  if (const auto node = find(key)) out = node->boolean().value_or(out);
}

void YamlMap::read(std::string_view key, Duration& out, Duration min, Duration max) {
  if (const auto node = find(key)) out = node->duration(min, max).value_or(out);
}

void YamlMap::read_path(std::string_view key, std::string& out) {
  if (const auto node = find(key)) out = node->absolute_path().value_or(out);
}

}  // namespace koi::config
