#include "controlplane/state_sync.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <utility>

#include "controlplane/ties.h"

namespace koi::controlplane {
namespace {

/// For the groups in `who`, of one tie; but not before what others of the tie wait for.
void wait(std::vector<std::uint16_t> who, const std::vector<std::uint16_t>& tied, Instant until,
          DemotionLedger& ledger, std::chrono::system_clock::time_point wall) {
  for (const DemotionCause& other : ledger.list()) {
    if (other.name != kStateSync || other.commanded || !other.until) continue;
    if (std::any_of(tied.begin(), tied.end(), [&](auto g) { return other.concerns(g); })) {
      until = std::max(until, *other.until);
    }
  }
  DemotionCause cause;
  cause.name = kStateSync;
  cause.owner = "koid";
  cause.detail = "until koictl undemote state-sync";
  cause.since = wall;
  cause.groups = std::move(who);
  cause.until = until;
  ledger.set(std::move(cause));
}

}  // namespace

void begin_state_sync(const config::Config& config, DemotionLedger& ledger,
                      std::optional<std::size_t> port, Instant now,
                      std::chrono::system_clock::time_point wall) {
  const auto tied = tied_groups(config.groups);
  for (std::size_t g = 0; g < config.groups.size(); ++g) {
    const config::Group& group = config.groups[g];
    if (group.sync_wait == Duration::zero()) continue;
    if (port && config.ports[*port].name != group.port) continue;
    wait(tied[g], tied[g], now + group.sync_wait, ledger, wall);
  }
}

void begin_state_sync(const config::Config& config, DemotionLedger& ledger,
                      const std::vector<bool>& begun, Instant now,
                      std::chrono::system_clock::time_point wall) {
  const auto tied = tied_groups(config.groups);
  for (std::size_t g = 0; g < config.groups.size(); ++g) {
    if (!begun[g] || config.groups[g].sync_wait == Duration::zero()) continue;
    std::vector<std::uint16_t> who;
    std::copy_if(tied[g].begin(), tied[g].end(), std::back_inserter(who),
                 [&](std::uint16_t other) { return begun[other]; });
    wait(std::move(who), tied[g], now + config.groups[g].sync_wait, ledger, wall);
  }
}

}  // namespace koi::controlplane
