// What the election decided, carried out: the board, views, frames, reports.
#include <algorithm>
#include <optional>
#include <utility>

#include "controlplane/election/demotion.h"
#include "controlplane/loop.h"

namespace koi::controlplane {
namespace {

using election::Role;

constexpr std::uint64_t kAskBefore = 1 << 19;  // half of what the service thread reserves

}  // namespace

// ---- the election's actions --------------------------------------------------------------------

void ControlLoop::feed(Slot& slot, const election::Event& event, Instant now) {
  if (slot.plan.gone) return;
  const bool was_master = slot.state.role == Role::master;
  const election::Actions actions = election::step(slot.plan.parameters, slot.state, event, now);
  for (const election::Action& action : actions) {
    std::visit([&](const auto& a) { carry_out(slot, a, now); }, action);
  }
  const election::State& s = slot.state;
  Glance& glance = glances_[index_of(slot).value()];
  glance.next_timer = *std::min_element(s.timers.begin(), s.timers.end());
  glance.master = s.role == Role::master;
  glance.stepping_down = s.stepping_down;
  if (was_master && !glance.master && slot.tie != kNoTie) follow_tie(slot);
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
  hellos_.changed(views_.topology().slots[index.value()].first, now);
  roles_changed_ = roles_changed_ || change.to == Role::master || change.from == Role::master;
  glances_[index.value()].report_due = true;
  slot.counters
      ->transitions[static_cast<std::size_t>(change.from)][static_cast<std::size_t>(change.to)]
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
  judge_sending(slot);
  const election::Parameters& p = slot.plan.parameters;
  TransmitFrame like;
  like.kind = FrameKind::advertisement;
  like.term = slot.term;
  like.lease = election::lease_length(p, slot.state);
  ++slot.advertised;
  slot.lease = like.lease;
  // L4: later ones until the deadline, so that an expired lease is never revived.
  like.not_after = slot.first_sent ? deadline_of(slot, now) : slot.decided + kDecisionLasts;
  for (const Family family : election::kFamilies) {
    if (!p.has(family)) continue;
    advertise(slot, family,
              {.advbase = p.advbase,
               .advskew = election::effective_advskew(p, slot.state),
               .demote = election::advertised_demotion(p, slot.state),
               .counter = next_counter()},
              like);
  }
  slot.first_sent = true;
}

void ControlLoop::carry_out(Slot& slot, const election::SendBowOut&, Instant now) {
  TransmitFrame like;
  like.kind = FrameKind::bow_out;
  like.not_after = now + kDecisionLasts;
  const std::uint8_t demote = election::advertised_demotion(slot.plan.parameters, slot.state);
  for (const Family family : election::kFamilies) {
    if (!slot.plan.parameters.has(family)) continue;
    advertise(slot, family,
              {.advbase = 255, .advskew = 255, .demote = demote, .counter = next_counter()}, like);
  }
}

/// What became of the advertisement before: taken iff each family's deadline has moved since (L3).
void ControlLoop::judge_sending(Slot& slot) {
  bool moved = true;
  for (const Family family : election::kFamilies) {
    if (!slot.plan.parameters.has(family)) continue;
    std::uint64_t& before = slot.deadlines[election::index_of(family)];
    const std::uint64_t stored = board_.deadline(index_of(slot), family).word();
    moved = moved && stored != before;
    before = stored;
  }
  if (moved && slot.send_errors.taken()) {
    report(SelfNoticed{SelfCause::send_errors, index_of(slot).value(), slot.send_errors.demotes()});
  }
  slot.send_errors.queued();
}

/// One family's advertisement or bow-out: to the group, and a copy to each peer of that family.
void ControlLoop::advertise(Slot& slot, Family family, AdvertFields fields, TransmitFrame like) {
  const SlotPlan& plan = slot.plan;
  if (plan.frames.signs()) fields.sequence = next_sequence();
  const auto is_copy = [&](const IpAddress& peer) { return peer.family() == family; };
  auto left =
      static_cast<std::size_t>(std::count_if(plan.peers.begin(), plan.peers.end(), is_copy));
  like.last_copy = left == 0;
  if (plan.multicast) add(slot, plan.frames.advertisement(family, fields), like);
  for (const IpAddress& peer : plan.peers) {
    if (!is_copy(peer)) continue;
    like.last_copy = --left == 0;
    const auto mac = segments_.mac_of(plan.port, plan.vlan, peer);
    add(slot, plan.frames.advertisement_to(peer, mac, fields), like);
  }
}

void ControlLoop::add(Slot& slot, TransmitFrame frame, const TransmitFrame& like) {
  frame.kind = like.kind;
  frame.slot = index_of(slot);
  frame.term = like.term;
  frame.not_after = like.not_after;
  frame.lease = like.lease;
  frame.last_copy = like.last_copy;
  outbox_.add(slot.plan.transmitter, frame);
}

void ControlLoop::add_own(const TransmitFrame& frame) {
  outbox_.add(first_receiver(views_.topology().ports[frame.port.value()].receivers), frame);
}

void ControlLoop::carry_out(Slot& slot, const election::Announce&, Instant) {
  if (!slot.plan.announces) return;
  for (std::size_t i = 0; i < slot.plan.frames.addresses().size(); ++i) {
    outbox_.add(
        {.slot = index_of(slot), .term = slot.term, .address = static_cast<std::uint16_t>(i)});
  }
}

void ControlLoop::carry_out(Slot& slot, const election::Raise& raise, Instant) {
  slot.counters->notices[static_cast<std::size_t>(raise.notice)].add();
  report(NoticeRaised{index_of(slot), raise.notice, notice_source_, notice_mac_});
}

/// CARP.md, Deaf box: whoever answers shows that the port hears.
void ControlLoop::carry_out(Slot& slot, const election::Probe&, Instant now) {
  std::vector<IpAddress> whom = slot.plan.probes;
  for (const election::HeardMaster::Source& source : slot.state.master.sources) {
    if (source.known) whom.push_back(source.address);
  }
  for (const TransmitFrame& frame : segments_.probe(slot.plan.port, slot.plan.vlan, whom, now)) {
    add_own(frame);
  }
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

/// Of one advertisement, all its copies: each source address's grow.
std::uint64_t ControlLoop::next_sequence() {
  const std::uint64_t sequence = trailer_sequence_.next(board_.utc(setup_.clock->now()));
  board_.own_sequence.store(sequence, std::memory_order_release);
  return sequence;
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
  // One that found no room is like one that the driver refused: tried again soon, or the lease
  // would end over it.
  outbox_.send_frames([&](const TransmitFrame& frame) {
    Slot& slot = slots_[frame.slot.value()];
    if (slot.term == frame.term && !lease_earned(slot)) slot.first_sent = false;
    feed(slots_[frame.slot.value()], TransmitRefused{frame.slot, frame.family, frame.term},
         setup_.clock->now());
  });
}

/// An advertisement of this term has been taken by the driver, in every family.
bool ControlLoop::lease_earned(const Slot& slot) const {
  for (const Family family : election::kFamilies) {
    if (slot.plan.parameters.has(family) &&
        !board_.deadline(index_of(slot), family).is_number_of(slot.term.value())) {
      return false;
    }
  }
  return true;
}

void ControlLoop::push_announcements() {
  outbox_.release(turn_started_);
  // All that rise first: in the rings an announcement would be ahead of an advertisement.
  if (outbox_.announcements() == 0 || timers_left_) return;
  const Instant now = setup_.clock->now();
  const auto make = [&](const PendingAnnouncement& pending)
      -> std::optional<std::pair<WorkerIndex, TransmitFrame>> {
    const Slot& slot = slots_[pending.slot.value()];
    if (slot.term != pending.term || slot.term == Term{}) return std::nullopt;
    if (pending.address >= slot.plan.frames.addresses().size()) return std::nullopt;
    TransmitFrame frame = slot.plan.frames.announcement(pending.address);
    frame.slot = pending.slot;
    frame.term = pending.term;
    frame.address = pending.address;
    frame.tries = pending.tries;
    // The worker sends it only under a lease (L11).
    frame.not_after = std::max(deadline_of(slot, now), slot.decided + kDecisionLasts);
    return std::pair{slot.plan.transmitter, frame};
  };
  // L11: behind the advertisement that earns the lease.
  const auto ready = [&](const PendingAnnouncement& pending) {
    const Slot& slot = slots_[pending.slot.value()];
    return slot.term != pending.term || slot.first_sent;
  };
  const std::size_t granted = pacer_.take(now, outbox_.announcements());
  pacer_.put_back(granted - outbox_.send_announcements(granted, ready, make));
}

void ControlLoop::push_signed() {
  while (const auto due = trailers_.due(turn_started_, shutting_down_)) {
    if (!report(*due)) return;
    trailers_.sent(turn_started_);
  }
}

void ControlLoop::push_reports() {
  push_signed();
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
