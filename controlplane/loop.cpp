#include "controlplane/loop.h"

#include <algorithm>
#include <bit>

namespace koi::controlplane {
namespace {

using election::Role;

constexpr Duration kDecisionLasts = 1ms;       // L4: first advertisement of a term, bow-out
constexpr unsigned kUpPerTurn = 8192;          // twice what an up ring holds
constexpr std::uint64_t kAskBefore = 1 << 19;  // half of what the service thread reserves

std::vector<Sender<DownMessage>*> senders(const std::vector<ControlLoop::WorkerLink>& workers) {
  std::vector<Sender<DownMessage>*> down;
  for (const ControlLoop::WorkerLink& worker : workers) down.push_back(worker.down);
  return down;
}

}  // namespace

ControlLoop::ControlLoop(const Setup& setup, Plan plan)
    : setup_(setup),
      board_(*setup.board),
      counters_(*setup.counters),
      views_(board_, senders(setup.workers), plan.topology),
      sequence_(setup.first_sequence),
      ceiling_(setup.sequence_ceiling) {
  slots_.reserve(plan.slots.size());
  for (SlotPlan& slot : plan.slots) slots_.emplace_back(std::move(slot));
  glances_.resize(slots_.size());
}

void ControlLoop::turn() {
  turn_started_ = setup_.clock->now();
  expire_leases();
  for (std::size_t w = 0; w < setup_.workers.size(); ++w) {
    emptied_[w] = board_.emptied(WorkerIndex(static_cast<std::uint8_t>(w)));
  }
  inputs_drained_ = true;
  receive_commands();
  for (std::size_t w = 0; w < setup_.workers.size(); ++w) {
    receive_up(WorkerIndex(static_cast<std::uint8_t>(w)));
  }
  if (inputs_drained_) run_timers();
  finish_step_downs();
  push_view();
  push_frames();
  push_reports();
}

// ---- L6 ----------------------------------------------------------------------------------------

Instant ControlLoop::deadline_of(const Slot& slot, Instant now) const {
  // The earliest of the families; until one is stored for this term, 1 ms after the decision (L4).
  Instant earliest = Instant::max();
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    if ((slot.plan.parameters.families & family_bit(family)) == 0) continue;
    const Stamp stored = board_.deadline(index_of(slot), family);
    const Instant deadline = stored.is_number_of(slot.term.value()) ? now + stored.left(now)
                                                                    : slot.decided + kDecisionLasts;
    earliest = std::min(earliest, deadline);
  }
  return earliest;
}

void ControlLoop::expire_leases() {
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (glances_[i].master && deadline_of(slots_[i], turn_started_) < turn_started_) {
      feed(slots_[i], election::LeaseExpired{}, setup_.clock->now());
    }
  }
}

// ---- inputs ------------------------------------------------------------------------------------

void ControlLoop::receive_commands() {
  Command command;
  while (setup_.commands->try_receive(command)) {
    std::visit([this](const auto& c) { on(c); }, command);
  }
}

void ControlLoop::receive_up(WorkerIndex worker) {
  UpMessage message;
  for (unsigned i = 0; i < kUpPerTurn; ++i) {
    if (!setup_.workers[worker.value()].up->try_receive(message)) return;
    std::visit([&](const auto& m) { on(m, worker); }, message);
  }
  inputs_drained_ = false;  // no timer is decided over the head of an advertisement
}

void ControlLoop::on(const VerifiedAdvert& advert, WorkerIndex worker) {
  Slot& slot = slots_[advert.slot.value()];
  const bool knew = slot.state.master_known;
  const IpAddress before = slot.state.master.address;
  advert_source_ = advert.source;
  // The clock is read after the advertisement was taken from the ring (L6).
  if (!shutting_down_) feed(slot, advert, setup_.clock->now());
  if (slot.state.master_known != knew || slot.state.master.address != before) {
    glances_[advert.slot.value()].report_due = true;
  }
  // L7: decided. The board's term is cleared by now if it had to be.
  board_.slot(advert.slot)
      .acknowledged[worker.value()]
      .store(advert.heard_number, std::memory_order_release);
}

void ControlLoop::on(const PollGap& gap, WorkerIndex worker) {
  if (gap.frames_lost) {
    for (Slot& slot : slots_) {
      if ((receivers_of(slot) >> worker.value() & 1) != 0) {
        feed(slot, election::FramesLost{}, setup_.clock->now());
      }
    }
  }
  board_.worker(worker).gap_acknowledged.store(gap.number, std::memory_order_release);
}

void ControlLoop::on(const UpRingOverflow&, WorkerIndex worker) {
  // L7, L8: a claim was stamped but never came. Whoever may be concerned steps down; the number
  // acknowledged was read before, so that a later claim stays outstanding.
  for (Slot& slot : slots_) {
    SlotWords& words = board_.slot(index_of(slot));
    const std::uint32_t heard =
        Stamp::from_word(words.heard[worker.value()].load(std::memory_order_acquire)).number();
    if (heard == words.acknowledged[worker.value()].load(std::memory_order_relaxed)) continue;
    feed(slot, election::FramesLost{}, setup_.clock->now());
    words.acknowledged[worker.value()].store(heard, std::memory_order_release);
  }
}

void ControlLoop::on(const TransmitRefused& refused, WorkerIndex) {
  Slot& slot = slots_[refused.slot.value()];
  if (slot.term == refused.term) feed(slot, refused, setup_.clock->now());
}

void ControlLoop::on(const NeighborHeard&, WorkerIndex) {}
void ControlLoop::on(const QueryHeard&, WorkerIndex) {}
void ControlLoop::on(const Conflict&, WorkerIndex) {}

void ControlLoop::on(const SetDemotion& command) {
  for (Slot& slot : slots_) {
    if (slot.plan.group_index != command.group) continue;
    feed(slot, election::DemotionChanged{command.count}, setup_.clock->now());
    glances_[index_of(slot).value()].report_due = true;
  }
}

void ControlLoop::on(const SetLink& command) {
  for (Slot& slot : slots_) {
    if (slot.plan.port != command.port) continue;
    if (command.up && !shutting_down_) {
      feed(slot, election::LinkUp{}, setup_.clock->now());
    } else if (!command.up) {
      feed(slot, election::LinkDown{}, setup_.clock->now());
    }
  }
}

void ControlLoop::on(const SetCounterCeiling& command) {
  ceiling_ = std::max(ceiling_, command.sequence);
  counters_asked_ = false;
}

void ControlLoop::on(const ShutDown&) {
  shutting_down_ = true;
  for (Slot& slot : slots_) {
    feed(slot, election::StepDown{election::Cause::shutdown}, setup_.clock->now());
  }
}

// ---- timers ------------------------------------------------------------------------------------

bool ControlLoop::listened_since(const Slot& slot, Instant due) const {
  for (std::uint8_t left = receivers_of(slot); left != 0;
       left &= static_cast<std::uint8_t>(left - 1)) {
    if (emptied_[static_cast<std::size_t>(std::countr_zero(left))] <= due) return false;
  }
  return true;
}

void ControlLoop::run_timers() {
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (glances_[i].next_timer > turn_started_) continue;
    Slot& slot = slots_[i];
    for (std::size_t t = 0; t < election::kTimers; ++t) {
      const auto timer = static_cast<election::Timer>(t);
      const Instant due = slot.state.timer(timer);
      if (due > turn_started_) continue;
      // A promotion is dated before the inputs (L6); an advertisement is timed from now.
      const bool promotes = election::may_promote(timer);
      if (promotes && (shutting_down_ || !listened_since(slot, due))) continue;  // L9: next turn
      feed(slot, election::TimerDue{timer}, promotes ? turn_started_ : setup_.clock->now());
    }
  }
}

void ControlLoop::finish_step_downs() {
  bool all_down = true;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    Slot& slot = slots_[i];
    if (glances_[i].stepping_down &&
        (views_.adopted_by_all(slot.silent_from) || turn_started_ > slot.lease_over)) {
      feed(slot, election::WorkersSilent{}, setup_.clock->now());
    }
    all_down = all_down && !glances_[i].master && !glances_[i].stepping_down;
  }
  if (shutting_down_ && all_down && !all_down_reported_ && frames_.empty()) {
    all_down_reported_ = report(AllDown{});
  }
}

// ---- the election's actions --------------------------------------------------------------------

void ControlLoop::feed(Slot& slot, const election::Event& event, Instant now) {
  const election::Actions actions = election::step(slot.plan.parameters, slot.state, event, now);
  for (const election::Action& action : actions) {
    std::visit([&](const auto& a) { carry_out(slot, a, now); }, action);
  }
  const election::State& s = slot.state;
  Glance& glance = glances_[index_of(slot).value()];
  glance.next_timer = *std::min_element(s.timers.begin(), s.timers.end());
  glance.master = s.role == Role::master;
  glance.stepping_down = s.stepping_down;
}

void ControlLoop::carry_out(Slot& slot, const election::ChangeRole& change, Instant now) {
  const SlotIndex index = index_of(slot);
  const bool heard = slot.state.last_heard != Instant{};
  if (change.to == Role::master) {
    // The board's stamps carry the low bits of a term, and an empty one carries 0.
    if ((++slot.last_term & Stamp::kNumberMask) == 0) ++slot.last_term;
    slot.term = Term(slot.last_term);
    slot.decided = turn_started_;
    slot.first_sent = false;
    board_.slot(index).term.store(slot.term.value(), std::memory_order_release);  // L2
    const bool preempted = change.cause == election::Cause::preempt;  // nobody was missing
    if (heard && !preempted) counters_.takeover.observe(now - slot.state.last_heard);
  } else if (change.from == Role::master) {
    board_.slot(index).term.store(0, std::memory_order_release);  // L2: silence waits for no ring
    slot.lease_over = deadline_of(slot, now);
    slot.silent_from = views_.next_number();
    slot.term = Term();
  }
  roles_changed_ = roles_changed_ || change.to == Role::master || change.from == Role::master;
  glances_[index.value()].report_due = true;
  counters_.slots[index.value()]
      .transitions[static_cast<std::size_t>(change.from)][static_cast<std::size_t>(change.to)]
                  [static_cast<std::size_t>(change.cause)]
      .add();
  report(RoleChange{.slot = index,
                    .from = change.from,
                    .to = change.to,
                    .cause = change.cause,
                    .at = now,
                    .since_heard = heard ? now - slot.state.last_heard : Duration(-1),
                    .term = Term(slot.last_term)});
}

void ControlLoop::carry_out(Slot& slot, const election::SendAdvertisement&, Instant now) {
  const election::Parameters& p = slot.plan.parameters;
  TransmitFrame frame =
      slot.plan.frames.advertisement({.advbase = p.advbase,
                                      .advskew = election::effective_advskew(p, slot.state),
                                      .demote = election::advertised_demotion(p, slot.state),
                                      .counter = next_counter()});
  frame.lease = election::lease_length(p, slot.state);
  // L4: later ones until the deadline, so that an expired lease is never revived.
  queue(slot, frame, slot.term,
        slot.first_sent ? deadline_of(slot, now) : slot.decided + kDecisionLasts);
  slot.first_sent = true;
}

void ControlLoop::carry_out(Slot& slot, const election::SendBowOut&, Instant now) {
  const std::uint8_t demote = election::advertised_demotion(slot.plan.parameters, slot.state);
  queue(slot, slot.plan.frames.bow_out(demote, next_counter()), Term(), now + kDecisionLasts);
}

void ControlLoop::carry_out(Slot& slot, const election::Announce&, Instant now) {
  // After its advertisement in the ring; the worker sends it only under a lease (L11).
  const Instant not_after = std::max(deadline_of(slot, now), slot.decided + kDecisionLasts);
  for (std::size_t i = 0; i < slot.plan.frames.addresses().size(); ++i) {
    queue(slot, slot.plan.frames.gratuitous_arp(i), slot.term, not_after);
  }
}

void ControlLoop::carry_out(Slot& slot, const election::Raise& raise, Instant) {
  counters_.slots[index_of(slot).value()].notices[static_cast<std::size_t>(raise.notice)].add();
  report(NoticeRaised{index_of(slot), raise.notice, advert_source_});
}

void ControlLoop::carry_out(Slot&, const election::Probe&, Instant) {}  // no TimerDue is deaf yet

void ControlLoop::queue(Slot& slot, TransmitFrame frame, Term term, Instant not_after) {
  frame.slot = index_of(slot);
  frame.term = term;
  frame.not_after = not_after;
  frames_.push_back({slot.plan.transmitter, frame});
}

std::uint64_t ControlLoop::next_counter() {
  // The state file reserves ahead; when the disk hangs, going on is the lesser evil: the wall clock
  // is far ahead of a counter that grows by one per advertisement.
  if (++sequence_ + kAskBefore > ceiling_ && !counters_asked_) {
    counters_asked_ = report(NeedCounters{});
  }
  const std::uint64_t counter = auth::make_counter(sequence_, setup_.node);
  board_.own_counter.store(counter, std::memory_order_release);
  return counter;
}

// ---- outputs -----------------------------------------------------------------------------------

void ControlLoop::push_view() {
  if (roles_changed_) {
    std::vector<Term> terms;
    terms.reserve(slots_.size());
    for (const Slot& slot : slots_) terms.push_back(slot.term);
    views_.make(std::move(terms));
    roles_changed_ = false;
  }
  views_.push();
}

void ControlLoop::push_frames() {
  for (const Outgoing& out : frames_) {
    if (views_.is_with(out.worker) && setup_.workers[out.worker.value()].down->try_send(out.frame))
      continue;
    counters_.frames_dropped.add();
    // Like one that the driver refused: tried again soon, or the lease would end over it.
    if (out.frame.kind != FrameKind::advertisement) continue;
    Slot& slot = slots_[out.frame.slot.value()];
    feed(slot, TransmitRefused{out.frame.slot, out.frame.family, out.frame.term},
         setup_.clock->now());
  }
  frames_.clear();
}

void ControlLoop::push_reports() {
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (!glances_[i].report_due) continue;
    const Slot& slot = slots_[i];
    const election::State& s = slot.state;
    glances_[i].report_due = !report(
        SlotReport{.slot = index_of(slot),
                   .role = s.role,
                   .cause = s.cause,
                   .since = s.since,
                   .term = Term(slot.last_term),
                   .master_known = s.master_known,
                   .master = s.master.address,
                   .master_mac = s.master.mac,
                   .effective_advskew = election::effective_advskew(slot.plan.parameters, s),
                   .demotion = s.demotion});
  }
}

bool ControlLoop::report(const Report& message) {
  if (setup_.reports->try_send(message)) return true;
  counters_.reports_dropped.add();
  return false;
}

SlotIndex ControlLoop::index_of(const Slot& slot) const {
  return SlotIndex(static_cast<std::uint16_t>(&slot - slots_.data()));
}

std::uint8_t ControlLoop::receivers_of(const Slot& slot) const {
  return views_.topology().ports[slot.plan.port.value()].receivers;
}

}  // namespace koi::controlplane
