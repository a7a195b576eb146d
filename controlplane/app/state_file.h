#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "common/result.h"

namespace koi::app {

/// The state file: what must survive a restart. The ceiling of the advertisement counter
/// (design.md, dialect koi): no sequence above it was ever sent; and maintenance. One line of JSON:
/// {"ceiling":N,"maintenance":{"owner":"…","since":UNIX-SECONDS}}, without the second member when
/// there is no maintenance, which is also how older versions wrote it. Service thread only.
class StateFile {
 public:
  /// How many sequences are reserved at a time.
  static constexpr std::uint64_t kReserve = 1 << 20;

  struct Maintenance {
    std::string owner;                            // who began it
    std::chrono::system_clock::time_point since;  // whole seconds on disk
  };

  /// Reads the file if there is one, and reserves the first sequences: above every earlier ceiling
  /// and never below the wall clock in microseconds (UTC), which still grows when the file is lost.
  /// Fails when the file is there and not readable as one, or cannot be written.
  static Result<StateFile> open(const std::string& path);

  std::uint64_t first_sequence() const { return first_; }
  std::uint64_t ceiling() const { return ceiling_; }

  /// Raises the ceiling by kReserve, on disk (fsync) before in memory.
  Status reserve_more();

  /// Nothing: no maintenance.
  const std::optional<Maintenance>& maintenance() const { return maintenance_; }
  /// On disk (fsync) before in memory.
  Status set_maintenance(const std::optional<Maintenance>& maintenance);

 private:
  explicit StateFile(std::string path) : path_(std::move(path)) {}
  Status write(std::uint64_t ceiling, const std::optional<Maintenance>& maintenance) const;

  std::string path_;
  std::uint64_t first_ = 0;
  std::uint64_t ceiling_ = 0;
  std::optional<Maintenance> maintenance_;
};

}  // namespace koi::app
