#pragma once

#include <cstdint>
#include <string>

#include "common/result.h"

namespace koi::app {

/// The state file: what must survive a restart. Today the ceiling of the advertisement counter
/// (design.md, dialect koi): no sequence above it was ever sent. Service thread only.
class StateFile {
 public:
  /// How many sequences are reserved at a time.
  static constexpr std::uint64_t kReserve = 1 << 20;

  /// Reads the file if there is one, and reserves the first sequences: above every earlier ceiling
  /// and never below the wall clock in microseconds (UTC), which still grows when the file is lost.
  /// Fails when the file is there and not readable as one, or cannot be written.
  static Result<StateFile> open(const std::string& path);

  std::uint64_t first_sequence() const { return first_; }
  std::uint64_t ceiling() const { return ceiling_; }

  /// Raises the ceiling by kReserve, on disk (fsync) before in memory.
  Status reserve_more();

 private:
  explicit StateFile(std::string path) : path_(std::move(path)) {}
  Status write(std::uint64_t ceiling) const;

  std::string path_;
  std::uint64_t first_ = 0;
  std::uint64_t ceiling_ = 0;
};

}  // namespace koi::app
