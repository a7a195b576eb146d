#include "tests/sim/mutants.h"

#include <bit>

#include "tests/sim/process.h"

namespace koi::sim {
namespace {

constexpr Duration kTolerance = dataplane::WorkerLease::kTolerance;

bool deadline_passed(const SlotBoard& board, const SlotView& slot, SlotIndex index, Term term,
                     Instant now) {
  for (const Family family : election::kFamilies) {
    if ((slot.families & family_bit(family)) == 0) continue;
    const Stamp deadline = board.deadline(index, family);
    const bool of_term = deadline.is_number_of(term.value()) || mutated(Mutant::kTermUsedTwice);
    if (!of_term) return true;
    if (!deadline.is_after(now) && !mutated(Mutant::kIgnoresDeadline)) return true;
  }
  return false;
}

bool receiver_stands_still(SlotBoard& board, const SlotWords& words, unsigned w, Instant now) {
  const WorkerIndex worker(static_cast<std::uint8_t>(w));
  if (!mutated(Mutant::kIgnoresReceivers) && now - board.emptied(worker) > kTolerance) return true;
  if (!mutated(Mutant::kIgnoresGap) &&
      board.worker(worker).gap.load() != board.worker(worker).gap_acknowledged.load()) {
    return true;
  }
  const Stamp heard = Stamp::from_word(words.heard[w].load());
  return !mutated(Mutant::kIgnoresHeard) && heard.number() != words.acknowledged[w].load() &&
         heard.age(now) > kTolerance;
}

}  // namespace

bool may_answer(Process& process, dataplane::WorkerLease& lease, const View& view, SlotIndex slot,
                Instant polled) {
  const bool may = !lease.refusal(view, slot);
  if (may || mutated(Mutant::kNone)) return may;
  const Term term = view.terms[slot.value()];
  const SlotView& slot_view = view.topology->slots[slot.value()];
  SlotBoard& board = process.board();
  const SlotWords& words = board.slot(slot);
  if (term == Term{}) return false;
  const bool any_term = mutated(Mutant::kIgnoresTerm) || mutated(Mutant::kBowsOutFirst) ||
                        (mutated(Mutant::kTermUsedTwice) && words.term.load() != 0);
  if (!any_term && words.term.load() != term.value()) return false;
  if (deadline_passed(board, slot_view, slot, term, polled)) return false;
  for (std::uint8_t left = view.topology->ports[slot_view.port.value()].receivers; left != 0;
       left &= static_cast<std::uint8_t>(left - 1)) {
    const auto w = static_cast<unsigned>(std::countr_zero(left));
    if (receiver_stands_still(board, words, w, polled)) return false;
  }
  return true;
}

void mutate(controlplane::Plan& plan, std::size_t box) {
  for (controlplane::SlotPlan& slot : plan.slots) {
    election::Parameters& p = slot.parameters;
    if (mutated(Mutant::kHastyMasterDown)) p.dead_ratio = 1;
    if (mutated(Mutant::kSlowMasterDown)) p.dead_ratio = 6;
    if (mutated(Mutant::kUnaskedPreempt)) p.preempt = true;
    // Each takes itself for the higher address.
    if (mutated(Mutant::kEqualBothStay))
      p.source = Ipv4Address::from_u32(0xfffffff0U - static_cast<unsigned>(box));
  }
}

}  // namespace koi::sim
