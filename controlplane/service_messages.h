#pragma once

#include <cstdint>
#include <type_traits>
#include <variant>
#include <vector>

#include "common/net/ip_address.h"
#include "common/net/mac_address.h"
#include "common/strong_types.h"
#include "common/time.h"
#include "controlplane/counters.h"
#include "controlplane/election/step.h"
#include "controlplane/self_watch.h"
#include "controlplane/view_builder.h"

/// What goes between the service thread and the control loop, by value, through two rings.
namespace koi::controlplane {

// ---- commands: service -> control --------------------------------------------------------------

struct SetDemotion {
  std::uint16_t group;  // by its position in the configuration
  std::uint8_t count;
};  // of one group, all its causes together
struct SetLink {
  PortIndex port;
  bool up;
};
struct SetCounterCeiling {
  std::uint64_t sequence;
};  // reserved in the state file, fsynced
struct SetSequenceCeiling {
  std::uint64_t sequence;
};  // the same of the trailers'
struct SetUtc {
  Duration offset;
};                   // from koi's clock to UTC, where trailers are used
struct ShutDown {};  // step every slot down (L10)

/// A plan for control to go over to, and where its slots are counted. Made by the service thread,
/// which owns it and leaves it alone until PlanReleased; then it holds the plan of before.
struct NextPlan {
  Plan plan;
  std::vector<ControlCounters::Slot*> counters;  // by SlotIndex
  std::vector<std::uint8_t> demotions;  // by group, for those that begin; empty: none is demoted
};
/// Go over to this configuration: slots that it has no more step down first (L10); what stays keeps
/// its role, its timers and its lease. Not before the last one was released.
struct TakePlan {
  NextPlan* next;
};

using Command = std::variant<SetDemotion, SetLink, SetCounterCeiling, SetSequenceCeiling, SetUtc,
                             ShutDown, TakePlan>;

// ---- reports: control -> service ---------------------------------------------------------------

/// A slot as it is now. Sent whenever one of these changes; the latest one wins.
struct SlotReport {
  SlotIndex slot;
  election::Role role = election::Role::init;
  election::Cause cause = election::Cause::start;
  Instant since{};
  Term term;                  // of the current reign, else of the last
  bool master_known = false;  // another box, heard
  IpAddress master;
  MacAddress master_mac;
  std::uint8_t effective_advskew = 0;
  std::uint8_t demotion = 0;
};

/// A role change, each one, in order; lost only when the ring is full (the counters are not).
struct RoleChange {
  SlotIndex slot;
  election::Role from = election::Role::init;
  election::Role to = election::Role::init;
  election::Cause cause = election::Cause::start;
  Instant at{};
  Duration since_heard{};  // since the last advertisement of anybody; negative: none yet
  Term term;
};

struct NoticeRaised {
  SlotIndex slot;
  election::Notice notice{};
  IpAddress source;  // of the advertisement; the address that is claimed
  MacAddress mac;
};

/// A demotion cause that control notices by itself begins or ends.
struct SelfNoticed {
  SelfCause cause{};
  std::uint16_t index = 0;  // the worker's, or the slot's
  bool on = false;
};

/// The latest signed advertisement of a sender, soon after the first one and then every two
/// seconds; and all that is new before AllDown.
struct SignedHeard {
  SlotIndex slot;
  IpAddress source;
  std::uint64_t sequence = 0;
  std::uint8_t key_id = 0;
  Instant at{};
};

/// A peer of a group, as its last hello has it, or that it was found or forgotten.
struct PeerReport {
  SlotIndex slot;  // the first of the group
  IpAddress address;
  MacAddress mac;
  Instant heard{};    // its last hello; Instant{}: none yet
  bool gone = false;  // it is not listed any more
  NodeId node;
  std::uint8_t demotion = 0;
  wire::MismatchSet differs = 0;
  std::uint32_t masters = 0;  // by the position of a member
  std::uint32_t backups = 0;
  wire::VersionText version{};
};

struct NeedCounters {};  // half of what is reserved is used
struct AllDown {};       // answer to ShutDown: no slot is MASTER, bow-outs and leaves are queued
struct PlanTaken {};     // answer to TakePlan: all reports and commands after it go by that plan
struct PlanReleased {};  // and no worker uses the one of before

using Report = std::variant<SlotReport, RoleChange, NoticeRaised, SelfNoticed, SignedHeard,
                            PeerReport, NeedCounters, AllDown, PlanTaken, PlanReleased>;

static_assert(std::is_trivially_copyable_v<Command>);
static_assert(std::is_trivially_copyable_v<Report>);

}  // namespace koi::controlplane
