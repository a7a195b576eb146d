#pragma once

#include <string>
#include <vector>

#include "tools/agent/koid.h"
#include "tools/agent/part.h"
#include "tools/agent/runner.h"

namespace koi::agent {

/// Asks koid for the health checks, runs them and reports the results.
class Checks final : public Part {
 public:
  static constexpr Duration kRetry = 1s;     // when koid is away
  static constexpr Duration kAskAgain = 5s;  // it may have other checks by now

  /// Not owned.
  explicit Checks(Koid& koid) : koid_(koid) {}

  /// Something has happened at koid: it may have read another configuration.
  void ask_soon() { ask_at_ = {}; }

  void tick(Instant now) override;
  Instant next() const override;
  void add_to(std::vector<pollfd>& fds) const override;
  void ready(std::span<const pollfd> fds) override;

 private:
  void ask(Instant now);
  void take_list(const ctl::Json& reply, Instant now);
  void report(Instant now);

  /// Carries on with a check and logs when it turned over.
  template <class Step>
  void watch(Runner& runner, Step step);

  Koid& koid_;
  std::vector<Runner> runners_;
  std::vector<std::string> problems_;  // said once
  Instant ask_at_{};
  unsigned returns_ = 0;  // of koid, seen
};

}  // namespace koi::agent
