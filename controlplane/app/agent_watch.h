#pragma once

#include <chrono>

#include "common/time.h"
#include "config/config.h"

namespace koi::app {

/// Iff something of the configuration is koi-agent's work: a kernel interface, addresses on it,
/// hooks, health checks.
bool needs_agent(const config::Config& config);

/// Whether koi-agent is there, by its requests (those with "agent": true; it makes one a second at
/// least). Time comes in. Service thread only.
class AgentWatch {
 public:
  static constexpr Duration kPatience = 2s;

  AgentWatch(bool needed, Instant start, std::chrono::system_clock::time_point wall)
      : needed_(needed), heard_(start), since_(wall) {}

  /// A request of it.
  void heard(Instant now) {
    heard_ = now;
    asked_ = true;
  }
  /// Returns true iff it has come or gone, which is told only where it is needed. Absent from the
  /// start is told once its patience is over. Call it often, after the requests have been served.
  bool update(Instant now, std::chrono::system_clock::time_point wall);

  /// The configuration has become another one.
  void need(bool needed) { needed_ = needed; }
  bool needed() const { return needed_; }
  bool present() const { return present_; }
  /// Since when it is there or not, to the knowledge of this koid. Only shown.
  std::chrono::system_clock::time_point since() const { return since_; }

 private:
  bool needed_;
  Instant heard_;
  std::chrono::system_clock::time_point since_;
  bool asked_ = false;  // ever
  bool present_ = false;
  bool missed_ = false;  // its absence has been told
};

}  // namespace koi::app
