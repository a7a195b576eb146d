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

#include "common/auth/trailer_sequence.h"

namespace koi::app {
namespace {

constexpr std::uint64_t kMaxSequence = (1ULL << 52) - 1;
constexpr std::uint64_t kLastTrailer =
    UINT64_MAX - (1ULL << 48);                           // of 2106: so far ahead is damage
constexpr std::uint64_t kLatestSeconds = 9'000'000'000;  // what a time_point holds, and not more

std::uint64_t utc_microseconds() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::max<std::int64_t>(
      0, std::chrono::duration_cast<std::chrono::microseconds>(now).count()));
}

/// Writes the whole text and syncs it; closes the descriptor in any case.
bool write_and_sync(int fd, const std::string& text) {
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const bool synced = written && fsync(fd) == 0;
  return close(fd) == 0 && synced;
}

}  // namespace

/// The file's text as its content; damaged() iff it is none that we wrote.
class StateFile::Reader {
 public:
  explicit Reader(const nlohmann::json& json) {
    content_.ceiling = number(json, "ceiling", UINT64_MAX);
    if (const auto* maintenance = member(json, "maintenance")) read_maintenance(*maintenance);
    if (const auto* trailers = member(json, "trailers")) read_trailers(*trailers);
  }
  bool damaged() const { return damaged_; }
  const Content& content() const { return content_; }

 private:
  static const nlohmann::json* member(const nlohmann::json& json, const char* name) {
    if (!json.is_object()) return nullptr;
    const auto found = json.find(name);
    return found == json.end() ? nullptr : &*found;
  }

  std::uint64_t number(const nlohmann::json& json, const char* name, std::uint64_t most) {
    const auto* found = member(json, name);
    const bool good =
        found != nullptr && found->is_number_unsigned() && found->get<std::uint64_t>() <= most;
    damaged_ = damaged_ || !good;
    return good ? found->get<std::uint64_t>() : 0;
  }
  std::string text(const nlohmann::json& json, const char* name) {
    const auto* found = member(json, name);
    const bool good = found != nullptr && found->is_string();
    damaged_ = damaged_ || !good;
    return good ? found->get<std::string>() : std::string();
  }

  void read_maintenance(const nlohmann::json& json) {
    const std::uint64_t since = number(json, "since", kLatestSeconds);
    content_.maintenance = {text(json, "owner"),
                            std::chrono::system_clock::time_point(std::chrono::seconds(since))};
  }

  void read_trailers(const nlohmann::json& json) {
    Trailers trailers{number(json, "ceiling", kLastTrailer), {}};
    const auto* heard = member(json, "heard");
    if (heard == nullptr || !heard->is_array()) {
      damaged_ = true;
      return;
    }
    for (const nlohmann::json& one : *heard) {
      trailers.heard.push_back({.port = text(one, "port"),
                                .vlan = static_cast<std::uint16_t>(number(one, "vlan", 4094)),
                                .vhid = static_cast<std::uint8_t>(number(one, "vhid", 255)),
                                .source = text(one, "source"),
                                .sequence = number(one, "sequence", UINT64_MAX)});
    }
    content_.trailers = std::move(trailers);
  }

  Content content_;
  bool damaged_ = false;
};

Result<StateFile> StateFile::open(const std::string& path) {
  StateFile file(path);
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
  if (std::ifstream in(path); in) {
    const Reader reader(nlohmann::json::parse(in, nullptr, false));
    if (reader.damaged()) {
      return Error{
          fmt::format("state-file {} is damaged: mend or remove it; without it the counter "
                      "starts at the wall clock",
                      path)};
    }
    file.content_ = reader.content();
  } else if (std::filesystem::exists(path, ignored)) {
    return Error{fmt::format("state-file {} cannot be read: {}", path, std::strerror(errno))};
  }
  const std::uint64_t earlier = file.content_.ceiling;
  if (earlier >= kMaxSequence - 2 * kReserve) {
    return Error{
        fmt::format("state-file {} holds an impossible ceiling of {}: remove it", path, earlier)};
  }
  file.first_ = std::max(earlier + 1, utc_microseconds());
  file.first_trailer_ =
      std::max(file.trailer_ceiling() + 1,
               auth::trailer_sequence(std::chrono::microseconds(utc_microseconds())));
  file.content_.ceiling = file.first_;
  if (const Status s = file.reserve_more(); !s) return s.error();
  return file;
}

Status StateFile::reserve_more() {
  Content content = content_;
  content.ceiling += kReserve;
  return write(std::move(content));
}

Status StateFile::set_maintenance(const std::optional<Maintenance>& maintenance) {
  Content content = content_;
  content.maintenance = maintenance;
  return write(std::move(content));
}

Status StateFile::set_trailers(std::uint64_t ceiling, std::vector<TrailerRecord> heard) {
  Content content = content_;
  content.trailers = Trailers{ceiling, std::move(heard)};
  return write(std::move(content));
}

Status StateFile::write(Content content) {
  // A new file in place of the old one: a crash leaves either, never half of one.
  const std::string fresh = path_ + ".new";
  const auto failed = [&](const char* what) {
    return Error{fmt::format("state-file {}: cannot {}: {}; the folder must exist and be writable",
                             path_, what, std::strerror(errno))};
  };
  const int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return failed("be written");
  nlohmann::json json = {{"ceiling", content.ceiling}};
  if (content.maintenance) {
    const auto since = std::chrono::floor<std::chrono::seconds>(content.maintenance->since);
    json["maintenance"] = {{"owner", content.maintenance->owner},
                           {"since", std::max<std::int64_t>(0, since.time_since_epoch().count())}};
  }
  if (content.trailers) {
    nlohmann::json heard = nlohmann::json::array();
    for (const TrailerRecord& record : content.trailers->heard) {
      heard.push_back({{"port", record.port},
                       {"vlan", record.vlan},
                       {"vhid", record.vhid},
                       {"source", record.source},
                       {"sequence", record.sequence}});
    }
    json["trailers"] = {{"ceiling", content.trailers->ceiling}, {"heard", heard}};
  }
  if (!write_and_sync(fd, json.dump() + "\n")) return failed("be written");
  if (rename(fresh.c_str(), path_.c_str()) != 0) return failed("be replaced");
  const std::string folder = std::filesystem::path(path_).parent_path();
  const int dir = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (dir >= 0) {
    fsync(dir);
    close(dir);
  }
  content_ = std::move(content);
  return Done{};
}

}  // namespace koi::app
