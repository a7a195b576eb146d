// Another plan for a loop that runs (CARP.md §20).
#include <algorithm>
#include <utility>

#include "controlplane/loop.h"

namespace koi::controlplane {

using election::Role;

void ControlLoop::on(const TakePlan& command) {
  next_ = command.next;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    Slot& slot = slots_[i];
    if (slot.plan.gone || !next_->plan.slots[i].gone) continue;
    slot.leaving = true;
    untie(slot);  // those that stay do not go with it
    feed(slot, election::StepDown{election::Cause::reload}, setup_.clock->now());
  }
}

/// Once what leaves has stepped down (L10): until then all goes by the plan of before, the bow-outs
/// too.
void ControlLoop::take_next_plan() {
  if (took_ && views_.begin_with(*took_) && report(PlanReleased{})) took_.reset();
  if (next_ == nullptr) return;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].leaving && (glances_[i].master || glances_[i].stepping_down)) return;
  }
  for (const Slot& slot : slots_) {
    if (!slot.leaving || !slot.send_errors.demotes()) continue;
    report(SelfNoticed{SelfCause::send_errors, index_of(slot).value(), false});
  }
  if (!report(PlanTaken{})) return;  // what is reported from here on goes by the new one
  Plan& plan = next_->plan;
  const std::size_t before = slots_.size();
  for (std::size_t i = 0; i < before; ++i) take(slots_[i], plan.slots[i]);
  for (std::size_t i = before; i < plan.slots.size(); ++i) {
    slots_.emplace_back(std::move(plan.slots[i]), next_->counters[i]);
  }
  glances_.resize(slots_.size());
  tie_up(plan.ties);
  segments_.follow(plan.places, turn_started_);
  hellos_.follow(plan.hellos, turn_started_);
  trailers_.grow_to(slots_.size());
  views_.set_topology(plan.topology);
  for (std::size_t i = before; i < slots_.size(); ++i) {
    // As at a start: before the link, or a better box would preempt at the first advertisement.
    if (const std::size_t group = slots_[i].plan.group_index; group < next_->demotions.size()) {
      feed(slots_[i], election::DemotionChanged{next_->demotions[group]}, setup_.clock->now());
    }
    if (link_up_[slots_[i].plan.port.value()] && !shutting_down_) {
      feed(slots_[i], election::LinkUp{}, setup_.clock->now());
    }
  }
  roles_changed_ = true;  // a view is to be made
  took_ = views_.next_number();
  next_ = nullptr;
}

/// The plan is exchanged, so that the old one is freed where it was made.
void ControlLoop::take(Slot& slot, SlotPlan& plan) {
  std::swap(slot.plan, plan);
  Glance& glance = glances_[index_of(slot).value()];
  slot.leaving = false;
  if (slot.plan.gone) {
    slot.state = {};
    glance = {.report_due = false};
    return;
  }
  glance.report_due = true;
  if (slot.state.role != Role::master) return;
  // The others learn what is new, and the clients of new addresses.
  slot.state.arm(election::Timer::advertisement, turn_started_);
  glance.next_timer = turn_started_;
  const auto addresses = slot.plan.frames.addresses();
  if (!std::ranges::equal(addresses, plan.frames.addresses())) {
    carry_out(slot, election::Announce{}, turn_started_);
  }
}

}  // namespace koi::controlplane
