#include "tools/agent/process.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>

namespace koi::agent {
namespace {

class SpawnSettings {
 public:
  explicit SpawnSettings(Process::Output output) {
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
    const auto to_nowhere = [this](int fd) {
      posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
    };
    to_nowhere(STDIN_FILENO);
    if (output == Process::Output::nowhere) {
      to_nowhere(STDOUT_FILENO);
      to_nowhere(STDERR_FILENO);
    } else {
      posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
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

std::string Process::start(const std::string& program, const std::vector<std::string>& environment,
                           Output output) {
  const SpawnSettings settings(output);
  std::vector<std::string> variables = {
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C"};
  variables.insert(variables.end(), environment.begin(), environment.end());
  std::vector<char*> pointers;
  for (std::string& variable : variables) pointers.push_back(variable.data());
  pointers.push_back(nullptr);
  std::string name = program;
  char* arguments[] = {name.data(), nullptr};
  const int error = posix_spawn(&pid_, program.c_str(), &settings.actions, &settings.attributes,
                                arguments, pointers.data());
  if (error != 0) {
    pid_ = -1;
    return fmt::format("cannot be run: {}", std::strerror(error));
  }
  ended_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  if (ended_.get() >= 0) return {};
  const int why = errno;
  end();
  return fmt::format("cannot be waited for: {}", std::strerror(why));
}

void Process::signal(int number) const {
  // While the leader is not waited for, the group's number cannot be anybody else's.
  ::kill(-pid_, number);
}

int Process::leave() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  ended_.reset();
  return status;
}

int Process::end() {
  signal(SIGKILL);
  return leave();
}

std::string outcome_of(int wait_status) {
  return WIFSIGNALED(wait_status) ? fmt::format("ended by signal {}", WTERMSIG(wait_status))
                                  : fmt::format("exit code {}", WEXITSTATUS(wait_status));
}

}  // namespace koi::agent
