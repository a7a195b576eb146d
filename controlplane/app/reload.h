#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "common/result.h"
#include "config/config.h"
#include "config/diff.h"
#include "config/load.h"
#include "controlplane/service_messages.h"
#include "controlplane/view_builder.h"

namespace koi::app {

/// What a reload makes of the groups, by position.
struct Regrouping {
  std::vector<std::optional<std::uint16_t>> where;  // of an old one: the new; none: it has gone
  std::vector<bool> begun;                          // of a new one: its slots are, as after a start
};

/// Another configuration for a running koid: read, compared with the one in force, handed to
/// control, and put in its place once control goes by it. Nothing changes if anything is wrong.
/// Service thread only.
class Reload {
 public:
  /// What it needs of the rest; none is owned.
  struct Setup {
    std::string file;                    // the configuration's
    config::Config* config = nullptr;    // in force; overwritten in place, keys wiped
    controlplane::Plan* plan = nullptr;  // likewise
    controlplane::ControlCounters* counters = nullptr;  // grow
    std::vector<controlplane::PortFacts> ports;         // by PortIndex
    /// A NIC is to take in frames to this address; or need not any more.
    std::function<Status(PortIndex, const MacAddress&)> accept;
    std::function<void(PortIndex, const MacAddress&)> release;
  };
  explicit Reload(Setup setup) : setup_(std::move(setup)) {}

  /// What a configuration file would change, or why it cannot.
  struct Proposal {
    std::vector<config::Problem> errors;  // of the file
    std::vector<config::Problem> warnings;
    std::vector<config::Change> changes;
    std::string refusal;  // in one line; empty: it can be done
    config::Config config;
    controlplane::Numbering numbering;
  };
  Proposal propose() const;

  /// Makes the plan. Returns what control is to be told. REQUIRES: !under_way(), no refusal.
  Result<controlplane::TakePlan> begin(Proposal&& proposal);
  /// Between begin() and released().
  bool under_way() const { return next_ != nullptr; }

  /// Of what begin() has begun; the configuration until taken().
  const config::Config& next_config() const { return *next_config_; }
  const Regrouping& regrouping() const { return regrouping_; }

  /// Control goes by the new plan: configuration and plan are put in their places.
  void taken();
  /// No worker uses the old one any more: it is freed, here, for control has no time for it.
  void released();

 private:
  Setup setup_;
  std::unique_ptr<controlplane::NextPlan> next_;
  Regrouping regrouping_;
  std::optional<config::Config> next_config_;
  std::optional<controlplane::Plan> next_plan_;
  std::shared_ptr<const Topology> before_;  // until no worker uses it
};

/// The reply to a reload request: to a person's question what it would do, or what it did.
nlohmann::json reload_json(const Reload::Proposal& proposal, const std::string& file, bool dry_run);

}  // namespace koi::app
