#pragma once

#include <chrono>
#include <map>
#include <utility>

#include <nlohmann/json_fwd.hpp>

#include "common/time.h"
#include "config/config.h"
#include "controlplane/app/journal.h"
#include "controlplane/service_messages.h"
#include "controlplane/view_builder.h"

namespace koi::app {

/// The other boxes of each group, as their hellos show them (CARP.md §21): for status, metrics and
/// events. Service thread only.
class PeerKeeper {
 public:
  /// Not heard for so many intervals: silent.
  static constexpr double kSilentAfter = 3.5;

  /// Not owned.
  struct Setup {
    const controlplane::Plan* plan = nullptr;
    Clock* clock = nullptr;  // koi's
  };
  explicit PeerKeeper(const Setup& setup) : setup_(setup) { config_changed(); }

  /// The plan has become another one, in place.
  void config_changed();
  void on(const controlplane::PeerReport& report, Journal& journal);
  /// Call often: who falls silent is seen here.
  void update(Journal& journal);

  /// Peers of the group whose first slot this is, for status: null where the group has no trailer.
  nlohmann::json status(SlotIndex first) const;
  /// The same for metrics.
  nlohmann::json counters(SlotIndex first) const;

 private:
  struct Peer {
    controlplane::PeerReport last{};
    bool configured = false;
    bool silent = false;
    Instant since{};  // it is waited for
  };
  using Peers = std::map<IpAddress, Peer>;
  static Duration unseen(const Peer& peer, Instant now) {
    return now - std::max(peer.last.heard, peer.since);
  }

  const Setup setup_;
  struct Group {
    controlplane::HelloPlan plan;
    Peers peers;
  };
  std::map<SlotIndex, Group> groups_;  // by first slot
};

}  // namespace koi::app
