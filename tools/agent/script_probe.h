#pragma once

#include <sys/types.h>

#include "tools/agent/file_descriptor.h"
#include "tools/agent/probe.h"

namespace koi::agent {

/// One process per run: healthy iff it exits with 0. No shell; no arguments; standard streams on
/// /dev/null; of the environment only PATH, LANG=C and KOI_CHECK, the check's name. It leads a
/// process group of its own, and whatever is left of that group is killed at the end of the run, by
/// exit or by timeout.
class ScriptProbe final : public Probe {
 public:
  explicit ScriptProbe(const CheckSpec& spec)
      : name_(spec.name), program_(spec.program), timeout_(spec.timeout) {}
  ~ScriptProbe() override;

  std::optional<Verdict> start() override;
  int fd() const override { return process_.get(); }
  short events() const override;
  std::optional<Verdict> ready() override;
  Verdict give_up() override;
  bool lingers() const override { return given_up_; }

 private:
  /// Kills the group and takes the leader's status. REQUIRES: the leader is not reaped.
  int reap();

  const std::string name_;
  const std::string program_;
  const Duration timeout_;
  pid_t pid_ = -1;
  FileDescriptor process_;  // a pidfd: readable when the leader has ended
  bool given_up_ = false;   // killed, not gone yet
};

}  // namespace koi::agent
