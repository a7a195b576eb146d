#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "common/auth/replay.h"
#include "common/net/ip_address.h"
#include "common/strong_types.h"
#include "common/time.h"
#include "config/config.h"
#include "controlplane/election/heard.h"
#include "controlplane/election/timers.h"

/// Parameters and state of one slot's election.
namespace koi::election {

enum class Role : std::uint8_t { init, backup, master };
inline constexpr std::array<std::string_view, 3> kRoleNames = {"INIT", "BACKUP", "MASTER"};
constexpr std::string_view to_string(Role r) { return kRoleNames[static_cast<std::size_t>(r)]; }

/// Why a role changed; a person reads it in `status`, a machine as a metric label.
#define KOI_CAUSES(X)                                                                \
  X(start, "start") /* koid has just started */                                      \
  X(link_up, "link up")                                                              \
  X(link_down, "link down")                                                          \
  X(master_down, "master-down timer") /* the master was not heard in time */         \
  X(bow_out, "bow-out heard")         /* the master resigned */                      \
  X(preempt, "preempt")               /* we are better and may take it */            \
  X(peer_demoted, "master demoted")   /* the master counts more demotions than we */ \
  X(better_advertisement, "better advertisement")                                    \
  X(lease_expired, "lease expired") /* L6: no advertisement left in time */          \
  X(frames_lost, "frames lost")     /* L8: a better master may have been missed */   \
  X(demoted, "demoted")             /* on command, L10 */                            \
  X(shutdown, "shutdown")           /* koid is ending, L10 */                        \
  X(deaf, "deaf takeover")          /* the port hears nothing at all */              \
  X(tied, "tied group")             /* another group of the tie stepped down, L10 */ \
  X(reload, "reload")               /* the new configuration has no such group, L10 */

enum class Cause : std::uint8_t {
#define KOI_X(name, text) name,
  KOI_CAUSES(KOI_X)
#undef KOI_X
};
inline constexpr std::array kCauseNames = {
#define KOI_X(name, text) std::string_view(text),
    KOI_CAUSES(KOI_X)
#undef KOI_X
};
inline constexpr std::size_t kCauses = kCauseNames.size();
constexpr std::string_view to_string(Cause c) { return kCauseNames[static_cast<std::size_t>(c)]; }

/// What the configuration fixes for a slot.
struct Parameters {
  Vhid vhid;
  std::uint8_t advbase = 1;
  std::uint8_t advskew = 0;
  std::uint8_t lowest_advskew = 0;  // of any box in the group; used with advbase 0
  std::uint8_t dead_ratio = 3;
  config::Dialect dialect = config::Dialect::koi;
  bool preempt = false;
  FamilySet families = family_bit(Family::ipv4);
  IpAddress source;  // this node's own IPv4 one: ties are decided by it in a group of IPv4 alone
  NodeId node;
  Duration announce_refresh = 60s;                                 // 0: never
  std::optional<config::DemotionEncoding> demotion_encoding = {};  // default: by the dialect
  Duration preempt_delay{0};       // how long a better BACKUP waits before it preempts
  bool takeover_when_deaf = true;  // also when the port hears nothing at all
  bool tied = false;               // promotions go through a timer, so that the loop couples them
  Ipv6Address source6{};           // this node's own IPv6 one

  bool is_koi() const { return dialect == config::Dialect::koi; }
  bool has(Family f) const { return (families & family_bit(f)) != 0; }
  config::DemotionEncoding encoding() const {
    const bool counts = is_koi() || dialect == config::Dialect::openbsd;
    return demotion_encoding.value_or(counts ? config::DemotionEncoding::count
                                             : config::DemotionEncoding::skew);
  }
  Duration master_down() const { return master_down_interval(advbase, advskew, dead_ratio); }
  /// The silence after which a BACKUP that hears nothing else either asks around: so much before
  /// the master-down time is over that the answer is there by then.
  Duration ask_after() const { return master_down() - probe_time(advbase, advskew); }
};

enum class Timer : std::uint8_t {
  advertisement,     // MASTER: send the next one
  master_down_ipv4,  // BACKUP: the master is silent
  master_down_ipv6,
  takeover,    // BACKUP: the master resigned or was demoted
  refresh,     // MASTER: announce again
  preempt,     // BACKUP: take it from a worse master
  reannounce,  // MASTER: announce again, a worse master was heard
  listen       // BACKUP: ask around if the port has been deaf since the master was heard
};
inline constexpr std::size_t kTimers = 8;
inline constexpr Instant kNever = Instant::max();
inline constexpr std::array kFamilies = {Family::ipv4, Family::ipv6};
constexpr Timer master_down_timer(Family f) {
  return f == Family::ipv4 ? Timer::master_down_ipv4 : Timer::master_down_ipv6;
}
/// Only these may end in a promotion, so L9 applies to them.
constexpr bool may_promote(Timer t) {
  return t == Timer::master_down_ipv4 || t == Timer::master_down_ipv6 || t == Timer::takeover ||
         t == Timer::preempt;
}

/// Everything the election remembers of a slot. By value.
struct State {
  Role role = Role::init;
  Cause cause = Cause::start;
  Instant since{};
  std::array<Instant, kTimers> timers = {kNever, kNever, kNever, kNever,
                                         kNever, kNever, kNever, kNever};
  std::array<Instant, 2> silent_at{};  // BACKUP, by index_of(Family): master-down after the last ad
  Cause takeover_cause = Cause::bow_out;
  std::uint8_t demotion = 0;   // ours, capped at 255
  bool stepping_down = false;  // L10: silent, the bow-out still to be sent
  bool master_known = false;
  HeardMaster master;                       // iff master_known
  NodeId better_node{};                     // koi: BACKUP, a better master,
  Instant better_until{};                   // and until when it counts as heard (C8.14)
  Instant last_heard{};                     // last advertisement of anybody; 0: none yet
  std::uint8_t smallest_advbase = 255;      // of any peer (L5); 255: none heard
  std::uint8_t sent_since_promotion = 0;    // counts to 3 and stays
  std::uint8_t unearned = 0;                // promotions in a row that earned no lease (C7.11)
  bool reannounced = false;                 // one of the two that follow a worse master is out
  Instant probe_until = kNever;             // deaf BACKUP: when the probe is over; kNever: none
  Instant next_defence{};                   // not before: an announcement against a conflict
  std::array<auth::ReplayGuard, 2> guards;  // koi: by index_of(Family), for they may overtake

  Instant timer(Timer t) const { return timers[static_cast<std::size_t>(t)]; }
  void arm(Timer t, Instant at) { timers[static_cast<std::size_t>(t)] = at; }
  void disarm(Timer t) { arm(t, kNever); }
};

/// L5 with what has been heard so far.
inline Duration lease_length(const Parameters& p, const State& s) {
  const std::uint8_t advbase = s.smallest_advbase < p.advbase ? s.smallest_advbase : p.advbase;
  return lease_length(advbase, p.lowest_advskew, p.dead_ratio);
}

}  // namespace koi::election
