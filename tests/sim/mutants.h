#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

#include "controlplane/view_builder.h"
#include "dataplane/lease.h"

/// Rules broken on purpose, to see that the simulator finds it: in the model around koi's code,
/// never in that code itself.
namespace koi::sim {

class Process;

#define KOI_MUTANTS(X)                                                               \
  X(kNone, "none")                                                                   \
  X(kIgnoresDeadline, "L1: answers when the lease is over")                          \
  X(kIgnoresTerm, "L1, L2: answers by the view, although the term is cleared")       \
  X(kIgnoresHeard, "L1, L7: answers although a claim waits for control")             \
  X(kHeardAtOnce, "L7: a claim counts as decided as soon as it is received")         \
  X(kIgnoresReceivers, "L1: answers although another receiving worker stands still") \
  X(kIgnoresGap, "L8: answers after a gap although control has not acknowledged it") \
  X(kAnswersLate, "L1: hands over what it decided more than 1 ms ago")               \
  X(kTermUsedTwice, "L2: every reign has the same term")                             \
  X(kRefusedCounts, "L3: a frame that the driver refused moves the deadline")        \
  X(kFramesUnchecked, "L4: sends frames of a term that is over, or late")            \
  X(kAnnouncesUnchecked, "L11: announces without a lease")                           \
  X(kLongLease, "L5: a lease of a quarter more than the others wait")                \
  X(kLeaseRevived, "L6: control does not notice that a lease is over")               \
  X(kDatedBefore, "L6: what is decided on inputs is dated before them")              \
  X(kListenedAlways, "L9: takes every queue for emptied just now")                   \
  X(kBowsOutFirst, "L10: goes on answering until the bow-out has left")              \
  X(kMasterIgnoresBetter, "election: a MASTER stays whatever it hears")              \
  X(kHastyMasterDown, "election: takes over after one advertisement is missed")      \
  X(kSlowMasterDown, "election: takes over after twice the master-down time")        \
  X(kUnaskedPreempt, "election: preempts although it may not")                       \
  X(kEqualBothStay, "election: of two equal boxes neither gives way")                \
  X(kForgetsCounters, "C6.3: takes an old counter for a new one")                    \
  X(kOldPlan, "C20: goes on by the plan of before a reload, but says it goes by the new one")

enum class Mutant {
#define KOI_X(name, text) name,
  KOI_MUTANTS(KOI_X)
#undef KOI_X
};
inline constexpr std::array kMutantTexts = {
#define KOI_X(name, text) std::string_view(text),
    KOI_MUTANTS(KOI_X)
#undef KOI_X
};

/// One at a time; kNone but for the tests of the simulator itself.
inline Mutant current_mutant = Mutant::kNone;
inline bool mutated(Mutant mutant) { return current_mutant == mutant; }

/// L1 as the lease has it, or with a part of it left out.
bool may_answer(Process& process, dataplane::WorkerLease& lease, const View& view, SlotIndex slot,
                Instant polled);
/// A plan with a rule of the election broken, of the box of that index.
void mutate(controlplane::Plan& plan, std::size_t box);

}  // namespace koi::sim
