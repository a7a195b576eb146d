#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/contract/view.h"
#include "config/config.h"
#include "controlplane/announce.h"
#include "controlplane/election/types.h"

namespace koi::controlplane {

/// What is known of a started port.
struct PortFacts {
  MacAddress mac;
  std::uint8_t receivers = 0;  // bit w: worker w has a queue pair there
};

/// The slots of a group: [first, first + count). One without balancing, else one per member by
/// ascending vhid.
struct SlotRange {
  SlotIndex first;
  std::uint16_t count = 0;
};

/// One slot as the control loop runs it.
struct SlotPlan {
  std::string group;
  std::uint16_t group_index = 0;  // position in Config::groups
  /// False in a balanced group (protocol.md §9): a broadcast would pull every client to one member.
  bool announces = true;
  PortIndex port;
  VlanId vlan;
  election::Parameters parameters;
  WorkerIndex transmitter;
  FrameMaker frames;
};

/// A configuration turned into what control runs and what workers look up. Slots are numbered in
/// the configuration's order.
struct Plan {
  std::shared_ptr<const Topology> topology;
  std::vector<SlotPlan> slots;
  std::vector<SlotRange> groups;  // by position in Config::groups
};

/// REQUIRES: config is valid; ports in the configuration's order, each with a receiver.
Plan make_plan(const config::Config& config, const std::vector<PortFacts>& ports);

}  // namespace koi::controlplane
