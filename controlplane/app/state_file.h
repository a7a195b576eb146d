#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/result.h"

namespace koi::app {

/// The state file: what must survive a restart. The ceiling of the advertisement counter
/// (design.md, dialect koi): no sequence above it was ever sent; maintenance; and of the signed
/// trailers (protocol.md §14) the ceiling of our own sequences and the latest one of each sender.
/// One line of JSON: {"ceiling":N,"maintenance":{"owner":"…","since":UNIX-SECONDS},
/// "trailers":{"ceiling":N,"heard":[{"port":"lan","vlan":0,"vhid":1,"source":"192.0.2.3",
/// "sequence":N}]}}, without maintenance when there is none, and without trailers until one was
/// used; older versions wrote neither. Service thread only.
class StateFile {
 public:
  /// How many sequences are reserved at a time.
  static constexpr std::uint64_t kReserve = 1 << 20;

  struct Maintenance {
    std::string owner;                            // who began it
    std::chrono::system_clock::time_point since;  // whole seconds on disk
  };

  struct TrailerRecord {
    std::string port;  // these three: where, as on the wire
    std::uint16_t vlan = 0;
    std::uint8_t vhid = 0;
    std::string source;  // who
    std::uint64_t sequence = 0;
  };

  /// Reads the file if there is one, and reserves the first sequences: above every earlier ceiling
  /// and never below the wall clock in microseconds (UTC), which still grows when the file is lost.
  /// Fails when the file is there and not readable as one, or cannot be written.
  static Result<StateFile> open(const std::string& path);

  std::uint64_t first_sequence() const { return first_; }
  std::uint64_t ceiling() const { return content_.ceiling; }

  /// Raises the ceiling by kReserve, on disk (fsync) before in memory.
  Status reserve_more();

  /// Nothing: no maintenance.
  const std::optional<Maintenance>& maintenance() const { return content_.maintenance; }
  /// On disk (fsync) before in memory.
  Status set_maintenance(const std::optional<Maintenance>& maintenance);

  /// The first sequence of a trailer of ours: above the earlier ceiling, and not below UTC.
  std::uint64_t first_trailer() const { return first_trailer_; }
  /// On disk; below first_trailer() until one was reserved.
  std::uint64_t trailer_ceiling() const {
    return content_.trailers ? content_.trailers->ceiling : 0;
  }
  /// In the file's order; empty when there are none.
  std::vector<TrailerRecord> trailer_records() const {
    return content_.trailers ? content_.trailers->heard : std::vector<TrailerRecord>();
  }
  /// On disk (fsync) before in memory.
  Status set_trailers(std::uint64_t ceiling, std::vector<TrailerRecord> heard);

 private:
  struct Trailers {
    std::uint64_t ceiling = 0;
    std::vector<TrailerRecord> heard{};
  };
  /// All that is on disk.
  struct Content {
    std::uint64_t ceiling = 0;
    std::optional<Maintenance> maintenance{};
    std::optional<Trailers> trailers{};
  };
  class Reader;
  explicit StateFile(std::string path) : path_(std::move(path)) {}
  /// On disk before in memory.
  Status write(Content content);

  std::string path_;
  std::uint64_t first_ = 0;
  std::uint64_t first_trailer_ = 0;
  Content content_;
};

}  // namespace koi::app
