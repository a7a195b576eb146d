#include "tests/sim/process.h"

#include <algorithm>
#include <array>

#include "controlplane/view_builder.h"
#include "tests/sim/box.h"
#include "tests/sim/mutants.h"
#include "tests/sim/random.h"

namespace koi::sim {
namespace {

/// Control starts a turn at least every 200 µs (design.md), a sleeping worker a round about every
/// 70 µs. Rounds are further apart than WorkerLease::kPublishEvery, so that each one publishes.
constexpr Duration kTurn = 176us;
constexpr Duration kTurnJitter = 24us;
constexpr Duration kRound = 64us;
constexpr Duration kRoundJitter = 12us;
/// So many turns that do nothing are left out where control listens for frames of any kind
/// (PortEars looks when they came); elsewhere all of them.
constexpr std::uint64_t kTurnsLeftOut = 220;
/// After a pause the rounds of all threads matter: SelfWatch looks at how far they are apart, up to
/// 10 ms after it.
constexpr Duration kAfter = 15ms;
constexpr Duration kShortlyBefore = 1ms;  // it ends: who stood still, and who saw it last

/// The first instant that is_after() is not true of; it counts in units of 2^14 ns.
Instant end_of(const Stamp& deadline, Instant from) {
  const std::int64_t units = deadline.left(from) / Duration(1 << 14) + 1;
  return Instant(Duration(((from.time_since_epoch().count() >> 14) + units) << 14));
}

}  // namespace

/// Two pause points around every look at the clock.
class Process::ActorClock final : public Clock {
 public:
  explicit ActorClock(Process& process) : process_(process) {}
  Instant now() override {
    process_.control.pause_point();
    const Instant read = process_.local();
    process_.control.pause_point();
    if (!turn_) turn_ = read;
    return mutated(Mutant::kDatedBefore) ? *turn_ : read;
  }
  void begin_turn() { turn_.reset(); }

 private:
  Process& process_;
  std::optional<Instant> turn_;  // read first in this turn
};

/// The receiving end of an up ring, where the oracle sees what control learns.
class Process::UpTap final : public Receiver<UpMessage> {
 public:
  UpTap(Process& process, Ring<UpMessage>& ring, WorkerIndex worker)
      : process_(process), ring_(ring), worker_(worker) {}
  bool try_receive(UpMessage& message) override {
    if (!ring_.try_receive(message)) return false;
    if (!process_.dead_) process_.box_.learns(message);
    auto* advert = std::get_if<VerifiedAdvert>(&message);
    if (advert != nullptr && mutated(Mutant::kForgetsCounters)) {
      advert->counter = auth::make_counter(++forged_, auth::node_of(advert->counter));
    }
    if (!mutated(Mutant::kMasterIgnoresBetter)) return true;
    if (advert == nullptr || process_.board_->slot(advert->slot).term.load() == 0) return true;
    process_.board_->slot(advert->slot).acknowledged[worker_.value()].store(advert->heard_number);
    return try_receive(message);
  }

 private:
  Process& process_;
  Ring<UpMessage>& ring_;
  WorkerIndex worker_;
  std::uint64_t forged_ = std::uint64_t{1} << 50;  // a mutant's
};

/// The service thread's end of the report ring, emptied at once.
class Process::ReportTap final : public Sender<controlplane::Report> {
 public:
  explicit ReportTap(Process& process) : process_(process) {}
  bool try_send(const controlplane::Report& report) override {
    if (!process_.dead_) process_.box_.reports(report);
    return true;
  }

 private:
  Process& process_;
};

Process::Process(const Setup& setup, Box& box, const Moment& now)
    : control(now, [this] { turn(); }),
      box_(box),
      now_(now),
      with_ears_(setup.with_ears),
      receivers_(static_cast<std::uint8_t>((1U << setup.workers) - 1)),
      time_(now - Duration(static_cast<std::int64_t>(mix(setup.seed) % 5'000'000)), setup.ppm) {
  controlplane::Plan plan = make_plan(setup.config);
  slots_ = plan.slots.size();
  topology_ = plan.topology;
  clock_ = std::make_unique<ActorClock>(*this);
  counters_ = std::make_unique<controlplane::ControlCounters>(slots_);
  commands_ = std::make_unique<Ring<controlplane::Command>>(nullptr, &control, 4096);
  reports_ = std::make_unique<ReportTap>(*this);

  control.grid = Grid(now, kTurn, kTurnJitter, mix(setup.seed ^ 1));
  control.done = 1;
  controlplane::ControlLoop::Setup loop;
  loop.clock = clock_.get();
  loop.board = board_.get();
  loop.counters = counters_.get();
  loop.commands = commands_.get();
  loop.reports = reports_.get();
  loop.node = setup.config.node_id;
  loop.first_sequence = setup.first_sequence;
  loop.sequence_ceiling = setup.first_sequence + kReservedSequences;
  for (unsigned w = 0; w < setup.workers; ++w) {
    const WorkerIndex index(static_cast<std::uint8_t>(w));
    workers.push_back(std::make_unique<Worker>(*this, index));
    Worker& worker = *workers.back();
    worker.actor.grid = Grid(now, kRound, kRoundJitter, mix(setup.seed ^ (2 + w)));
    worker.actor.done = 1;
    taps_.push_back(std::make_unique<UpTap>(*this, worker.up, index));
    loop.workers.push_back(
        {taps_.back().get(), &worker.down, setup.with_ears ? &worker.counters : nullptr});
  }
  loop_ = std::make_unique<controlplane::ControlLoop>(loop, std::move(plan));
  for (auto& worker : workers) worker->start(loop_->first_view());
  control_due_ = now;
  caught_up_ = now;
  plan_next();
}

Process::~Process() = default;

controlplane::Plan Process::make_plan(const config::Config& config,
                                      const controlplane::Numbering& numbering) const {
  controlplane::Plan plan = controlplane::make_plan(config, {box_.facts(receivers_)}, numbering);
  // No reports of membership: nobody here listens to them. Probes and unicast peers need places.
  const bool unicast = !config.groups[0].peers.empty();
  if (!with_ears_ && !unicast) plan.places.clear();
  mutate(plan, box_.index());
  return plan;
}

bool Process::reload(const config::Config& config) {
  if (next_plan_ != nullptr) return false;
  controlplane::Numbering numbering;
  numbering.kept[config.groups[0].name] = {SlotIndex(0), static_cast<std::uint16_t>(slots_)};
  numbering.used = slots_;
  next_plan_ = std::make_unique<controlplane::NextPlan>();
  next_plan_->plan = make_plan(mutated(Mutant::kOldPlan) ? box_.config() : config, numbering);
  for (std::size_t s = 0; s < slots_; ++s) {
    next_plan_->counters.push_back(&counters_->slots[s]);
  }
  topology_ = next_plan_->plan.topology;
  return true;
}

// ---- threads -----------------------------------------------------------------------------------

void Process::turn() {
  clock_->begin_turn();
  if (mutated(Mutant::kLeaseRevived)) revive_leases();
  const std::uint64_t round = control.grid.first_from(now_);
  if (round > turned_ + 1) loop_->left_out_until(time_.at(control.grid.at(round - 1)));
  if (mutated(Mutant::kListenedAlways)) {
    for (std::size_t w = 0; w < workers.size(); ++w) {
      board_->worker(WorkerIndex(static_cast<std::uint8_t>(w)))
          .emptied.store(local().time_since_epoch().count());
    }
  }
  loop_->turn();
  turned_ = control.grid.first_from(now_ + Duration(1)) - 1;
}

/// A mutant's: whoever is still MASTER has a lease.
void Process::revive_leases() {
  for (std::size_t s = 0; s < slots_; ++s) {
    const SlotIndex slot(static_cast<std::uint16_t>(s));
    for (const Family family : election::kFamilies) {
      const Stamp deadline = board_->deadline(slot, family);
      if (deadline.number() == 0 || deadline.left(local()) > 1ms) continue;
      board_->slot(slot).deadline[election::index_of(family)].store(
          Stamp(deadline.number(), local() + 1ms).word());
    }
  }
}

void Process::run_next() {
  Actor& actor = *next_actor_;
  catch_up(now_);
  const bool was_paused = actor.paused();
  actor.run();
  if (was_paused && !actor.paused()) look_closely(now_, now_ + kAfter);
  // While a thread stands still the others notice it after a while, or what waits for it.
  if (actor.paused() || (some_paused() && worked(actor))) closely_until_ = now_ + kAfter;
  if (actor.paused()) look_closely(actor.resumes() - kShortlyBefore, actor.resumes());
  // Whoever went round at this very moment has done so before.
  if (!actor.paused()) actor.done = actor.grid.first_from(now_ + Duration(1));
  if (!control.paused()) {
    control.done = std::max(control.done, control.grid.first_from(now_ + Duration(1)));
  }
  if (&actor == &control && !actor.paused()) {
    control_due_ = time_.when(loop_->next_due());
    if (with_ears_) {
      control_due_ = std::min(control_due_, control.grid.at(control.done + kTurnsLeftOut));
    }
  }
  plan_next();
}

/// When the first lease ends that still lasts, if that is before then.
std::optional<Moment> Process::lease_end(Moment before) const {
  Instant first = time_.at(before);
  bool ends = false;
  const Instant from = time_.at(caught_up_);
  for (std::size_t s = 0; s < slots_; ++s) {
    const SlotIndex slot(static_cast<std::uint16_t>(s));
    const std::uint64_t term = board_->slot(slot).term.load();
    if (term == 0) continue;
    for (const Family family : election::kFamilies) {
      const Stamp deadline = board_->deadline(slot, family);
      if (!deadline.is_number_of(term) || !deadline.is_after(from)) continue;
      const Instant end = end_of(deadline, from);
      if (end >= first) continue;
      first = end;
      ends = true;
    }
  }
  if (!ends) return std::nullopt;
  return time_.when(first);
}

void Process::catch_up(Moment until) {
  if (until <= caught_up_) return;
  const auto to = [&](Moment moment) {
    for (auto& worker : workers) worker->catch_up(moment);
    for (auto& worker : workers) worker->note_coverage();
  };
  // Nothing but the end of a lease changes what idle rounds could answer.
  const std::optional<Moment> end = lease_end(until);
  if (end && *end > caught_up_) to(*end);
  to(until);
  caught_up_ = until;
}

// ---- which thread is next ----------------------------------------------------------------------

void Process::look_closely(Moment from, Moment to) {
  const auto later = std::find_if(close_looks_.begin(), close_looks_.end(),
                                  [&](const auto& look) { return look.first > from; });
  close_looks_.insert(later, {from, to});
  plan_next();
}

bool Process::some_paused() const {
  return control.paused() || std::any_of(workers.begin(), workers.end(),
                                         [](const auto& worker) { return worker->actor.paused(); });
}

bool Process::worked(const Actor& actor) const {
  return std::any_of(workers.begin(), workers.end(), [&](const auto& worker) {
    return &worker->actor == &actor && worker->busy();
  });
}

void Process::plan_next() {
  while (!close_looks_.empty() && close_looks_.front().second < now_) close_looks_.pop_front();
  const bool closely = box_.always_closely() || now_ < closely_until_ ||
                       (!close_looks_.empty() && close_looks_.front().first <= now_);
  const Moment look = close_looks_.empty() || closely ? kNoMoment : close_looks_.front().first;

  next_ = kNoMoment;
  const auto consider = [&](Actor& actor, bool at_once, Moment needed) {
    Moment when = actor.resumes();
    if (!actor.paused()) {
      const Moment wanted = at_once || closely ? now_ : std::max(now_, std::min(needed, look));
      if (wanted == kNoMoment) return;
      if (actor.grid.at(actor.done) < wanted) {
        when = actor.grid.at(actor.grid.first_from(wanted));
      } else {
        when = actor.grid.at(actor.done);
      }
    }
    if (when >= next_) return;
    next_ = when;
    next_actor_ = &actor;
  };
  const bool asked = commands_->size() != 0 ||
                     std::any_of(workers.begin(), workers.end(),
                                 [](const auto& worker) { return worker->up.size() != 0; });
  consider(control, asked, control_due_);
  for (auto& worker : workers) consider(worker->actor, worker->busy(), worker->next_frame());
}

// ---- from and to the outside -------------------------------------------------------------------

void Process::covers(std::size_t slot, Term term, Moment from, Moment to) {
  if (!dead_) box_.covers(slot, term, from, to);
}

void Process::queued(const Packet& advertisement) {
  if (!dead_) box_.queued(advertisement);
}

void Process::answer(Packet& packet) {
  if (!dead_) box_.answer(packet);
}

void Process::transmit(const TransmitFrame& frame) {
  if (!dead_) box_.transmit(frame);
}

void Process::acknowledge_all(WorkerIndex worker) {
  for (std::size_t s = 0; s < slots_; ++s) {
    SlotWords& words = board_->slot(SlotIndex(static_cast<std::uint16_t>(s)));
    words.acknowledged[worker.value()].store(
        Stamp::from_word(words.heard[worker.value()].load()).number());
  }
}

void Process::receive(std::size_t worker, const Packet& packet) {
  workers[worker]->receive(packet);
  plan_next();
}

void Process::command(const controlplane::Command& command) {
  commands_->try_send(command);
  plan_next();
}

void Process::fill_rings(bool up, bool down) {
  for (auto& worker : workers) {
    worker->up.capacity = up ? 0 : 8192;
    worker->down.capacity = down ? 0 : 1024;
  }
}

void Process::kill() {
  catch_up(now_);
  dead_ = true;
  control.abandon();
  for (auto& worker : workers) worker->actor.abandon();
}

}  // namespace koi::sim
