#include "controlplane/demotion.h"

#include <algorithm>
#include <utility>

namespace koi::controlplane {
namespace {

constexpr double kTenYears = 10.0 * 365 * 86400;  // seconds

}  // namespace

bool DemotionCause::concerns(std::size_t group) const {
  return !groups || std::binary_search(groups->begin(), groups->end(), group);
}

DemotionLedger::Outcome DemotionLedger::set(DemotionCause cause) {
  const auto same = std::find_if(causes_.begin(), causes_.end(), [&](const DemotionCause& c) {
    return c.name == cause.name && c.groups == cause.groups && c.commanded == cause.commanded;
  });
  if (same == causes_.end()) {
    const auto commanded = std::count_if(causes_.begin(), causes_.end(),
                                         [](const DemotionCause& c) { return c.commanded; });
    if (cause.commanded && static_cast<std::size_t>(commanded) >= kMostCommanded) {
      return Outcome::full;
    }
    causes_.push_back(std::move(cause));
    return Outcome::added;
  }
  const bool changed = same->owner != cause.owner || same->detail != cause.detail ||
                       same->count != cause.count || same->until != cause.until;
  cause.since = same->since;
  *same = std::move(cause);
  return changed ? Outcome::changed : Outcome::unchanged;
}

std::vector<DemotionCause> DemotionLedger::expire(Instant now) {
  return clear_if([now](const DemotionCause& c) { return c.until && *c.until <= now; });
}

void DemotionLedger::renumber(const std::vector<std::optional<std::uint16_t>>& where) {
  for (DemotionCause& cause : causes_) {
    if (!cause.groups) continue;
    std::vector<std::uint16_t> groups;
    for (const std::uint16_t group : *cause.groups) {
      if (where[group]) groups.push_back(*where[group]);
    }
    std::sort(groups.begin(), groups.end());
    cause.groups = std::move(groups);
  }
  clear_if([](const DemotionCause& c) { return c.groups && c.groups->empty(); });
}

std::uint8_t DemotionLedger::total(std::size_t group) const {
  std::int64_t sum = 0;
  for (const DemotionCause& cause : causes_) {
    if (cause.concerns(group)) sum += cause.count;
  }
  return saturated_count(sum);
}

std::uint8_t DemotionLedger::node_total() const {
  std::int64_t sum = 0;
  for (const DemotionCause& cause : causes_) {
    if (!cause.groups) sum += cause.count;
  }
  return saturated_count(sum);
}

std::uint8_t saturated_count(std::int64_t count) {
  return static_cast<std::uint8_t>(std::clamp<std::int64_t>(count, 0, 255));
}

Instant end_after(Instant now, double seconds) {
  if (!(seconds < kTenYears)) seconds = kTenYears;
  return now + std::chrono::duration_cast<Duration>(
                   std::chrono::duration<double>(std::max(seconds, 0.0)));
}

}  // namespace koi::controlplane
