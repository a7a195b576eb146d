#pragma once

#include <memory>
#include <optional>
#include <string>

#include "tools/agent/check_spec.h"
#include "tools/agent/check_state.h"
#include "tools/agent/probe.h"

namespace koi::agent {

/// One check at its interval: when to begin a run, what its verdict makes of the check's state, and
/// when to report. Time comes in.
class Runner {
 public:
  /// What koid is to be told.
  struct Report {
    bool healthy = true;
    std::string detail;  // of the last failure; empty when healthy
  };

  /// The first run begins at `first`.
  Runner(const ListedCheck& check, std::unique_ptr<Probe> probe, Instant first);

  const CheckSpec& spec() const { return spec_; }
  bool healthy() const { return state_.healthy(); }
  /// Of the last failure.
  const std::string& detail() const { return detail_; }

  /// What to poll for now; fd -1: nothing.
  int fd() const { return running_ || probe_->lingers() ? probe_->fd() : -1; }
  short events() const { return probe_->events(); }
  /// When tick() has work even if nothing becomes ready.
  Instant next() const;

  /// fd() is ready. Call before tick(), so that a reply that waited is not late.
  void ready();
  /// Ends a run whose time is over, begins one that is due.
  void tick(Instant now);

  /// The report that is due: on each change, after the first verdict, and every two intervals
  /// (not more than once a second).
  std::optional<Report> due(Instant now) const;
  /// It arrived.
  void reported(Instant now);
  /// koid may have forgotten it: report again.
  void report_again() { pending_ = decided_; }

 private:
  void finish(const Verdict& verdict);

  CheckSpec spec_;
  CheckState state_;
  std::unique_ptr<Probe> probe_;
  bool running_ = false;
  Instant next_start_;
  Instant deadline_{};
  bool decided_ = false;  // there was a verdict
  bool pending_ = false;  // a report is due at once
  Instant last_report_{};
  std::string detail_;
};

}  // namespace koi::agent
