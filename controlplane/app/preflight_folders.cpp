#include "controlplane/app/preflight_folders.h"

#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <pwd.h>
#include <string>
#include <sys/stat.h>
#include <utility>

#include <fmt/format.h>

namespace koi::app {
namespace {

namespace fs = std::filesystem;

struct User {
  std::string name;
  uid_t uid = 0;
  gid_t gid = 0;
};

/// From the machine's own list.
template <class Wanted>
std::optional<User> find_user(const KernelFiles& files, Wanted wanted) {
  const std::unique_ptr<FILE, int (*)(FILE*)> list(
      std::fopen((files.root() + "/etc/passwd").c_str(), "re"),
      [](FILE* file) { return file == nullptr ? 0 : std::fclose(file); });
  while (const passwd* entry = list ? fgetpwent(list.get()) : nullptr) {
    const User user{entry->pw_name, entry->pw_uid, entry->pw_gid};
    if (wanted(user)) return user;
  }
  return std::nullopt;
}

constexpr mode_t kRead = 4;
constexpr mode_t kMakeIn = 3;

/// mode: what it wants to do there, as in the last digit of a file's mode.
bool may(const User& user, const struct stat& info, mode_t mode) {
  const unsigned shift = user.uid == info.st_uid ? 6 : user.gid == info.st_gid ? 3 : 0;
  return user.uid == 0 || (info.st_mode >> shift & mode) == mode;
}

/// The one that is there, of the path and those above it.
std::string there(const KernelFiles& files, std::string path) {
  while (!path.empty() && path != "/" && !files.there(path)) path = fs::path(path).parent_path();
  return path;
}

class Folders {
 public:
  Folders(const KernelFiles& files, uid_t asker, Findings& found) : files_(files), found_(found) {
    std::optional<User> user;
    if (asker == 0) user = find_user(files, [](const User& u) { return u.name == "koi"; });
    by_root_ = asker == 0 && user;
    if (!user) user = find_user(files, [asker](const User& u) { return u.uid == asker; });
    user_ = user.value_or(User{fmt::format("{}", asker), asker, static_cast<gid_t>(-1)});
  }

  /// koid makes it where it may.
  void folder(const std::string& what, const std::string& path) {
    const std::string install =
        fmt::format("install -d -o {0} -g {0} -m 0750 {1}", user_.name, path);
    // systemd makes these two as it starts the unit, and for whom.
    const bool units = user_.name == "koi" && (path == "/run/koi" || path == "/var/lib/koi");
    const std::string nearest = there(files_, path);
    struct stat info {};
    const bool known = stat((files_.root() + nearest).c_str(), &info) == 0;
    const bool writable = known && S_ISDIR(info.st_mode) && may(user_, info, kMakeIn);
    if (nearest == path && writable) {
      found_.ok(what, fmt::format("{}, writable for {}", path, user_.name));
    } else if (nearest == path) {
      wrong(what, fmt::format("{} is not writable for {}", path, user_.name), install);
    } else if (units) {
      found_.ok(what, fmt::format("{}, made by koid.service", path));
    } else if (writable) {
      found_.ok(what, fmt::format("{}, made at a start", path));
    } else {
      wrong(what, fmt::format("there is no folder {}, and {} may not make it", path, user_.name),
            install);
    }
  }

  void file(const std::string& what, const std::string& path) {
    struct stat info {};
    if (stat((files_.root() + path).c_str(), &info) != 0 || may(user_, info, kRead)) return;
    wrong(what, fmt::format("{} is not readable for {}", path, user_.name),
          fmt::format("chown {0}:{0} {1}", user_.name, path));
  }

 private:
  /// For root, who would do without user koi, it is not the end.
  void wrong(const std::string& what, std::string detail, std::string mend) {
    if (by_root_) {
      found_.warn(what, std::move(detail), std::move(mend));
    } else {
      found_.fail(what, std::move(detail), std::move(mend));
    }
  }

  const KernelFiles& files_;
  Findings& found_;
  User user_;
  bool by_root_ = false;
};

std::string parent(const std::string& path) {
  const std::string folder = fs::path(path).parent_path();
  return folder.empty() ? "." : folder;
}

}  // namespace

void check_folders(const config::Config& config, const KernelFiles& files, uid_t asker,
                   Findings& found) {
  Folders folders(files, asker, found);
  folders.folder("state file", parent(config.state_file));
  folders.file("state file", config.state_file);
  folders.folder("control socket", parent(config.control.socket));
}

}  // namespace koi::app
