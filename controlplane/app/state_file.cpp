#include "controlplane/app/state_file.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace koi::app {
namespace {

constexpr std::uint64_t kMaxSequence = (1ULL << 52) - 1;
constexpr std::uint64_t kLatestSeconds = 9'000'000'000;  // what a time_point holds, and not more

std::uint64_t utc_microseconds() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::max<std::int64_t>(
      0, std::chrono::duration_cast<std::chrono::microseconds>(now).count()));
}

/// Reads the member "maintenance". Returns false iff it is there and is none.
bool read_maintenance(const nlohmann::json& json, std::optional<StateFile::Maintenance>& into) {
  const auto found = json.find("maintenance");
  if (found == json.end()) return true;
  if (!found->is_object() || !found->contains("owner") || !(*found)["owner"].is_string() ||
      !found->contains("since") || !(*found)["since"].is_number_unsigned()) {
    return false;
  }
  const auto since = (*found)["since"].get<std::uint64_t>();
  if (since > kLatestSeconds) return false;
  into = {(*found)["owner"].get<std::string>(),
          std::chrono::system_clock::time_point(std::chrono::seconds(since))};
  return true;
}

/// Writes the whole text and syncs it; closes the descriptor in any case.
bool write_and_sync(int fd, const std::string& text) {
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const bool synced = written && fsync(fd) == 0;
  return close(fd) == 0 && synced;
}

}  // namespace

Result<StateFile> StateFile::open(const std::string& path) {
  StateFile file(path);
  std::uint64_t earlier = 0;
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
  if (std::ifstream in(path); in) {
    const auto json = nlohmann::json::parse(in, nullptr, false);
    if (!json.is_object() || !json.contains("ceiling") || !json["ceiling"].is_number_unsigned() ||
        !read_maintenance(json, file.maintenance_)) {
      return Error{
          fmt::format("state-file {} is damaged: mend or remove it; without it the counter "
                      "starts at the wall clock",
                      path)};
    }
    earlier = json["ceiling"].get<std::uint64_t>();
  } else if (std::filesystem::exists(path, ignored)) {
    return Error{fmt::format("state-file {} cannot be read: {}", path, std::strerror(errno))};
  }
  if (earlier >= kMaxSequence - 2 * kReserve) {
    return Error{
        fmt::format("state-file {} holds an impossible ceiling of {}: remove it", path, earlier)};
  }
  file.first_ = std::max(earlier + 1, utc_microseconds());
  file.ceiling_ = file.first_;
  if (const Status s = file.reserve_more(); !s) return s.error();
  return file;
}

Status StateFile::reserve_more() {
  const std::uint64_t ceiling = ceiling_ + kReserve;
  if (Status s = write(ceiling, maintenance_); !s) return s;
  ceiling_ = ceiling;
  return Done{};
}

Status StateFile::set_maintenance(const std::optional<Maintenance>& maintenance) {
  if (Status s = write(ceiling_, maintenance); !s) return s;
  maintenance_ = maintenance;
  return Done{};
}

Status StateFile::write(std::uint64_t ceiling,
                        const std::optional<Maintenance>& maintenance) const {
  // A new file in place of the old one: a crash leaves either, never half of one.
  const std::string fresh = path_ + ".new";
  const auto failed = [&](const char* what) {
    return Error{fmt::format("state-file {}: cannot {}: {}; the folder must exist and be writable",
                             path_, what, std::strerror(errno))};
  };
  const int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return failed("be written");
  nlohmann::json json = {{"ceiling", ceiling}};
  if (maintenance) {
    const auto since = std::chrono::floor<std::chrono::seconds>(maintenance->since);
    json["maintenance"] = {{"owner", maintenance->owner},
                           {"since", std::max<std::int64_t>(0, since.time_since_epoch().count())}};
  }
  if (!write_and_sync(fd, json.dump() + "\n")) return failed("be written");
  if (rename(fresh.c_str(), path_.c_str()) != 0) return failed("be replaced");
  const std::string folder = std::filesystem::path(path_).parent_path();
  const int dir = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (dir >= 0) {
    fsync(dir);
    close(dir);
  }
  return Done{};
}

}  // namespace koi::app
