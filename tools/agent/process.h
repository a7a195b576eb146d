#pragma once

#include <string>
#include <sys/types.h>
#include <vector>

#include "tools/ctl/file_descriptor.h"

namespace koi::agent {

/// One program at a time, without a shell and without arguments, in a process group of its own.
/// It gets nothing of ours but the streams 0 to 2: standard input is /dev/null.
class Process {
 public:
  /// Where its standard output and standard error go.
  enum class Output { nowhere, our_standard_error };

  Process() = default;
  Process(Process&& other) noexcept
      : pid_(std::exchange(other.pid_, -1)), ended_(std::move(other.ended_)) {}
  Process& operator=(Process&&) = delete;
  /// Kills what is left of the group.
  ~Process() {
    if (running()) end();
  }

  /// Starts it with PATH, LANG=C and `environment` ("NAME=value"). Returns "" or why it could not
  /// be. REQUIRES: !running().
  std::string start(const std::string& program, const std::vector<std::string>& environment,
                    Output output);

  /// Started and not taken leave of.
  bool running() const { return pid_ > 0; }
  /// Readable once it has ended; -1: not running.
  int fd() const { return ended_.get(); }

  /// To all of its group. REQUIRES: running(), as the next two.
  void signal(int number) const;
  /// Takes leave of it: waits for its end and returns its wait status. What it has left behind in
  /// its group goes on. REQUIRES: fd() is readable.
  int leave();
  /// Kills all of the group, waits for its leader and returns its wait status.
  int end();

 private:
  pid_t pid_ = -1;
  ctl::FileDescriptor ended_;  // a pidfd
};

/// "exit code 3", "ended by signal 9".
std::string outcome_of(int wait_status);

}  // namespace koi::agent
