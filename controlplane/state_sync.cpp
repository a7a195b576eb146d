#include "controlplane/state_sync.h"

#include <algorithm>
#include <utility>

#include "controlplane/ties.h"

namespace koi::controlplane {

void begin_state_sync(const config::Config& config, DemotionLedger& ledger,
                      std::optional<std::size_t> port, Instant now,
                      std::chrono::system_clock::time_point wall) {
  const auto tied = tied_groups(config.groups);
  for (std::size_t g = 0; g < config.groups.size(); ++g) {
    const config::Group& group = config.groups[g];
    if (group.sync_wait == Duration::zero()) continue;
    if (port && config.ports[*port].name != group.port) continue;
    DemotionCause cause;
    cause.name = kStateSync;
    cause.owner = "koid";
    cause.detail = "until koictl undemote state-sync";
    cause.since = wall;
    cause.groups = tied[g];
    cause.until = now + group.sync_wait;
    for (const DemotionCause& other : ledger.list()) {  // of another group of the tie
      if (other.name == cause.name && other.groups == cause.groups && other.until) {
        cause.until = std::max(*cause.until, *other.until);
      }
    }
    ledger.set(std::move(cause));
  }
}

}  // namespace koi::controlplane
