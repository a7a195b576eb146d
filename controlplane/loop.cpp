#include "controlplane/loop.h"

#include <algorithm>
#include <bit>
#include <memory>
#include <span>

#include "controlplane/election/tie.h"

namespace koi::controlplane {
namespace {

using election::Role;

constexpr unsigned kUpPerTurn = 8192;  // twice what an up ring holds
/// What a turn decides by timers it sends at its end: of hundreds of groups that rise at once the
/// first ones' advertisements must leave within L4's millisecond. Those that a worker is too busy
/// for (outbox.h) wait for another turn, too.
constexpr Duration kTimersLast = 200us;

std::vector<Sender<DownMessage>*> senders(const std::vector<ControlLoop::WorkerLink>& workers) {
  std::vector<Sender<DownMessage>*> down;
  down.reserve(workers.size());
  for (const ControlLoop::WorkerLink& worker : workers) down.push_back(worker.down);
  return down;
}

std::vector<const WorkerCounters*> counters_of(
    const std::vector<ControlLoop::WorkerLink>& workers) {
  std::vector<const WorkerCounters*> counters;
  for (const ControlLoop::WorkerLink& worker : workers) {
    if (worker.counters != nullptr) counters.push_back(worker.counters);
  }
  return counters;
}

}  // namespace

ControlLoop::ControlLoop(const Setup& setup, Plan plan)
    : setup_(setup),
      board_(*setup.board),
      counters_(*setup.counters),
      views_(board_, senders(setup.workers), plan.topology),
      outbox_(senders(setup.workers), views_, counters_.frames_dropped),
      segments_(plan.places, 0x9e3779b9U * (setup.node.value() + 1U)),
      ears_(counters_of(setup.workers)),
      self_watch_(setup.workers.size(), setup.stall_after),
      sequence_(setup.first_sequence),
      ceiling_(setup.sequence_ceiling),
      trailer_sequence_(setup.first_trailer, setup.trailer_ceiling),
      trailers_(plan.slots.size()),
      hellos_(setup.node, hello_source()) {
  board_.utc_offset.store(setup.utc_offset.count(), std::memory_order_release);
  // C6.4, also for what we sent before this start.
  board_.own_counter.store(auth::make_counter(sequence_, setup.node), std::memory_order_release);
  slots_.reserve(plan.slots.size());
  for (std::size_t i = 0; i < plan.slots.size(); ++i) {
    slots_.emplace_back(std::move(plan.slots[i]), &counters_.slots[i]);
  }
  glances_.resize(slots_.size());
  tie_up(plan.ties);
  hellos_.follow(plan.hellos, setup_.clock->now());
}

void ControlLoop::turn() {
  turn_started_ = setup_.clock->now();
  expire_leases();
  for (std::size_t w = 0; w < setup_.workers.size(); ++w) {
    emptied_[w] = board_.emptied(WorkerIndex(static_cast<std::uint8_t>(w)));
  }
  ears_.listen(turn_started_);
  watch_self();
  inputs_drained_ = true;
  receive_commands();
  for (std::size_t w = 0; w < setup_.workers.size(); ++w) {
    receive_up(WorkerIndex(static_cast<std::uint8_t>(w)));
  }
  if (inputs_drained_) run_timers();
  finish_step_downs();
  take_next_plan();
  for (const TransmitFrame& frame : segments_.due(turn_started_)) add_own(frame);
  send_hello();
  push_view();
  push_frames();
  acknowledge();
  push_announcements();
  push_reports();
}

Instant ControlLoop::next_due() const {
  const bool ending = shutting_down_ && !all_down_reported_;
  const bool busy =
      ending || next_ != nullptr || took_ || !inputs_drained_ || !to_acknowledge_.empty();
  if (busy || outbox_.announcements() != 0 || !views_.is_with_all()) return Instant{};
  Instant due = std::min({segments_.next_due(), trailers_.next_due(), hellos_.next_due(),
                          self_watch_.next_end(), outbox_.next_release()});
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (glances_[i].stepping_down || glances_[i].report_due) return Instant{};
    due = std::min(due, glances_[i].next_timer);
    if (glances_[i].master) due = std::min(due, deadline_of(slots_[i], turn_started_));
  }
  return due;
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
      feed(slots_[i], election::LeaseExpired{lease_earned(slots_[i])}, setup_.clock->now());
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
  notice_source_ = advert.source;
  notice_mac_ = advert.source_mac;
  // The clock is read after the advertisement was taken from the ring (L6).
  const Instant now = setup_.clock->now();
  const bool fresh = trailers_.take(advert, now);
  if (fresh && advert.sequence != 0) note_peer(advert, now);
  const std::uint32_t advertised = slot.advertised;
  if (fresh && !is_ending(slot)) feed(slot, advert, now);
  const bool replies = slot.state.role == Role::master && slot.advertised != advertised;
  if (replies) slot.replied = now;
  if (slot.state.master_known != knew || slot.state.master.address != before) {
    glances_[advert.slot.value()].report_due = true;
  }
  decide_on(advert.slot, worker, advert.heard_number);
}

void ControlLoop::decide_on(SlotIndex slot, WorkerIndex worker, std::uint32_t heard) {
  slots_[slot.value()].decided_on[worker.value()] = heard;
  const std::pair decided(slot, worker);
  if (std::find(to_acknowledge_.begin(), to_acknowledge_.end(), decided) == to_acknowledge_.end()) {
    to_acknowledge_.push_back(decided);
  }
}

/// L7: decided, and what follows from it has happened: the board's term is cleared, or the driver
/// has taken the reply of a MASTER that stays. Earlier, and a thread that hung in between, or a
/// NIC that takes nothing, would leave both boxes answering.
void ControlLoop::acknowledge() {
  std::erase_if(to_acknowledge_, [this](const std::pair<SlotIndex, WorkerIndex>& decided) {
    const auto [index, worker] = decided;
    Slot& slot = slots_[index.value()];
    if (slot.replied && slot.state.role == Role::master && !reply_taken(slot)) return false;
    slot.replied.reset();
    board_.slot(index).acknowledged[worker.value()].store(slot.decided_on[worker.value()],
                                                          std::memory_order_release);
    return true;
  });
}

/// In every family: its deadline is that of an advertisement sent since.
bool ControlLoop::reply_taken(const Slot& slot) const {
  return std::all_of(election::kFamilies.begin(), election::kFamilies.end(),
                     [&](const Family family) {
                       if (!slot.plan.parameters.has(family)) return true;
                       const Stamp stored = board_.deadline(index_of(slot), family);
                       return stored.is_number_of(slot.term.value()) &&
                              stored.left(*slot.replied) >= slot.lease - 2 * Stamp::kResolution;
                     });
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
  // L7, L8: a claim was stamped but never came. Whoever may be concerned steps down; the number is
  // read before that, so that a later claim stays outstanding.
  for (Slot& slot : slots_) {
    const SlotIndex index = index_of(slot);
    const std::uint64_t word =
        board_.slot(index).heard[worker.value()].load(std::memory_order_acquire);
    const std::uint32_t heard = Stamp::from_word(word).number();
    if (heard == slot.decided_on[worker.value()]) continue;
    feed(slot, election::FramesLost{}, setup_.clock->now());
    decide_on(index, worker, heard);
  }
}

void ControlLoop::on(const TransmitRefused& refused, WorkerIndex) {
  Slot& slot = slots_[refused.slot.value()];
  if (slot.term != refused.term) return;
  if (slot.send_errors.refused()) {
    report(SelfNoticed{SelfCause::send_errors, refused.slot.value(), slot.send_errors.demotes()});
  }
  feed(slot, refused, setup_.clock->now());
}

void ControlLoop::on(const AnnouncementRefused& refused, WorkerIndex) {
  outbox_.add_again({refused.slot, refused.term, refused.address, refused.tries},
                    setup_.clock->now());
}

void ControlLoop::on(const NeighborHeard& heard, WorkerIndex) {
  segments_.on(heard, setup_.clock->now());
}

void ControlLoop::on(const QueryHeard& query, WorkerIndex) {
  segments_.on(query, setup_.clock->now());
}

void ControlLoop::on(const Conflict& conflict, WorkerIndex) {
  notice_source_ = conflict.source;
  notice_mac_ = conflict.mac;
  feed(slots_[conflict.slot.value()], election::ConflictSeen{conflict.kind}, setup_.clock->now());
}

void ControlLoop::on(const SetDemotion& command) {
  for (Slot& slot : slots_) {
    if (slot.plan.group_index != command.group) continue;
    feed(slot, election::DemotionChanged{command.count}, setup_.clock->now());
    glances_[index_of(slot).value()].report_due = true;
  }
}

void ControlLoop::on(const SetLink& command) {
  link_up_[command.port.value()] = command.up;
  segments_.link(command.port, command.up, setup_.clock->now());
  for (Slot& slot : slots_) {
    if (slot.plan.port != command.port) continue;
    if (command.up && !is_ending(slot)) {
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

void ControlLoop::on(const SetSequenceCeiling& command) {
  trailer_sequence_.reserve(command.sequence);
}

void ControlLoop::on(const SetUtc& command) {
  board_.utc_offset.store(command.offset.count(), std::memory_order_release);
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
  release_ties();
  timers_left_ = false;
  bool any = false;
  for (std::size_t n = slots_.size(); n != 0; --n, ++timers_from_) {
    if (timers_from_ >= slots_.size()) timers_from_ = 0;
    Slot& slot = slots_[timers_from_];
    if (glances_[timers_from_].next_timer > turn_started_) continue;
    if (slot.tie == kNoTie) {
      if (outbox_.is_busy(slot.plan.transmitter)) continue;
      timers_left_ = any && setup_.clock->now() - turn_started_ > kTimersLast;
      if (timers_left_) return;  // the next turn begins with this one
    }
    any = true;
    run_timers(slot, released_[timers_from_]);
  }
}

void ControlLoop::run_timers(Slot& slot, bool released) {
  // What a timer makes known is about the master last heard, if there is one.
  const election::HeardMaster& heard = slot.state.master;
  notice_source_ = slot.state.master_known ? heard.address : IpAddress{};
  notice_mac_ = slot.state.master_known ? heard.mac : MacAddress{};
  for (std::size_t t = 0; t < election::kTimers; ++t) {
    const auto timer = static_cast<election::Timer>(t);
    const Instant due = slot.state.timer(timer);
    if (due > turn_started_) continue;
    const election::Parameters& p = slot.plan.parameters;
    const auto silent_for = [&](Duration time) {
      ears_.listen_now(turn_started_);
      return ears_.deaf(slot.plan.port, turn_started_, time);
    };
    if (!election::may_promote(timer)) {  // timed from now
      const bool deaf = timer == election::Timer::listen && silent_for(p.ask_after());
      feed(slot, election::TimerDue{timer, deaf}, setup_.clock->now());
      continue;
    }
    if (is_ending(slot) || !released || !listened_since(slot, due)) continue;  // L9: next turn
    const bool deaf = silent_for(p.master_down());
    feed(slot, election::TimerDue{timer, deaf}, turn_started_);  // L6: dated before the inputs
  }
}

// ---- ties --------------------------------------------------------------------------------------

void ControlLoop::release_ties() {
  for (const std::vector<SlotIndex>& tie : ties_) {
    const bool due = std::any_of(tie.begin(), tie.end(), [&](SlotIndex slot) {
      return glances_[slot.value()].next_timer <= turn_started_;
    });
    if (!due) continue;
    std::vector<const election::State*> states;
    states.reserve(tie.size());
    for (const SlotIndex slot : tie) states.push_back(&slots_[slot.value()].state);
    const auto released = std::make_unique<bool[]>(tie.size());
    election::release_promotions(states, turn_started_, std::span(released.get(), tie.size()));
    const bool go = all_listened(tie, released.get());
    for (std::size_t i = 0; i < tie.size(); ++i) released_[tie[i].value()] = go && released[i];
  }
}

/// L9 for those of a tie that are released: one turn for all, unless that would take too long.
bool ControlLoop::all_listened(const std::vector<SlotIndex>& tie, const bool* released) const {
  Instant first_due = election::kNever;
  bool all = true;
  for (std::size_t i = 0; i < tie.size(); ++i) {
    const Slot& slot = slots_[tie[i].value()];
    const Instant due = election::promotion_due(slot.state);
    first_due = std::min(first_due, due);
    if (released[i] && due <= turn_started_) all = all && listened_since(slot, due);
  }
  return all || turn_started_ - first_due >= election::kTieWait;
}

void ControlLoop::follow_tie(const Slot& leader) {
  const std::vector<SlotIndex>& tie = ties_[leader.tie];
  std::vector<const election::State*> states;
  states.reserve(tie.size());
  for (const SlotIndex slot : tie) states.push_back(&slots_[slot.value()].state);
  const auto down = std::make_unique<bool[]>(tie.size());
  if (election::follow_step_down(states, std::span(down.get(), tie.size())) == 0) return;
  for (std::size_t i = 0; i < tie.size(); ++i) {
    // The first one takes the others along by itself; then there is nobody left to follow.
    if (!down[i] || slots_[tie[i].value()].state.role != Role::master) continue;
    feed(slots_[tie[i].value()], election::StepDown{election::Cause::tied}, setup_.clock->now());
  }
}

void ControlLoop::tie_up(const std::vector<std::vector<SlotIndex>>& ties) {
  ties_ = ties;
  released_.assign(slots_.size(), true);
  for (Slot& slot : slots_) slot.tie = kNoTie;
  for (std::size_t t = 0; t < ties_.size(); ++t) {
    for (const SlotIndex slot : ties_[t]) slots_[slot.value()].tie = static_cast<std::uint16_t>(t);
  }
}

void ControlLoop::untie(Slot& slot) {
  if (slot.tie != kNoTie) std::erase(ties_[slot.tie], index_of(slot));
  slot.tie = kNoTie;
}

// ---- this box itself ---------------------------------------------------------------------------

void ControlLoop::watch_self() {
  std::array<Instant, kMaxWorkers> polled{};
  for (std::size_t w = 0; w < setup_.workers.size(); ++w) {
    polled[w] = board_.polled(WorkerIndex(static_cast<std::uint8_t>(w)));
  }
  self_watch_.turn(turn_started_, polled);
  if (self_watch_.late() != late_reported_ &&
      report(SelfNoticed{SelfCause::late_control, 0, self_watch_.late()})) {
    late_reported_ = self_watch_.late();
  }
  for (std::size_t w = 0; w < setup_.workers.size(); ++w) {
    const bool stalled = self_watch_.stalled(WorkerIndex(static_cast<std::uint8_t>(w)));
    if (stalled != stall_reported_[w] &&
        report(SelfNoticed{SelfCause::stalled_worker, static_cast<std::uint16_t>(w), stalled})) {
      stall_reported_[w] = stalled;
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
  const bool all_told = trailers_.next_due() == Instant::max();
  if (!shutting_down_ || !all_down || !outbox_.empty()) return;
  segments_.end(turn_started_);  // nothing is to be heard any more
  if (all_told && segments_.has_left() && !all_down_reported_) {
    all_down_reported_ = report(AllDown{});
  }
}

}  // namespace koi::controlplane
