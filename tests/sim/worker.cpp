#include "tests/sim/worker.h"

#include <algorithm>
#include <utility>

#include "dataplane/classify.h"
#include "dataplane/frame.h"
#include "tests/sim/mutants.h"
#include "tests/sim/process.h"

namespace koi::sim {
namespace {

constexpr PortIndex kPort{0};
constexpr Moment kNotAble = Moment::min();

}  // namespace

Worker::Worker(Process& process, WorkerIndex index)
    : actor(process.now(), [this] { poll(); }),
      up(&actor, &process.control, 8192),
      down(&process.control, &actor, 1024),
      process_(process),
      index_(index),
      lease_(process.board(), index),
      adverts_(std::in_place, process.board(), lease_, up, counters),
      reporter_(up),
      conflicts_(reporter_),
      able_at_(process.slots(), kNotAble),
      able_in_(process.slots()) {
  drain_.add_queue(kDepth);
}

void Worker::start(const View* first_view) {
  view_ = first_view;
  lease_.adopted(*view_);
}

void Worker::receive(const Packet& packet) {
  const auto place = std::find_if(coming_.rbegin(), coming_.rend(),
                                  [&](const Packet& p) { return p.arrival > packet.arrival; });
  coming_.insert(place.base(), packet);
}

bool Worker::busy() const {
  return worked_ || !flushed_ || !queue_.empty() || down.size() != 0 || lease_.in_gap() ||
         lease_.gap_to_report();
}

// ---- rounds that nothing happens in ------------------------------------------------------------

void Worker::catch_up(Moment until) {
  if (actor.paused() || actor.grid.at(actor.done) >= until) return;
  const std::uint64_t last = actor.grid.first_from(until) - 1;
  // The first round closes what the last one left open, and the last one is what counts.
  idle(actor.done);
  if (last > actor.done + 1) lease_.left_out_until(process_.time().at(actor.grid.at(last - 1)));
  if (last != actor.done) idle(last);
  actor.done = last + 1;
  idled_ = true;
}

void Worker::idle(std::uint64_t round) {
  polled_at_ = actor.grid.at(round);
  begin(process_.time().at(polled_at_));
  drain_.took(0, 0, true);
  lease_.end_poll(drain_.drained());
}

void Worker::note_coverage() {
  if (!std::exchange(idled_, false)) return;  // poll() has seen to it
  for (std::size_t s = 0; s < able_at_.size(); ++s) {
    if (view_->terms[s] == Term{} && able_at_[s] == kNotAble) continue;
    const SlotIndex slot(static_cast<std::uint16_t>(s));
    cover(s, may_answer(process_, lease_, *view_, slot, process_.time().at(polled_at_)));
  }
}

/// Answers could leave from the last time on, if they could then, to this poll.
void Worker::cover(std::size_t slot, bool able) {
  if (!able) {
    able_at_[slot] = kNotAble;
    return;
  }
  const Term term = view_->terms[slot];
  const bool goes_on = able_at_[slot] != kNotAble && able_in_[slot] == term;
  const Moment since = goes_on ? able_at_[slot] : polled_at_;
  able_at_[slot] = polled_at_;
  able_in_[slot] = term;
  process_.covers(slot, term, since, polled_at_);
}

// ---- a round, as dataplane/worker.cpp has it ---------------------------------------------------

void Worker::begin(Instant now) {
  lease_.begin_poll(now);
  drain_.begin_poll(now);
  reporter_.begin_poll(now);
}

void Worker::poll() {
  actor.pause_point();
  const Instant now = process_.local();
  actor.pause_point();
  begin(now);
  if (lingers_ && now > lingers_until_) stop_lingering();
  actor.pause_point();
  // A request that came before everything in this burst, and one that came after.
  std::array<bool, 32> able{};
  judge(able);
  std::vector<Packet> answers;
  const std::uint32_t taken = take_frames(answers);
  judge(able);
  actor.pause_point();
  polled_at_ = process_.now();
  const bool in_time = lease_.in_time(process_.local()) || mutated(Mutant::kAnswersLate);
  for (std::size_t s = 0; s < able_at_.size(); ++s) cover(s, able[s] && in_time);
  if (in_time) {
    for (Packet& answer : answers) process_.answer(answer);
  }
  flushed_ = adverts_->flush();
  if (flushed_) {
    for (const Packet& advert : heard_) process_.queued(advert);
    heard_.clear();
    lease_.end_poll(drain_.drained());
    report_gap();
  }
  const bool ordered = down.size() != 0;
  receive_down();
  worked_ = taken != 0 || ordered || lingers_;
}

void Worker::judge(std::array<bool, 32>& able) {
  const Instant polled = process_.local();
  for (std::size_t s = 0; s < able_at_.size(); ++s) {
    if (view_->terms[s] == Term{} || able[s]) continue;
    const SlotIndex slot(static_cast<std::uint16_t>(s));
    able[s] = may_answer(process_, lease_, *view_, slot, polled);
  }
}

void Worker::arrive() {
  while (!coming_.empty() && coming_.back().arrival <= process_.now()) {
    if (queue_.size() < kDepth) {
      queue_.push_back(coming_.back());
    } else {
      missed_ = true;
    }
    coming_.pop_back();
  }
}

std::uint32_t Worker::take_frames(std::vector<Packet>& answers) {
  arrive();
  const auto count = static_cast<std::uint32_t>(std::min<std::size_t>(queue_.size(), kBurst));
  drain_.took(0, count, count < kBurst);
  if (count == 0) {
    if (!lease_.in_gap() && !lease_.gap_to_report()) taken_ = 0;
    return 0;
  }
  taken_ += count;
  const dataplane::BurstContext burst{*view_, kPort, lease_, reporter_, conflicts_, dad_, askers_};
  dataplane::QuickLook quick(burst);
  for (std::uint32_t i = 0; i < count; ++i) {
    if (mutated(Mutant::kForgetsCounters)) {
      adverts_.emplace(process_.board(), lease_, up, counters);
    }
    Packet& packet = queue_[i];
    const auto room = [&packet] { return Packet::kMaxBytes - packet.length; };
    const dataplane::Fate fate = dataplane::decide(quick, packet.frame(), room, *adverts_);
    if (fate.kind() == dataplane::Fate::Kind::taken && packet.advertisement)
      heard_.push_back(packet);
    if (fate.kind() != dataplane::Fate::Kind::answer) continue;
    packet.length = fate.length();
    answers.push_back(packet);
  }
  queue_.erase(queue_.begin(), queue_.begin() + count);
  counters.ports[kPort.value()].received.add(count);
  if (mutated(Mutant::kHeardAtOnce)) process_.acknowledge_all(index_);
  return count;
}

void Worker::report_gap() {
  std::optional<PollGap> gap = lease_.gap_to_report();
  if (!gap) return;
  gap->frames_lost = missed_ || taken_ + kHeldBack >= kDepth;
  if (!up.try_send(*gap)) return;  // next turn
  lease_.gap_reported();
  missed_ = false;
  taken_ = 0;
}

void Worker::receive_down() {
  for (unsigned i = 0; i < kDownPerTurn && down.has_some(); ++i) {
    const DownMessage message = down.take();
    if (const auto* adopt = std::get_if<AdoptView>(&message)) {
      if (mutated(Mutant::kBowsOutFirst)) {
        linger_with(*view_);
        next_view_ = adopt->view;
      } else {
        view_ = adopt->view;
      }
      askers_.forget();
      lease_.adopted(*adopt->view);
    } else {
      transmit(*std::get_if<TransmitFrame>(&message));
    }
  }
}

/// A mutant's: goes on with a view, of which it keeps a copy, although it has adopted another one.
void Worker::linger_with(const View& view) {
  if (!lingers_) lingers_ = std::make_unique<View>(view);
  view_ = lingers_.get();
  lingers_until_ = process_.local() + kLingers;
}

void Worker::stop_lingering() {
  view_ = next_view_;
  lingers_.reset();
}

void Worker::transmit(const TransmitFrame& frame) {
  actor.pause_point();
  // From here on the frame is past its check: no promise covers a pause here.
  const Instant now = process_.local();
  const bool unchecked =
      mutated(Mutant::kFramesUnchecked) ||
      (mutated(Mutant::kAnnouncesUnchecked) && frame.kind == FrameKind::announcement);
  if (!unchecked) {
    if (lease_.refusal(*view_, frame, now)) {
      if (frame.kind == FrameKind::announcement) refused(frame);
      return;
    }
  }
  if (process_.nic_refuses()) {
    if (mutated(Mutant::kRefusedCounts)) lease_.sent(frame, now);
    return refused(frame);
  }
  process_.transmit(frame);
  TransmitFrame counted = frame;
  if (mutated(Mutant::kLongLease)) counted.lease += counted.lease / 4;
  lease_.sent(counted, now);
}

void Worker::refused(const TransmitFrame& frame) {
  if (frame.kind == FrameKind::advertisement) {
    up.try_send(TransmitRefused{frame.slot, frame.family, frame.term});
  } else if (frame.kind == FrameKind::announcement) {
    up.try_send(AnnouncementRefused{frame.slot, frame.term, frame.address, frame.tries});
  }
}

}  // namespace koi::sim
