#pragma once

#include <chrono>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "common/contract/counters.h"
#include "common/contract/slot_board.h"
#include "common/contract/view.h"
#include "config/config.h"
#include "controlplane/app/agent_watch.h"
#include "controlplane/app/trailer_keeper.h"
#include "controlplane/counters.h"
#include "controlplane/demotion.h"
#include "controlplane/service_messages.h"
#include "controlplane/view_builder.h"

namespace koi::app {

class PeerKeeper;

/// What the replies of the control socket are made of: the configuration, the latest report of each
/// slot, the live counters and the board. Reading it needs nothing of the control thread, so that a
/// person is told the truth while that thread hangs. Service thread only.
struct Snapshot {
  const config::Config* config = nullptr;  // not owned, as all below
  const SlotBoard* board = nullptr;
  const controlplane::Plan* plan = nullptr;
  const controlplane::ControlCounters* control = nullptr;
  std::vector<const WorkerCounters*> workers;
  std::vector<controlplane::SlotReport> slots;               // by SlotIndex
  std::vector<std::chrono::system_clock::time_point> since;  // of each slot's role, by SlotIndex
  std::vector<bool> link_up;                                 // by PortIndex
  /// What the kernel's interfaces may still have from a configuration of before, by port and VLAN:
  /// addresses with their prefix length; whether it was a shared one.
  std::map<std::pair<std::string, VlanId>, std::map<std::string, bool>> dropped;
  std::vector<std::uint16_t> host_mtu;  // of the kernel's interface, by PortIndex; 0: leave it
  const AgentWatch* agent = nullptr;    // set by Service::open, as the next
  const controlplane::DemotionLedger* demotions = nullptr;
  const TrailerKeeper* trailers = nullptr;  // likewise
  const PeerKeeper* peers = nullptr;        // likewise
  Clock* clock = nullptr;
  const std::atomic<std::int64_t>* control_turn = nullptr;  // ns: when control's last turn began

  const config::Group& group_of(SlotIndex slot) const {
    return config->groups[plan->slots[slot.value()].group_index];
  }
  const SlotView& view_of(SlotIndex slot) const { return plan->topology->slots[slot.value()]; }
  /// Since control's last turn began.
  Duration control_age() const;
};

nlohmann::json status_json(const Snapshot& snapshot);
nlohmann::json counters_json(const Snapshot& snapshot);
/// Those of the ports alone: of 4,080 groups counters_json() has 3 MB.
nlohmann::json ports_json(const Snapshot& snapshot);

/// Left of the slot's lease: that of the family that ends first. 0 unless MASTER.
Duration lease_left(const Snapshot& snapshot, SlotIndex slot, Instant now);

/// This box's own address in the slot's advertisements: of IPv4 where it advertises in both.
IpAddress source_of(const SlotView& slot);

/// RFC 3339, UTC, with milliseconds.
std::string utc(std::chrono::system_clock::time_point moment);

/// A moment of koid's clock as wall time. The two drift apart: ask once, soon after it.
std::chrono::system_clock::time_point wall_time(const Snapshot& snapshot, Instant moment);

/// Drops of all workers, by port and reason.
std::vector<std::array<std::uint64_t, kDropReasons>> total_drops(const Snapshot& snapshot);

}  // namespace koi::app
