#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "config/load.h"

namespace koi::config {

/// A place in the file, both from 1. Columns count bytes.
struct Mark {
  int line = 0;
  int column = 0;
};

/// Collects the problems of one load, and remembers where each key path stands so that the rules
/// which see only values can say where they were broken.
class Report {
 public:
  /// More errors than this are counted, not kept.
  static constexpr std::size_t kMaxKept = 1000;

  explicit Report(std::string file) : file_(std::move(file)) {}

  /// The place of a key path, for error() and warning().
  void place(const std::string& path, Mark mark) { places_.insert_or_assign(path, mark); }

  /// The place is that of the path, else of the nearest path above it.
  void error(const std::string& path, std::string text);
  void warning(const std::string& path, std::string text);
  void error_at(Mark mark, const std::string& path, std::string text);

  /// Returns true iff no error stands at the path or below it.
  bool clean(const std::string& path) const;
  bool empty() const { return errors_.empty(); }

  /// Moves what was collected into loaded, in the order of the file.
  void finish(Loaded& loaded) &&;

 private:
  Mark find(std::string path) const;

  std::string file_;
  std::unordered_map<std::string, Mark> places_;
  std::set<std::string> at_;
  std::vector<Problem> errors_;
  std::vector<Problem> warnings_;
  std::size_t not_kept_ = 0;
};

/// Text from the file for a message: in quotes, shortened, nothing unprintable.
std::string in_quotes(std::string_view text);

/// A key as part of a key path: as it is if it is made of a-z, 0-9 and hyphens, else quoted.
std::string path_part(std::string_view key);

}  // namespace koi::config
