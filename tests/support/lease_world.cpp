#include "tests/support/lease_world.h"

#include <algorithm>

#include "controlplane/view_builder.h"
#include "dataplane/classify.h"
#include "dataplane/conflicts.h"
#include "dataplane/frame.h"
#include "tests/support/lab_config.h"

namespace koi::test {
namespace {

constexpr SlotIndex kSlot{0};
constexpr PortIndex kPort{0};

}  // namespace

/// A thread.
struct LeaseWorld::Actor {
  Box* box = nullptr;
  Worker* worker = nullptr;  // null: control
  Instant next{};
  bool busy = false;  // in the middle of a step, paused there
  std::deque<Pause> pauses;
  std::string name;
};

struct LeaseWorld::Worker {
  Worker(Box& owner, std::uint8_t index, std::size_t depth);

  Box& box;
  FakeChannel<UpMessage> up{8192};
  FakeChannel<DownMessage> down{1024};
  WorkerCounters counters;
  dataplane::WorkerLease lease;
  dataplane::AdvertReceiver adverts;
  dataplane::UpReporter reporter;
  dataplane::ConflictWatch conflicts{reporter};
  dataplane::DadLimit dad;
  dataplane::AskerMemory askers;
  dataplane::DrainTracker drain;
  const View* view = nullptr;
  std::deque<Frame> queue;
  const std::size_t depth;
  bool missed = false;  // the queue was full
};

class LeaseWorld::ActorClock final : public Clock {
 public:
  ActorClock(LeaseWorld& world, Actor& actor) : world_(world), actor_(actor) {}
  Instant now() override {
    world_.pause_point(actor_);
    const Instant read = world_.now_;
    world_.pause_point(actor_);
    return read;
  }

 private:
  LeaseWorld& world_;
  Actor& actor_;
};

struct LeaseWorld::Box {
  std::size_t index = 0;
  bool alive = true;
  std::unique_ptr<SlotBoard> board = std::make_unique<SlotBoard>();
  controlplane::ControlCounters counters{1};
  FakeChannel<controlplane::Command> commands;
  FakeChannel<controlplane::Report> reports;
  std::vector<std::unique_ptr<Worker>> workers;
  std::size_t hearing = 0;  // the worker that receives advertisements
  std::unique_ptr<ActorClock> clock;
  std::unique_ptr<controlplane::ControlLoop> loop;
  Term advertised;  // term of the last advertisement sent
  // Answers given under one term, from the first to the last.
  Term reign;
  Instant first_answer{};
  Instant last_answer{};
};

LeaseWorld::Worker::Worker(Box& owner, std::uint8_t index, std::size_t queue_depth)
    : box(owner),
      lease(*owner.board, WorkerIndex(index)),
      adverts(*owner.board, lease, up, counters),
      reporter(up),
      depth(queue_depth) {
  drain.add_queue(static_cast<std::uint32_t>(queue_depth));
}

LeaseWorld::LeaseWorld(const Setup& setup) : setup_(setup), random_(setup.seed) {
  for (std::size_t b = 0; b < setup.boxes.size(); ++b) {
    boxes_.push_back(std::make_unique<Box>());
    Box& box = *boxes_.back();
    box.index = b;
    config::Config config = lan_box(static_cast<std::uint8_t>(b + 1));
    config::Group& group = config.groups[0];
    group.advbase = setup.advbase;
    group.advskew = setup.boxes[b].advskew;
    group.lowest_advskew = setup.lowest_advskew;
    group.preempt = setup.boxes[b].preempt;
    const auto receivers = static_cast<std::uint8_t>((1U << setup.workers) - 1);
    controlplane::Plan plan = controlplane::make_plan(config, {port_facts(receivers)});
    longest_wait_ = std::max(longest_wait_, plan.slots[0].parameters.master_down());

    actors_.push_back(std::make_unique<Actor>());
    Actor& control = *actors_.back();
    control.box = &box;
    control.name = "control " + std::to_string(b);
    box.clock = std::make_unique<ActorClock>(*this, control);
    controlplane::ControlLoop::Setup loop;
    loop.clock = box.clock.get();
    loop.board = box.board.get();
    loop.counters = &box.counters;
    loop.commands = &box.commands;
    loop.reports = &box.reports;
    loop.node = config.node_id;
    loop.first_sequence = 1'000'000;
    loop.sequence_ceiling = 1'000'000'000;
    for (unsigned w = 0; w < setup.workers; ++w) {
      box.workers.push_back(
          std::make_unique<Worker>(box, static_cast<std::uint8_t>(w), setup.queue_depth));
      Worker& worker = *box.workers.back();
      loop.workers.push_back({&worker.up, &worker.down});
      actors_.push_back(std::make_unique<Actor>());
      Actor& actor = *actors_.back();
      actor.box = &box;
      actor.worker = &worker;
      actor.name = "worker " + std::to_string(b) + "." + std::to_string(w);
      actor.next = now_ + setup.poll * static_cast<int>(random_() % 100) / 100;
      worker.up.on_send = [this, &actor](const UpMessage&) { pause_point(actor); };
      worker.up.on_receive = [this, &control] { pause_point(control); };
      worker.down.on_send = [this, &control](const DownMessage&) { pause_point(control); };
      worker.down.on_receive = [this, &actor] { pause_point(actor); };
    }
    box.hearing = random_() % setup.workers;
    control.next = now_ + setup.turn * static_cast<int>(random_() % 100) / 100;
    box.loop = std::make_unique<controlplane::ControlLoop>(loop, std::move(plan));
    for (auto& worker : box.workers) {
      worker->view = box.loop->first_view();
      worker->lease.adopted(*worker->view);
    }
    plans_.push_back({now_ + setup.boxes[b].joins_after, [&box] {
                        box.commands.try_send(controlplane::SetLink{kPort, true});
                      }});
  }
  disturbed_until_ = now_;
}

LeaseWorld::~LeaseWorld() = default;

void LeaseWorld::pause(std::size_t box, Who who, std::size_t worker, const Pause& pause) {
  for (auto& actor : actors_) {
    if (actor->box != boxes_[box].get()) continue;
    const Worker* wanted = who == Who::control ? nullptr : boxes_[box]->workers[worker].get();
    if (actor->worker != wanted) continue;
    auto& pauses = actor->pauses;
    const auto later = std::find_if(pauses.begin(), pauses.end(),
                                    [&](const Pause& p) { return p.from > pause.from; });
    pauses.insert(later, pause);
  }
}

void LeaseWorld::kill(std::size_t box, Instant at) {
  plans_.push_back({at, [this, box] {
                      boxes_[box]->alive = false;
                      note("box " + std::to_string(box) + " dies");
                    }});
}

void LeaseWorld::demote(std::size_t box, Instant at, std::uint8_t count) {
  plans_.push_back({at, [this, box, count] {
                      boxes_[box]->commands.try_send(controlplane::SetDemotion{0, count});
                      note("box " + std::to_string(box) + " demoted " + std::to_string(count));
                    }});
}

// ---- time --------------------------------------------------------------------------------------

void LeaseWorld::run_until(Instant end) {
  while (violation_.empty()) {
    Actor* first = nullptr;
    for (auto& actor : actors_) {
      if (actor->busy || !actor->box->alive) continue;
      if (first == nullptr || actor->next < first->next) first = actor.get();
    }
    if (first == nullptr || first->next > end) break;
    now_ = std::max(now_, first->next);
    run_plans();
    if (!first->box->alive) continue;
    first->busy = true;
    step(*first);
    first->busy = false;
    const Duration period = first->worker == nullptr ? setup_.turn : setup_.poll;
    first->next = now_ + period * static_cast<int>(80 + random_() % 41) / 100;
    check_silence();
  }
  now_ = std::max(now_, end);
}

void LeaseWorld::run_plans() {
  for (Plan& plan : plans_) {
    if (!plan.what || plan.at > now_) continue;
    plan.what();
    plan.what = nullptr;
    disturbed_until_ = std::max(disturbed_until_, now_);
  }
}

void LeaseWorld::pause_point(Actor& actor) {
  if (actor.pauses.empty() || now_ < actor.pauses.front().from) return;
  if (actor.pauses.front().skip > 0) {
    --actor.pauses.front().skip;
    return;
  }
  const Pause pause = actor.pauses.front();
  actor.pauses.pop_front();
  note(actor.name + " stops");
  ++paused_;
  run_until(now_ + pause.length);
  --paused_;
  disturbed_until_ = std::max(disturbed_until_, now_);
  note(actor.name + " goes on");
}

void LeaseWorld::step(Actor& actor) {
  if (actor.worker != nullptr) {
    poll(actor, *actor.worker);
    return;
  }
  actor.box->loop->turn();
  for (const auto& change : actor.box->reports.take<controlplane::RoleChange>()) {
    note(actor.name + ": " + std::string(election::to_string(change.to)) + ", " +
         std::string(election::to_string(change.cause)) + ", term " +
         std::to_string(change.term.value()));
  }
}

// ---- the worker's loop, as dataplane/worker.cpp has it -----------------------------------------

void LeaseWorld::poll(Actor& actor, Worker& worker) {
  pause_point(actor);
  const Instant now = now_;
  pause_point(actor);
  worker.lease.begin_poll(now);
  worker.drain.begin_poll(now);
  worker.reporter.begin_poll(now);
  pause_point(actor);
  // A request that came before everything in this burst, and one that came after.
  const bool may_answer_first = !worker.lease.refusal(*worker.view, kSlot);
  const Instant polled_at = now_;
  const dataplane::BurstContext burst{*worker.view,     kPort,      worker.lease, worker.reporter,
                                      worker.conflicts, worker.dad, worker.askers};
  std::uint32_t taken = 0;
  while (taken < setup_.burst && !worker.queue.empty() &&
         worker.queue.front().arrival <= polled_at) {
    ++taken;
    Frame frame = std::move(worker.queue.front());
    worker.queue.pop_front();
    dataplane::classify(frame.bytes, 0, burst, worker.adverts);
  }
  worker.drain.took(0, taken, taken < setup_.burst);
  const bool may_answer_last = !worker.lease.refusal(*worker.view, kSlot);
  const Term term = worker.view->terms[kSlot.value()];
  pause_point(actor);
  if ((may_answer_first || may_answer_last) && worker.lease.in_time(now_)) {
    answered(worker.box, term);
  }
  if (worker.adverts.flush()) {
    worker.lease.end_poll(worker.drain.drained());
    report_gap(worker);
  }
  receive_down(actor, worker);
}

void LeaseWorld::report_gap(Worker& worker) {
  std::optional<PollGap> gap = worker.lease.gap_to_report();
  if (!gap) return;
  gap->frames_lost = worker.missed;
  if (!worker.up.try_send(*gap)) return;
  worker.lease.gap_reported();
  worker.missed = false;
}

void LeaseWorld::receive_down(Actor& actor, Worker& worker) {
  DownMessage message;
  for (unsigned i = 0; i < 64 && worker.down.try_receive(message); ++i) {
    if (const auto* adopt = std::get_if<AdoptView>(&message)) {
      worker.view = adopt->view;
      worker.askers.forget();
      worker.lease.adopted(*worker.view);
      continue;
    }
    pause_point(actor);
    const auto& frame = std::get<TransmitFrame>(message);
    // From here on the frame is past its check: no promise covers a pause here.
    if (worker.lease.refusal(*worker.view, frame, now_)) continue;
    check_frame(worker.box, frame);
    broadcast(worker.box, frame);
    worker.lease.sent(frame, now_);
  }
}

void LeaseWorld::broadcast(const Box& from, const TransmitFrame& frame) {
  for (auto& box : boxes_) {
    if (box.get() == &from || !box->alive) continue;
    Worker& worker = *box->workers[box->hearing];
    if (worker.queue.size() >= worker.depth) {
      worker.missed = true;
      continue;
    }
    worker.queue.push_back(
        {now_ + setup_.wire,
         std::vector<std::byte>(frame.bytes.data(), frame.bytes.data() + frame.length)});
  }
}

// ---- the promises ------------------------------------------------------------------------------

void LeaseWorld::answered(Box& box, Term term) {
  last_answer_ = now_;
  if (box.advertised != term) fail("an answer before the advertisement of its term");
  if (box.reign != term) {
    box.reign = term;
    box.first_answer = now_;
    note("box " + std::to_string(box.index) + " answers in term " + std::to_string(term.value()));
  }
  box.last_answer = now_;
  for (const auto& other : boxes_) {
    if (other.get() == &box || other->reign == Term{}) continue;
    const Duration both = std::min(box.last_answer, other->last_answer) -
                          std::max(box.first_answer, other->first_answer);
    longest_double_ = std::max(longest_double_, both);
    if (both > 2 * setup_.wire + 1ms) {
      fail("boxes " + std::to_string(box.index) + " and " + std::to_string(other->index) +
           " both answered for " + std::to_string(both.count() / 1000) + " us");
    }
  }
}

void LeaseWorld::check_frame(Box& box, const TransmitFrame& frame) {
  if (frame.kind == FrameKind::own) return;  // uses no virtual MAC
  const Term now_reigning(box.board->slot(kSlot).term.load());
  if (frame.kind == FrameKind::advertisement) box.advertised = frame.term;
  if (frame.kind != FrameKind::bow_out) {
    if (frame.term == Term{} || frame.term != now_reigning) fail("a frame of a term that is over");
    return;
  }
  // L10: nobody here can answer any more, not even by the view in use.
  for (const auto& worker : box.workers) {
    const Term term = worker->view->terms[kSlot.value()];
    const Stamp deadline = box.board->deadline(kSlot, Family::ipv4);
    if (term != Term{} && deadline.is_number_of(term.value()) && deadline.is_after(now_)) {
      fail("a bow-out before every worker was silent");
    }
  }
}

void LeaseWorld::check_silence() {
  if (paused_ > 0) return;
  const Instant since = std::max(last_answer_, disturbed_until_);
  if (now_ - since > longest_wait_ + 5ms) fail("nobody answers");
}

std::size_t LeaseWorld::answering() const {
  return static_cast<std::size_t>(std::count_if(boxes_.begin(), boxes_.end(), [&](const auto& b) {
    return b->alive && b->reign != Term{} && now_ - b->last_answer < 1ms;
  }));
}

void LeaseWorld::note(std::string text) {
  if (history_.size() == 60) history_.pop_front();
  history_.push_back(std::to_string((now_ - Instant(1s)).count() / 1000) +
                     " us: " + std::move(text));
}

void LeaseWorld::fail(std::string text) {
  if (!violation_.empty()) return;
  note("FAILED: " + text);
  violation_ = std::move(text);
}

Instant LeaseWorld::began(std::size_t box) const { return boxes_[box]->first_answer; }

std::string LeaseWorld::history() const {
  std::string all;
  for (const std::string& line : history_) all += line + "\n";
  return all;
}

}  // namespace koi::test
