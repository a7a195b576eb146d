#include "tools/agent/script_probe.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>

namespace koi::agent {
namespace {

/// The attributes of the new process: nothing of ours but the descriptors 0 to 2.
class SpawnSettings {
 public:
  SpawnSettings() {
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_setflags(
        &attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setpgroup(&attributes, 0);
    sigset_t signals;
    sigemptyset(&signals);
    posix_spawnattr_setsigmask(&attributes, &signals);
    sigfillset(&signals);
    posix_spawnattr_setsigdefault(&attributes, &signals);
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
      posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
    }
    // Also what we inherited ourselves and is not close-on-exec.
    posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
  }
  ~SpawnSettings() {
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

  posix_spawnattr_t attributes{};
  posix_spawn_file_actions_t actions{};
};

}  // namespace

ScriptProbe::~ScriptProbe() {
  if (pid_ > 0) reap();
}

std::optional<Verdict> ScriptProbe::start() {
  const SpawnSettings settings;
  std::string path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  std::string language = "LANG=C";
  std::string check = "KOI_CHECK=" + name_;
  std::array<char*, 4> environment = {path.data(), language.data(), check.data(), nullptr};
  std::string program = program_;
  std::array<char*, 2> arguments = {program.data(), nullptr};
  const int error = posix_spawn(&pid_, program_.c_str(), &settings.actions, &settings.attributes,
                                arguments.data(), environment.data());
  if (error != 0) {
    pid_ = -1;
    return Verdict{false, fmt::format("cannot be run: {}", std::strerror(error))};
  }
  process_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  if (process_.get() < 0) {
    const int why = errno;
    reap();
    return Verdict{false, fmt::format("cannot be waited for: {}", std::strerror(why))};
  }
  return std::nullopt;
}

short ScriptProbe::events() const { return POLLIN; }

int ScriptProbe::reap() {
  // While the leader is not reaped, the group's number cannot be anybody else's.
  ::kill(-pid_, SIGKILL);
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  process_.reset();
  return status;
}

std::optional<Verdict> ScriptProbe::ready() {
  const int status = reap();
  if (given_up_) {
    given_up_ = false;
    return std::nullopt;
  }
  if (WIFSIGNALED(status)) {
    return Verdict{false, fmt::format("ended by signal {}", WTERMSIG(status))};
  }
  if (WEXITSTATUS(status) == 0) return Verdict{true, {}};
  return Verdict{false, fmt::format("exit code {}", WEXITSTATUS(status))};
}

Verdict ScriptProbe::give_up() {
  ::kill(-pid_, SIGKILL);
  given_up_ = true;
  return {false,
          fmt::format("not done within {} s", std::chrono::duration<double>(timeout_).count())};
}

}  // namespace koi::agent
