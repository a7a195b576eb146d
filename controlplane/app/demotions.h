#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "common/result.h"
#include "config/config.h"
#include "controlplane/app/reload.h"
#include "controlplane/app/state_file.h"
#include "controlplane/demotion.h"
#include "controlplane/health.h"

namespace koi::app {

/// How much maintenance counts: more than any usual sum of other causes, so that the box in
/// maintenance is not preferred to one with a failed check; and room above it for further causes.
inline constexpr std::uint8_t kMaintenanceWeight = 128;

/// Everything that demotes this node, behind the control socket's commands: the ledger, the health
/// of links and checks, and maintenance, which outlives a restart. Service thread only.
///
/// Requests are what the control socket got, of any content: each method refuses with an Error what
/// it does not understand, and then has changed nothing. `owner` names who asks.
class Demotions {
 public:
  using Json = nlohmann::json;

  /// Neither is owned. Maintenance is on at once if the state file says so; and the groups with a
  /// sync-wait wait from now on.
  Demotions(const config::Config& config, StateFile& state_file, Instant now);

  /// {"cause": NAME = "command", "seconds": N = for ever}
  Status demote(const Json& request, const std::string& owner, Instant now);
  /// The cause "handover" of that group alone, for so many seconds or until undemote.
  Status hand_over(std::uint16_t group, std::optional<double> seconds, const std::string& owner,
                   Instant now);
  /// Ends it.
  void end_handover(std::uint16_t group);
  /// {"cause": NAME = all that were set by demote}. "state-sync" ends what sync-wait began, too;
  /// that it has ended by itself is no mistake.
  Status undemote(const Json& request);
  /// {"on": true|false}. On disk before it counts.
  Status maintenance(const Json& request, const std::string& owner);
  /// {"name": CHECK, "healthy": true|false, "detail": TEXT = ""}: a result of koi-agent
  Status check(const Json& request, Instant now);
  /// The list of what koi-agent is to check, as it asks for it: durations in seconds.
  Json checks() const;

  /// What control notices of this box: a cause begins or ends. groups: none for the whole node.
  void self_noticed(const std::string& name, std::optional<std::vector<std::uint16_t>> groups,
                    bool on);

  /// What control is to be told with another configuration, by the new position of a group: a group
  /// that begins has it from its first moment, with its own sync-wait; but not yet what health says
  /// of it, which config_changed() looks up.
  std::vector<std::uint8_t> with(const config::Config& next, const Regrouping& groups,
                                 Instant now) const;
  /// The configuration has become another one, in place. What concerned only groups that have gone
  /// ends; those that begin wait for their sync-wait. Checks that are still there keep what is
  /// known of them.
  void config_changed(const Regrouping& groups, Instant now);

  /// A port has link again: the groups on it that have a sync-wait wait anew.
  void link_is_back(std::size_t port, Instant now);

  /// Ends what is over, and takes in the links (by PortIndex) and the silence of the agent. Logs
  /// each cause that begins or ends. Call it often.
  void update(const std::vector<bool>& link_up, Instant now);

  /// For further causes of the service thread: set() and clear_if() with a name and an owner.
  controlplane::DemotionLedger& ledger() { return ledger_; }
  const controlplane::DemotionLedger& ledger() const { return ledger_; }

 private:
  void begin_maintenance(const StateFile::Maintenance& maintenance);
  Status begin_commanded(controlplane::DemotionCause cause, std::optional<double> seconds,
                         const std::string& owner, Instant now);

  const config::Config& config_;
  StateFile& state_file_;
  controlplane::DemotionLedger ledger_;
  controlplane::Health health_;
};

/// {"total": of the node-wide causes, "causes": {name: count}, "list": [{"name", "count", "owner",
/// "detail", "since", "seconds_left": number or null, "groups": [names] or null for all}]}. Of a
/// name with several scopes `causes` has the highest count; "command" is always there.
nlohmann::json demotion_json(const controlplane::DemotionLedger& ledger,
                             const config::Config& config, Instant now);
/// The member `causes` alone.
nlohmann::json demotion_causes_json(const controlplane::DemotionLedger& ledger);

/// The time that ledger and checks live in; it goes on while control hangs.
Instant steady_now();

}  // namespace koi::app
