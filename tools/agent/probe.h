#pragma once

#include <memory>
#include <optional>
#include <string>

#include "tools/agent/check_spec.h"

namespace koi::agent {

/// What one run of a check came to.
struct Verdict {
  bool success = false;
  std::string detail;  // why not, for a person
};

/// Runs one kind of check, one run at a time. Nothing here blocks: the agent's one thread polls
/// fd() between start() and the verdict.
class Probe {
 public:
  virtual ~Probe() = default;

  /// Begins a run. Returns its verdict iff that is certain already (no route, no such program).
  /// REQUIRES: no run is on, and !lingers().
  virtual std::optional<Verdict> start() = 0;
  /// What to poll while a run is on or lingers; -1: nothing.
  virtual int fd() const = 0;
  virtual short events() const = 0;
  /// fd() is ready. Returns the verdict when there is one: the run is over.
  virtual std::optional<Verdict> ready() = 0;
  /// The time is over: ends the run and returns why that is a failure.
  virtual Verdict give_up() = 0;
  /// True while something of the last run is still to be waited for: a script that was killed and
  /// is not gone.
  virtual bool lingers() const { return false; }
};

std::unique_ptr<Probe> make_probe(const CheckSpec& spec);

}  // namespace koi::agent
