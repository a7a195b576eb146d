#include "tests/sim/faults.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>

namespace koi::sim {
namespace {

enum class Fault : std::uint8_t {
  pause_thread,
  pause_box,
  kill,
  shut_down,
  demote,
  wall_clock,
  full_rings,
  contest,
  nic_refuses,
  crowd_of_questions,
  kill_foreigner,
  // Only where advertisements may be lost:
  link_flap,
  one_way,
  partition,
  trunk,
  loss,
  jitter
};
constexpr std::uint64_t kLossless = 11;
constexpr std::uint64_t kAll = 17;

/// Stops threads when it hurts: about when the next advertisement of a MASTER is due, which may be
/// the one that a better box takes the addresses over for.
class Ambush {
 public:
  Ambush(World& world, const Scenario& scenario, std::uint64_t seed, double probability, Moment end)
      : world_(world), scenario_(scenario), random_(seed), probability_(probability), end_(end) {}

  /// Nearly each time from then to then.
  void expect(Moment from, Moment to) { expected_.emplace_back(from, to); }

  void advertised(std::size_t box, std::size_t slot) {
    const Moment next = world_.now() + world_.oracle().member(box, slot).interval;
    const bool expected = std::any_of(expected_.begin(), expected_.end(), [&](const auto& span) {
      return span.first <= world_.now() && world_.now() < span.second;
    });
    if (next >= end_ || !random_.chance(expected ? 0.7 : probability_)) return;
    const std::size_t victim = random_.chance(0.7) ? box : random_.below(world_.boxes());
    if (!world_.box(victim).alive()) return;
    for (std::int64_t stops = random_.between(1, 3); stops > 0; --stops) {
      const Moment from = next + Duration(random_.between(-200'000, 1'500'000));
      const Duration length(random_.chance(0.4) ? random_.between(300'000, 1'100'000)
                                                : random_.log_between(1'000'000, 40'000'000));
      std::optional<std::size_t> who;
      if (!random_.chance(0.1)) who = random_.below(scenario_.world.boxes[victim].workers + 1);
      world_.box(victim).pause(who, {from, static_cast<unsigned>(random_.below(8)), length});
      world_.oracle().disturbed(from + 3 * length + 50ms);
    }
  }

 private:
  World& world_;
  const Scenario& scenario_;
  Random random_;
  const double probability_;
  const Moment end_;
  std::vector<std::pair<Moment, Moment>> expected_;
};

class Disturber {
 public:
  Disturber(World& world, const Scenario& scenario, Random& random, Moment end)
      : world_(world),
        scenario_(scenario),
        random_(random),
        more_(scenario.more_seed ^
              static_cast<std::uint64_t>(world.now().time_since_epoch().count())),
        end_(end),
        healed_(end) {
    interval_ = scenario.fast ? Duration(50ms) : Duration(1s);
  }

  Moment run() {
    const auto count = static_cast<unsigned>(random_.between(3, 14));
    const double ambushes = random_.chance(0.5) ? 0.4 * random_.unit() : 0;
    ambush_ = std::make_shared<Ambush>(world_, scenario_, random_.next(),
                                       scenario_.fast ? ambushes / 20 : ambushes, end_);
    world_.on_advertisement = [ambush = ambush_](std::size_t box, std::size_t slot) {
      ambush->advertised(box, slot);
    };
    for (unsigned i = 0; i < count; ++i) one(some_moment());
    if (scenario_.more_faults) more();
    if (scenario_.reloads) reloads();
    healed_ = std::max(healed_, end_ + 250ms);
    world_.at(healed_, [&world = world_, quality = scenario_.quality] { heal(world, quality); });
    return healed_;
  }

 private:
  Moment some_moment() {
    return world_.now() + Duration(random_.between(0, (end_ - world_.now()).count()));
  }
  /// From far below what anybody notices to well beyond every timer.
  Duration some_length() { return Duration(random_.log_between(50'000, 8 * interval_.count())); }
  std::size_t some_box() { return random_.below(world_.boxes()); }

  void one(Moment at) {
    const bool lossy = scenario_.world.oracle.lossy;
    const auto fault = static_cast<Fault>(random_.below(lossy ? kAll : kLossless));
    const std::size_t b = some_box();
    const Duration length = some_length();
    const Moment until = std::min(at + length, end_);
    World& world = world_;
    switch (fault) {
      case Fault::pause_thread:
      case Fault::pause_box:
        return pause(b, at, length, fault == Fault::pause_box);
      case Fault::kill:
        world.at(at, [&world, b] { world.box(b).kill(); });
        return restart(b, at);
      case Fault::shut_down:
        world.at(at, [&world, b] { world.box(b).shut_down(); });
        return restart(b, at + 2s);
      case Fault::demote: {
        const auto count = static_cast<std::uint8_t>(random_.between(1, 3));
        world.at(at, [&world, b, count] { world.box(b).demote("command", count); });
        world.at(until, [&world, b] { world.box(b).undemote("command"); });
        return;
      }
      case Fault::wall_clock: {
        const Duration by = Duration(1s) * random_.between(-3600 * 24, 3600 * 24);
        world.at(at, [&world, b, by] { world.box(b).step_wall_clock(by); });
        return;
      }
      case Fault::full_rings: {
        const bool up = random_.chance(0.5);
        const bool down = !up || random_.chance(0.3);
        return on_process(b, at, until,
                          [up, down](Process& p, bool on) { p.fill_rings(up && on, down && on); });
      }
      case Fault::contest:
        return contest(at);
      case Fault::nic_refuses:
        return on_process(b, at, until, [](Process& p, bool on) { p.refuse(on); });
      case Fault::crowd_of_questions:
        for (unsigned i = 0; i < 40; ++i) {
          const std::size_t client = random_.below(world.clients());
          world.at(at + Duration(random_.between(0, 2'000'000)),
                   [&world, client] { world.ask(client); });
        }
        return;
      case Fault::kill_foreigner: {
        if (world.foreigners() == 0) return;
        const std::size_t f = random_.below(world.foreigners());
        world.at(at, [&world, f] { world.foreigner(f).kill(); });
        world.at(until, [&world, f] { world.foreigner(f).start(); });
        return;
      }
      case Fault::link_flap:
        world.at(at, [&world, b] { world.box(b).link(false); });
        world.at(until, [&world, b] { world.box(b).link(true); });
        return;
      case Fault::one_way:
        return cut(b, random_.below(world.oracle_boxes()), at, until);
      case Fault::partition:
        for (std::size_t other = 0; other < world.oracle_boxes(); ++other) {
          if (other == b || random_.chance(0.3)) continue;  // partial
          cut(b, other, at, until);
          cut(other, b, at, until);
        }
        return;
      case Fault::trunk:
        world.at(at, [&world] { world.network().cut_trunk(true); });
        world.at(until, [&world] { world.network().cut_trunk(false); });
        return;
      case Fault::loss: {
        const double loss = random_.chance(0.3) ? random_.unit() * 0.9 : random_.unit() * 0.2;
        world.at(at, [&world, loss] { world.network().quality.loss = loss; });
        world.at(until, [&world] { world.network().quality.loss = 0; });
        return;
      }
      case Fault::jitter: {
        const Duration jitter(random_.log_between(10'000, 3 * interval_.count()));
        world.at(at, [&world, jitter] {
          world.network().quality.jitter = jitter;
          world.oracle().wire(world.network().wire());
        });
        // What is on its way comes late all the same: the bound stays until all is well.
        world.at(until, [&world, before = scenario_.quality.jitter] {
          world.network().quality.jitter = before;
        });
        healed_ = std::max(healed_, until + jitter + 1ms);
        return;
      }
    }
  }

  void pause(std::size_t b, Moment at, Duration length, bool whole) {
    World& world = world_;
    // A thread that is paused begins its next pause when it wakes up.
    const Moment until = std::max(at, awake_[b]) + length;
    awake_[b] = until;
    healed_ = std::max(healed_, until + 100ms);
    const std::size_t threads = scenario_.world.boxes[b].workers + 1;
    std::optional<std::size_t> who;
    if (!whole) who = random_.below(threads);
    const auto skip = static_cast<unsigned>(random_.below(12));
    // Known a little before, so that everybody looks closely.
    world.at(at - 6ms, [&world, b, who, at, until, skip, length] {
      world.box(b).pause(who, {at, skip, length});
      world.oracle().disturbed(until + 50ms);
    });
  }

  /// The best box gives it away again and again and, if it may, takes it back with the next
  /// advertisement of the other one.
  void contest(Moment at) {
    World& world = world_;
    std::size_t best = 0;
    for (std::size_t b = 1; b < world.boxes(); ++b) {
      const auto& member = world.oracle().member(b, 0);
      if (member.preempt && (!world.oracle().member(best, 0).preempt ||
                             member.interval < world.oracle().member(best, 0).interval)) {
        best = b;
      }
    }
    const Duration each = world.oracle().member(best, 0).interval * 5 / 2;
    const Moment until = std::min(at + 8 * each, end_);
    ambush_->expect(at, until);
    for (Moment from = at; from < until; from += each) {
      const Duration hold(random_.log_between(2'000'000, each.count() / 4));
      world.at(from, [&world, best] { world.box(best).demote("contest", 1); });
      world.at(from + hold, [&world, best] { world.box(best).undemote("contest"); });
    }
  }

  /// Drawn apart from the others: see Scenario.
  void more() {
    if (more_.chance(0.5)) demotions();
    if (more_.chance(0.5)) stand_still();
    if (!scenario_.world.oracle.lossy) return;
    if (more_.chance(0.5)) swizzle();
    if (more_.chance(0.7)) meet_again();
  }
  Moment another_moment() {
    return world_.now() + Duration(more_.between(0, (end_ - world_.now()).count()));
  }

  /// T22: causes come and go in any order, with any count.
  void demotions() {
    World& world = world_;
    const std::size_t b = more_.below(world.boxes());
    for (std::int64_t i = more_.between(2, 6); i > 0; --i) {
      const std::string cause = "check " + std::to_string(i);
      const std::int64_t count = more_.between(-50, 300);
      world.at(another_moment(), [&world, b, cause, count] { world.box(b).demote(cause, count); });
      world.at(another_moment(), [&world, b, cause] { world.box(b).undemote(cause); });
    }
  }

  /// L9: a worker stands still for about as long as a BACKUP waits, and control goes on.
  void stand_still() {
    const std::size_t b = more_.below(world_.boxes());
    const Duration wait = world_.oracle().member(b, 0).master_down;
    const Moment at = another_moment();
    const Duration length = wait / 2 + Duration(more_.between(0, wait.count()));
    if (at + length > end_) return;
    const std::size_t who = 1 + more_.below(scenario_.world.boxes[b].workers);
    World& world = world_;
    world.at(at - 6ms, [&world, b, who, at, length] {
      world.box(b).pause(who, {at, 0, length});
      world.oracle().disturbed(at + length + 50ms);
    });
  }

  /// Some boxes are cut off from all others one after the other, and come back in another order.
  void swizzle() {
    World& world = world_;
    const Moment at = another_moment();
    for (std::size_t b = 0; b < world.boxes(); ++b) {
      if (more_.chance(0.5)) continue;
      const Moment from = at + Duration(more_.between(0, 4 * interval_.count()));
      const Moment until = from + Duration(more_.between(0, 8 * interval_.count()));
      for (std::size_t other = 0; other < world.oracle_boxes(); ++other) {
        cut(b, other, std::min(from, end_), std::min(until, end_));
        cut(other, b, std::min(from, end_), std::min(until, end_));
      }
    }
  }

  /// Two sides, each with a MASTER, hear each other again, and threads stop just then.
  void meet_again() {
    World& world = world_;
    const Duration apart = world.oracle().longest_wait() + 2 * interval_;
    const Moment at = another_moment();
    const Moment until = at + apart;
    if (until + 2 * interval_ > end_) return;
    const std::uint64_t side = more_.below(std::uint64_t{1} << world.oracle_boxes());
    for (std::size_t a = 0; a < world.oracle_boxes(); ++a) {
      for (std::size_t b = 0; b < world.oracle_boxes(); ++b) {
        if ((side >> a & 1) != (side >> b & 1)) cut(a, b, at, until);
      }
    }
    ambush_->expect(until - 2 * interval_, until + interval_);
  }

  /// Boxes are given another configuration, also one that is about the last.
  void reloads() {
    World& world = world_;
    Random random(scenario_.more_seed ^ 2 ^
                  static_cast<std::uint64_t>(world.now().time_since_epoch().count()));
    for (std::int64_t i = random.between(1, 8); i > 0; --i) {
      const std::size_t b = random.below(world.boxes());
      const Moment at = world.now() + Duration(random.between(0, (end_ - world.now()).count()));
      world.at(at, [&world, b, seed = random.next()] {
        Random drawn(seed);
        world.box(b).reload(changed(world.box(b).config(), drawn));
      });
    }
  }

  void restart(std::size_t b, Moment at) {
    World& world = world_;
    world.at(std::min(end_, at + Duration(random_.log_between(10'000'000, 10 * interval_.count()))),
             [&world, b] { world.box(b).start(); });
  }

  void cut(std::size_t from, std::size_t to, Moment at, Moment until) {
    World& world = world_;
    if (from == to) return;
    world.at(at, [&world, from, to] {
      world.trace().note("is no longer heard by", from, to);
      world.network().cut(from, to, true);
    });
    world.at(until, [&world, from, to] {
      world.trace().note("is heard again by", from, to);
      world.network().cut(from, to, false);
    });
  }

  /// Something about the process that runs then, if one does, and still does later.
  template <class Set>
  void on_process(std::size_t b, Moment at, Moment until, Set set) {
    World& world = world_;
    for (const bool on : {true, false}) {
      world.at(on ? at : until, [&world, b, on, until, set] {
        if (!world.box(b).alive()) return;
        world.trace().note(on ? "cannot send or tell" : "can send and tell again", b);
        world.oracle().disturbed(on ? until : world.now());
        set(*world.box(b).process(), on);
      });
    }
  }

  static void heal(World& world, const Network::Quality& quality) {
    world.trace().remark("all is well again");
    world.on_advertisement = nullptr;
    world.network().heal();
    world.network().quality = quality;
    world.oracle().wire(world.network().wire());
    for (std::size_t b = 0; b < world.boxes(); ++b) {
      world.box(b).link(true);
      world.box(b).undemote_all();
      world.box(b).start();
    }
    for (std::size_t f = 0; f < world.foreigners(); ++f) world.foreigner(f).start();
    world.oracle().disturbed(world.now());
  }

  World& world_;
  const Scenario& scenario_;
  Random& random_;
  Random more_;
  const Moment end_;
  Moment healed_;
  std::map<std::size_t, Moment> awake_;  // box to the end of its pauses
  Duration interval_{};
  std::shared_ptr<Ambush> ambush_;
};

}  // namespace

Moment disturb(World& world, const Scenario& scenario, Random& random, Moment end) {
  return Disturber(world, scenario, random, end).run();
}

}  // namespace koi::sim
