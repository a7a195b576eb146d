#pragma once

#include <string>

#include "tools/agent/probe.h"
#include "tools/agent/process.h"

namespace koi::agent {

/// One process per run: healthy iff it exits with 0. Its output goes nowhere; beside what every
/// Process has it gets KOI_CHECK, the check's name. Whatever is left of its process group is killed
/// at the end of the run, by exit or by timeout.
class ScriptProbe final : public Probe {
 public:
  explicit ScriptProbe(const CheckSpec& spec)
      : name_(spec.name), program_(spec.program), timeout_(spec.timeout) {}

  std::optional<Verdict> start() override;
  int fd() const override { return process_.fd(); }
  short events() const override;
  std::optional<Verdict> ready() override;
  Verdict give_up() override;
  bool lingers() const override { return given_up_; }

 private:
  const std::string name_;
  const std::string program_;
  const Duration timeout_;
  Process process_;
  bool given_up_ = false;  // killed, not gone yet
};

}  // namespace koi::agent
