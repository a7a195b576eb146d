#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/time.h"
#include "config/report.h"
#include "config/yaml_tree.h"

namespace koi::config {

class YamlMap;

/// A value with its key path. Getters return nothing iff they reported why. Valid as long as the
/// tree and the report it was made from.
class YamlNode {
 public:
  /// where: the place that problems name; for the value of a key without a value, the key's.
  YamlNode(const Tree& tree, std::string path, Mark where, Report& report);

  const std::string& path() const { return path_; }
  void error(std::string text) const;

  /// A non-empty text of at most kMaxText bytes without control characters (YAML's escapes can
  /// write them). allowed: how a message describes what is wanted.
  std::optional<std::string> text(std::string_view allowed = "a text") const;
  /// min..max, decimal, not in quotes.
  std::optional<std::uint64_t> whole_number(std::uint64_t min, std::uint64_t max) const;
  /// true or false, not in quotes.
  std::optional<bool> boolean() const;
  std::optional<Duration> duration() const;
  /// min..max. A message gives them as format_duration() does.
  std::optional<Duration> duration(Duration min, Duration max) const;
  /// A path from the root.
  std::optional<std::string> absolute_path() const;
  /// The elements, with paths like addresses[0].
  std::optional<std::vector<YamlNode>> list() const;
  /// The keys; reports duplicate ones, and keys that are not text.
  std::optional<YamlMap> map() const;

  /// The value whose word is written here. A word says nothing of its type: `off` is a word.
  /// allowed: the words that a message recommends.
  template <class E>
  std::optional<E> choice(std::span<const std::pair<std::string_view, E>> words,
                          std::string_view allowed) const {
    const auto given = text(allowed);
    if (!given) return std::nullopt;
    for (const auto& [word, value] : words) {
      if (*given == word) return value;
    }
    error(in_quotes(*given) + " is unknown; allowed: " + std::string(allowed));
    return std::nullopt;
  }

  static constexpr std::size_t kMaxText = 4096;

 private:
  void wrong_kind(std::string_view allowed) const;

  const Tree* tree_;
  std::string path_;
  Mark where_;
  Report* report_;
};

/// The keys of a map. Loaders ask for each key they know, then call finish(), which makes every
/// other key an error.
class YamlMap {
 public:
  YamlMap(const Tree& tree, std::string path, Report& report);

  const std::string& path() const { return path_; }

  /// The value of a key, if it is there.
  std::optional<YamlNode> find(std::string_view key);
  /// The same, and an error if it is not there. allowed: what it would have to be.
  std::optional<YamlNode> require(std::string_view key, std::string_view allowed);
  /// All keys with their values in the file's order, for maps whose keys are names.
  std::vector<std::pair<std::string, YamlNode>> entries() const;
  /// Reports the keys nobody asked for.
  void finish() const;

  // Each of these leaves out alone when the key is absent or wrong.
  template <std::unsigned_integral T>
  void read(std::string_view key, T& out, T min, T max) {
    if (const auto node = find(key)) {
      if (const auto value = node->whole_number(min, max)) out = static_cast<T>(*value);
    }
  }
  void read(std::string_view key, bool& out);
  void read(std::string_view key, Duration& out, Duration min, Duration max);
  void read_path(std::string_view key, std::string& out);

 private:
  struct Entry {
    std::string key;
    Mark mark;
    const Tree* value;
  };
  std::string path_of(std::string_view key) const;
  YamlNode node(const Entry& entry) const;

  std::vector<Entry> entries_;                // the file's order, each key once
  std::map<std::string, std::size_t> index_;  // key: position in entries_
  std::vector<std::string> known_;
  std::string path_;
  Report* report_;
};

}  // namespace koi::config
