#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tools/agent/runner.h"

namespace koi::agent {

/// Asks koid for the health checks, runs them and reports the results. One thread; its only waits
/// are poll() and, for at most kKoidDeadline, a reply of koid.
class Agent {
 public:
  using Log = std::function<void(const std::string& line)>;

  /// Of one exchange with koid: short, for checks are waiting meanwhile.
  static constexpr Duration kKoidDeadline = 250ms;
  static constexpr Duration kRetry = 1s;     // when koid is away
  static constexpr Duration kAskAgain = 5s;  // it may have other checks by now

  Agent(std::string socket, Log log) : socket_(std::move(socket)), log_(std::move(log)) {}

  /// Runs until `end` (a descriptor; not read) is readable. What scripts are running then is
  /// killed with the agent's destruction.
  void run(int end);

 private:
  void ask(Instant now);
  void take_list(const ctl::Json& reply, Instant now);
  void report(Instant now);
  void koid_is_away(const std::string& why, Instant now);
  Instant next() const;

  /// Carries on with a check and logs when it turned over.
  template <class Step>
  void watch(Runner& runner, Step step);

  const std::string socket_;
  const Log log_;
  std::vector<Runner> runners_;
  std::vector<std::string> problems_;  // said once
  Instant ask_at_{};
  bool away_ = false;  // koid, said once
};

}  // namespace koi::agent
