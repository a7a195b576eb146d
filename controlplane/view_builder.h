#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/contract/view.h"
#include "config/config.h"
#include "controlplane/announce.h"
#include "controlplane/election/types.h"
#include "controlplane/hello_plan.h"
#include "controlplane/interface.h"

namespace koi::controlplane {

/// What is known of a started port.
struct PortFacts {
  MacAddress mac;
  std::uint8_t receivers = 0;  // bit w: worker w has a queue pair there
  std::uint16_t mtu = 1500;
};

/// The slots of a group: [first, first + count). One without balancing, else one per member by
/// ascending vhid.
struct SlotRange {
  SlotIndex first;
  std::uint16_t count = 0;
};

/// This box on one (port, VLAN) where it has a group: what it does there for itself.
struct PlacePlan {
  Interface interface;
  FamilySet listens = 0;              // families whose CARP group it wants to hear
  std::vector<Ipv6Address> answered;  // own and shared: their solicited-node groups are joined
  std::vector<IpAddress> peers;       // whose MACs are to be known
};

/// One slot as the control loop runs it.
struct SlotPlan {
  static constexpr std::uint16_t kNoGroup = 0xffff;

  std::string group;
  std::uint16_t group_index = 0;  // position in Config::groups
  /// False in a balanced group (protocol.md §9): a broadcast would pull every client to one member.
  bool announces = true;
  PortIndex port;
  VlanId vlan;
  election::Parameters parameters;
  WorkerIndex transmitter;
  FrameMaker frames;
  bool multicast = true;          // advertises to the group
  std::vector<IpAddress> peers;   // and to these
  std::vector<IpAddress> probes;  // whom a deaf box asks: its peers and what it tracks there
  /// Its group has left the configuration. A slot's number is never used again: workers and rings
  /// may still know the old one. group_index is kNoGroup, and nothing else counts.
  bool gone = false;
};

/// Which numbers a running koid's slots have: a group that stays keeps them, others get new ones.
struct Numbering {
  std::map<std::string, SlotRange> kept;  // by group
  std::size_t used = 0;                   // so many have been given since koid started
};

/// A configuration turned into what control runs and what workers look up. Slots are numbered in
/// the configuration's order, but for those that are kept().
struct Plan {
  std::shared_ptr<const Topology> topology;
  std::vector<SlotPlan> slots;               // by SlotIndex
  std::vector<SlotRange> groups;             // by position in Config::groups
  std::vector<std::vector<SlotIndex>> ties;  // slots that change role together
  std::vector<PlacePlan> places;
  std::vector<HelloPlan> hellos;  // of the groups with a trailer
};

/// So many slots has the group.
std::size_t slots_of(const config::Group& group);

/// REQUIRES: config is valid; ports in the configuration's order, each with a receiver; what is
/// kept has as many slots as the group, and all numbers together are at most kMaxSlots.
Plan make_plan(const config::Config& config, const std::vector<PortFacts>& ports,
               const Numbering& numbering = {});

/// The worker that sends what belongs to no slot.
WorkerIndex first_receiver(std::uint8_t receivers);

}  // namespace koi::controlplane
