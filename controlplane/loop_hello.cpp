// The hellos between koi boxes (CARP.md §21): insight alone, which nothing here hands to the
// election.
#include "common/auth/trailer_sequence.h"
#include "controlplane/loop.h"

namespace koi::controlplane {

using election::Role;

HelloExchange::Source ControlLoop::hello_source() {
  const auto self = [this](const HelloPlan& plan) -> std::optional<HelloExchange::Self> {
    if (shutting_down_ || !link_up_[plan.from.port.value()]) return std::nullopt;
    HelloExchange::Self us;
    for (unsigned m = 0; m < plan.facts.members; ++m) {
      const election::State& state = slots_[plan.first.value() + m].state;
      if (state.role == Role::master) us.masters |= 1U << m;
      if (state.role == Role::backup) us.backups |= 1U << m;
      us.demotion = state.demotion;  // the group's
    }
    return us;
  };
  const auto mac = [this](const HelloPlan& plan, const IpAddress& peer) {
    return segments_.mac_of(plan.from.port, plan.from.vlan, peer);
  };
  return {.self = self, .mac = mac, .sequence = [this] { return next_sequence(); }};
}

void ControlLoop::note_peer(const VerifiedAdvert& advert, Instant now) {
  const SlotIndex first = views_.topology().slots[advert.slot.value()].first;
  const auto found = hellos_.on_advertisement(first, advert.source, advert.source_mac, now);
  if (found) report(*found);
}

void ControlLoop::on(const HelloHeard& hello, WorkerIndex) {
  const Instant now = setup_.clock->now();
  // C19.7, of hellos too.
  const std::uint64_t oldest = auth::trailer_sequence(board_.utc(now) - auth::kTrailerClocks);
  const auto taken = hellos_.on_hello(hello, oldest, now);
  if (!taken) return;
  slots_[hello.slot.value()].counters->hellos[static_cast<std::size_t>(taken->verdict)].add();
  if (taken->gone) report(*taken->gone);
  if (taken->report) report(*taken->report);
}

void ControlLoop::send_hello() {
  const auto due = hellos_.due(turn_started_);
  if (!due) return;
  if (due->gone) report(*due->gone);
  if (!due->frame) return;
  add_own(*due->frame);
  slots_[due->first.value()].counters->hellos_sent.add();
}

}  // namespace koi::controlplane
