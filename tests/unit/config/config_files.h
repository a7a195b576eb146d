#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

#include "config/load.h"

namespace koi::config::testing {

/// A new directory that goes away with everything in it.
class TempDir {
 public:
  TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir();

  const std::filesystem::path& path() const { return path_; }
  /// Writes a file, its directories included, and returns its path.
  std::string write(const std::string& name, std::string_view text, mode_t mode = 0600) const;

 private:
  std::filesystem::path path_;
};

/// The checkout's root, from KOI_SOURCE_ROOT; the working directory if that is not set.
std::filesystem::path source_root();

std::string read_file(const std::filesystem::path& path);

/// "file:line:column: key: text" for each, with the file's base name, a line each.
std::string lines(std::vector<Problem> problems);

/// Loads text as a file of its own, without key files.
Loaded load_text(const TempDir& dir, std::string_view text);

}  // namespace koi::config::testing
