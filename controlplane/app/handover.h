#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "common/result.h"
#include "controlplane/app/snapshot.h"

namespace koi::app {

/// One group, given to another box by command: who takes it? The group's demotion and its end are
/// the caller's (Demotions::hand_over()). Service thread only.
class Handover {
 public:
  /// {"group": NAME, "seconds": N = for ever}. Refuses a group that is not there (and names those
  /// that are) and one of which this box is MASTER of nothing.
  static Result<Handover> of(const nlohmann::json& request, const Snapshot& snapshot, Instant now);

  const std::string& group() const { return group_; }
  /// Iff this box would take the group back by itself (preempt, its own or that of a tied one):
  /// then it has to hold back.
  bool comes_back() const { return comes_back_; }
  /// For how long, at most; none: until it is told.
  std::optional<double> seconds() const;
  /// The group's position; none: a reload has taken it away.
  static std::optional<std::uint16_t> index_of(const std::string& group, const Snapshot& snapshot);

  /// How it ended: the masters, [{"vhid", "address", "mac"}]; or why nobody took it. Nothing yet:
  /// ask again after the next report.
  std::optional<Result<nlohmann::json>> ended(const Snapshot& snapshot, Instant now);

 private:
  struct Given {
    SlotIndex slot;
    std::uint64_t heard = 0;  // advertisements accepted before
    bool left = false;        // it is not MASTER any more
    bool taken = false;       // somebody has advertised since
  };

  std::string group_;
  std::optional<double> seconds_;
  bool comes_back_ = false;
  std::vector<Given> given_;
  Duration patience_{};
  Instant give_up_{};
};

}  // namespace koi::app
