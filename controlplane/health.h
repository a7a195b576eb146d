#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/time.h"
#include "config/config.h"
#include "controlplane/demotion.h"

namespace koi::controlplane {

/// What the links of the ports and the health checks (`track`) make of the ledger. Pure: link
/// states, results and time come in. The checks themselves are run by koi-agent, a process of its
/// own, so that koid never forks and no check can hold it up.
///
/// * A port without link puts the groups on it to INIT; those tied to them are demoted by 1
///   ("link PORT").
/// * A check that fails demotes its group, and those tied to it, by its weight ("track NAME").
/// * A check counts as healthy until its first result. One that was not reported for its
///   patience(), or for so long since the start, counts as failed: the agent may be dead, and a box
///   that does not know its health must not be preferred.
///
/// Service thread only.
class Health {
 public:
  /// One check for koi-agent. Groups that track the same in the same way share it.
  struct Check {
    std::string name;       // unique
    config::Track track;    // what to run, and how often
    bool healthy = true;    // as last reported
    bool silent = false;    // not reported for too long
    std::string detail;     // of the last report
    Instant last_report{};  // or the start
    bool counts_as_healthy() const { return healthy && !silent; }
  };

  /// `config` is not owned. Everything is in order at first.
  Health(const config::Config& config, Instant start);

  /// The configuration has become another one, in place, and the ledger goes by it. A check that
  /// was there before keeps its results, and a cause that goes on stays; the others are taken back.
  void config_changed(DemotionLedger& ledger, Instant now);

  const std::vector<Check>& checks() const { return checks_; }

  /// Takes a result of koi-agent. Returns false iff there is no such check.
  bool report(const std::string& name, bool healthy, const std::string& detail, Instant now);

  /// Brings the ledger up to date with links (by PortIndex), results and time. `wall` is what a
  /// cause that begins now shows. Returns a line for the log for each cause that began or ended.
  std::vector<std::string> update(DemotionLedger& ledger, const std::vector<bool>& link_up,
                                  Instant now, std::chrono::system_clock::time_point wall);

  /// How long a check may go unreported: three intervals and a timeout, but at least 5 s.
  static Duration patience(const config::Track& track);

 private:
  /// A cause that comes and goes with a link or a check, for the groups it concerns.
  struct Effect {
    std::string name;
    std::uint8_t count = 1;
    std::vector<std::uint16_t> groups;
    std::optional<std::size_t> port;   // down: the cause is there
    std::optional<std::size_t> check;  // failed: the cause is there
    bool there = false;
  };
  void add_links(const std::vector<std::vector<std::uint16_t>>& tied);
  void add_tracks(const std::vector<std::vector<std::uint16_t>>& tied);
  std::size_t check_for(const config::Group& group, const config::Track& track, Instant start);
  bool is_there(const Effect& effect, const std::vector<bool>& link_up) const;
  DemotionCause cause_of(const Effect& effect) const;

  const config::Config* config_;
  Instant start_;
  std::vector<Check> checks_;
  std::vector<Effect> effects_;
};

}  // namespace koi::controlplane
