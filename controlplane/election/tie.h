#pragma once

#include <cstddef>
#include <span>

#include "common/time.h"
#include "controlplane/election/types.h"

/// Groups that are tied change role together. The elections stay as they are, one per slot; what is
/// coupled is when a promotion may happen and who steps down. Pure, like step(): the loop calls
/// these, and brings TimerDue and StepDown{Cause::tied} to the slots that they name.
namespace koi::election {

/// How long a promotion that is due waits for those of the other slots. Promise 2 allows
/// master-down and 5 ms.
inline constexpr Duration kTieWait = 2ms;

/// When the first timer that may promote a slot falls due; kNever: none is armed.
Instant promotion_due(const State& state);

/// Which of the slots of one tie may be promoted now. Those that are due are held until every
/// BACKUP of the tie is due, but no longer than kTieWait after the first one fell due; then all
/// that are due go, in one turn. A master that is healthy for one slot is not taken over because of
/// another: if it is tied over there, its own step-down is heard at once.
///
/// Preempting is in no hurry: it waits until every tied BACKUP has heard its master. One that has
/// not could not take a bow-out from it (only the master's counts), and its address would have no
/// owner until its timer is over.
///
/// tied: every slot of the tie, not owned. released: of the same size; set to true where the slot's
/// due timers may be fed now, as far as L9 allows. Returns how many are.
std::size_t release_promotions(std::span<const State* const> tied, Instant now,
                               std::span<bool> released);

/// Which of the slots of one tie have to step down now that one of them left MASTER, for whatever
/// reason: all that are MASTER.
///
/// down: of the same size as tied; set to true where StepDown{Cause::tied} is to be fed. Returns
/// how many are.
std::size_t follow_step_down(std::span<const State* const> tied, std::span<bool> down);

}  // namespace koi::election
