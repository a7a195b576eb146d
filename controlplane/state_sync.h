#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <vector>

#include "common/time.h"
#include "config/config.h"
#include "controlplane/demotion.h"

namespace koi::controlplane {

/// The demotion cause of a box that has not the state of its peers' connections yet.
inline constexpr const char* kStateSync = "state-sync";

/// Makes the groups with a sync-wait, and those tied to them, give way for so long: at koid's start
/// (no port), and when a port gets link again, for those on it. What was synchronised over that
/// port is stale then; and where it goes another way it costs only that a better box preempts a
/// little later. It ends when somebody says that the state is there (undemote), or by itself: never
/// does it keep a box that is alone from taking over, nor for ever from preempting.
///
/// `wall` is what a cause that begins now shows. Service thread only.
void begin_state_sync(const config::Config& config, DemotionLedger& ledger,
                      std::optional<std::size_t> port, Instant now,
                      std::chrono::system_clock::time_point wall);

/// The same for groups that a reload brings, as at a start; begun: by position, which they are.
/// Those that were there before are left alone, whatever they are tied to (CARP.md C20.1, C20.2).
void begin_state_sync(const config::Config& config, DemotionLedger& ledger,
                      const std::vector<bool>& begun, Instant now,
                      std::chrono::system_clock::time_point wall);

}  // namespace koi::controlplane
