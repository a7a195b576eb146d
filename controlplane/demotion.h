#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/time.h"

namespace koi::controlplane {

/// Why this box steps back: one entry of the ledger. What the peers are told is the sum of the
/// causes that concern a group (protocol.md §8: OpenBSD's demote count, capped at 255).
struct DemotionCause {
  std::string name;    // "command", "maintenance", "link lan", "track ping 192.0.2.9"
  std::string owner;   // who set it: "koictl by uid 0", "port lan", "koi-agent"
  std::string detail;  // what is known beyond the name; may be empty
  std::uint8_t count = 1;
  std::chrono::system_clock::time_point since{};  // only shown, never compared
  std::optional<Instant> until;                   // ends by itself then; none: when it is cleared
  /// Positions of groups in the configuration, ascending; none: the whole node.
  std::optional<std::vector<std::uint16_t>> groups;
  bool commanded = false;  // by a demote command: undemote ends it

  bool concerns(std::size_t group) const;
};

/// All demotion causes of this node. A cause is known by its name and its scope: the same health
/// check may weigh 1 for some groups and 5 for others. No clock and no I/O: time comes in.
/// Service thread only.
class DemotionLedger {
 public:
  /// Of the causes that commands set. Those of ports and checks are bounded by the configuration,
  /// and must never be refused because a person has filled the ledger.
  static constexpr std::size_t kMostCommanded = 64;

  enum class Outcome : std::uint8_t { added, changed, unchanged, full };

  /// Adds the cause, or takes owner, detail, count and end of this one for the one that is there.
  /// `since` stays: it is the same cause, for longer.
  Outcome set(DemotionCause cause);

  /// Removes every cause that the predicate chooses. Returns them.
  template <class Predicate>
  std::vector<DemotionCause> clear_if(Predicate chosen) {
    std::vector<DemotionCause> gone;
    std::vector<DemotionCause> left;
    for (DemotionCause& cause : causes_) (chosen(cause) ? gone : left).push_back(std::move(cause));
    causes_ = std::move(left);
    return gone;
  }

  /// Removes those whose time is over. Returns them.
  std::vector<DemotionCause> expire(Instant now);

  /// The groups have other positions: by the old one the new one; none: it has gone. Causes that
  /// concern no group any more go with it.
  void renumber(const std::vector<std::optional<std::uint16_t>>& where);

  /// Of everything that concerns the group; saturates at 255.
  std::uint8_t total(std::size_t group) const;
  /// Of the causes that concern the whole node; saturates at 255.
  std::uint8_t node_total() const;

  /// In the order they were set.
  const std::vector<DemotionCause>& list() const { return causes_; }

 private:
  std::vector<DemotionCause> causes_;
};

/// A weight as the ledger keeps it: below 0 is 0, above 255 is 255.
std::uint8_t saturated_count(std::int64_t count);

/// `seconds` after `now`; below 0 is `now`, above ten years (and no number at all) is ten years.
Instant end_after(Instant now, double seconds);

}  // namespace koi::controlplane
