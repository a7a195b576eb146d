#include "tests/sim/run.h"

#include <algorithm>

#include "config/derived.h"
#include "controlplane/election/types.h"
#include "tests/sim/attacker.h"
#include "tests/sim/faults.h"
#include "tests/sim/scenario.h"
#include "tests/support/lab_config.h"

namespace koi::sim {
namespace {

using election::Role;

class Run {
 public:
  Run(const Scenario& scenario, const RunOptions& options)
      : scenario_(scenario),
        brief_(options.brief),
        random_(scenario.seed),
        world_(scenario.world, options.trace),
        more_(mix(scenario.more_seed)),
        attacker_(world_, mix(scenario.more_seed ^ 1)) {
    world_.trace().remark(describe(scenario));
    describe_members();
    world_.network().quality = scenario.quality;
    world_.oracle().wire(world_.network().wire());
    const std::size_t nodes = world_.boxes() + world_.foreigners() + world_.clients();
    for (Node node = 0; node < nodes; ++node) {
      world_.network().attach(node, scenario.two_switches ? random_.below(2) : 0);
    }
  }

  Outcome start_at_once() {
    world_.oracle().disturbed(world_.now() + 1ms);
    for (std::size_t b = 0; b < world_.boxes(); ++b) world_.box(b).start();
    settle(4 * longest_interval() + 3ms);
    expect_one_master();
    for (std::size_t b = 0; b < world_.boxes() && !failed(); ++b) {
      if (!is_master(b, 0)) continue;
      for (std::size_t other = 0; other < world_.boxes(); ++other) {
        if (world_.oracle().member(other, 0).interval >= world_.oracle().member(b, 0).interval) {
          continue;
        }
        world_.oracle().fail("a better box than the MASTER has started at the same time");
      }
    }
    return outcome();
  }

  Outcome run() {
    if (scenario_.attacked) {
      world_.overhears = [this](std::size_t box, const Packet& packet) {
        attacker_.overhear(box, packet);
      };
      attacker_.go_on(kNoMoment, scenario_.fast ? Duration(100ms) : Duration(5s));
    }
    cold_start();
    const unsigned rounds = brief_ ? 1 : scenario_.rounds;
    for (unsigned round = 0; round < rounds && !failed(); ++round) {
      const Duration length = scenario_.fast ? Duration(2s) : Duration(40s);
      const Moment healed = disturb(world_, scenario_, random_, world_.now() + length);
      ask_until(healed, length / 20);
      world_.run_until(healed);
      be_well();
      for (unsigned death = 0; death < (brief_ ? 1 : 2) && !failed(); ++death) take_over();
      if (scenario_.more_faults && scenario_.koi_dialect && scenario_.world.oracle.lossy) {
        part_and_meet();
      }
    }
    world_.catch_up();
    world_.oracle().finish();
    return outcome();
  }

 private:
  Outcome outcome() {
    return {.violation = world_.oracle().violation(),
            .simulated = world_.now().time_since_epoch(),
            .longest_double = world_.oracle().longest_double(),
            .trace = world_.trace().number(),
            .takeovers = takeovers_};
  }

  bool failed() { return world_.oracle().failed(); }

  void describe_members() {
    for (std::size_t b = 0; b < world_.boxes(); ++b) {
      const config::Group& group = world_.box(b).config().groups[0];
      for (std::size_t slot = 0; slot < slots(); ++slot) {
        const std::uint8_t advskew = config::members_of(group)[slot].advskew;
        Oracle::Member& member = world_.oracle().member(b, slot);
        member.master_down = election::master_down_interval(group.advbase, advskew, 3);
        member.interval = election::send_interval(group.advbase, advskew);
        member.preempt = group.preempt;
        member.rank = config::families_of(group) == 3
                          ? world_.box(b).config().node_id.value()
                          : world_.box(b).config().ports[0].addresses[0].address.v4().to_u32();
      }
    }
    for (std::size_t f = 0; f < world_.foreigners(); ++f) {
      const Foreign::Setup& other = scenario_.world.foreigners[f];
      Oracle::Member& member = world_.oracle().member(world_.boxes() + f, 0);
      member.master_down = election::master_down_interval(other.advbase, other.advskew, 3);
      member.interval = election::send_interval(other.advbase, other.advskew);
      member.preempt = other.preempt;
    }
  }

  std::size_t slots() const { return scenario_.world.oracle.slots; }
  Duration patience() { return world_.oracle().longest_wait(); }

  void cold_start() {
    world_.oracle().disturbed(world_.now() + 60ms);
    for (std::size_t b = 0; b < world_.boxes(); ++b) {
      world_.at(world_.now() + Duration(random_.between(0, 50'000'000)),
                [this, b] { world_.box(b).start(); });
    }
    for (std::size_t f = 0; f < world_.foreigners(); ++f) world_.foreigner(f).start();
    world_.run_until(world_.now() + 60ms);
    be_well();
  }

  void ask_until(Moment end, Duration each) {
    for (Moment at = world_.now(); at < end; at += Duration(random_.between(1, 2 * each.count()))) {
      const std::size_t client = random_.below(world_.clients());
      world_.at(at, [this, client] { world_.ask(client); });
    }
  }

  /// All is well now: the boxes come to agree, and then nothing changes for a good while.
  void be_well() {
    // What a box noticed of itself counts for up to 10 s, a preempt may wait for as long.
    settle(2 * patience() + 4 * longest_interval() + scenario_.sync_wait +
           (scenario_.fast ? 12s : 24s));
    expect_one_master();
    expect_clients_served();
    const Duration quiet =
        scenario_.fast || brief_ ? Duration(1s) : Duration(1s) * random_.between(60, 500);
    const std::uint64_t changes = world_.oracle().role_changes();
    ask_until(world_.now() + quiet, 15s);
    world_.run_until(world_.now() + quiet);
    if (!failed() && world_.oracle().role_changes() != changes) {
      world_.oracle().fail("a role changed although all was well");
    }
  }

  void settle(Duration time) { world_.run_until(world_.now() + time); }

  Duration longest_interval() {
    Duration longest{};
    for (std::size_t box = 0; box < world_.oracle_boxes(); ++box) {
      for (std::size_t slot = 0; slot < slots(); ++slot) {
        longest = std::max(longest, world_.oracle().member(box, slot).interval);
      }
    }
    return longest;
  }

  bool is_master(std::size_t box, std::size_t slot) {
    if (box < world_.boxes()) return world_.oracle().role_of(box, slot) == Role::master;
    return world_.foreigner(box - world_.boxes()).master();
  }

  void expect_one_master() {
    if (failed()) return;
    world_.catch_up();
    for (std::size_t slot = 0; slot < slots(); ++slot) {
      std::size_t masters = 0;
      for (std::size_t box = 0; box < world_.oracle_boxes(); ++box) {
        if (!is_master(box, slot)) continue;
        ++masters;
        if (!world_.oracle().answering(box, slot)) {
          world_.oracle().fail("box " + std::to_string(box) + " is MASTER and does not answer");
        }
      }
      if (masters == 1) continue;
      world_.oracle().fail("all is well, and slot " + std::to_string(slot) + " has " +
                           std::to_string(masters) + " masters");
    }
  }

  /// Each client asks, gets one answer, and what it sends to that MAC goes to a master.
  void expect_clients_served() {
    if (failed()) return;
    for (std::size_t c = 0; c < world_.clients(); ++c) {
      world_.client(c).forget_answers();
      world_.ask(c);
    }
    world_.run_until(world_.now() + 2 * world_.network().wire() + 1ms);
    for (std::size_t c = 0; c < world_.clients() && !failed(); ++c) {
      const Client& client = world_.client(c);
      // A duplicate of a question is answered, a duplicate of the answer is one more.
      const bool once = client.answers() == 1 ||
                        (client.answers() > 1 && world_.network().quality.duplicates > 0);
      if (!once) {
        world_.oracle().fail("client " + std::to_string(c) + " got " +
                             std::to_string(client.answers()) + " answers");
      }
      expect_right_cache(c, true);
    }
  }

  /// What the client sends to the address goes to a master. asked: else it may know nothing, or the
  /// switch not know where that is, and ask or flood.
  void expect_right_cache(std::size_t c, bool asked) {
    if (failed()) return;
    const Client& client = world_.client(c);
    const auto mac = client.knows(test::ip4("192.0.2.10"), world_.now());
    if (!mac && !asked) return;
    const Node nobody = world_.oracle_boxes() + world_.clients();
    const Node owner = mac ? world_.network().owner(client.node(), *mac) : nobody;
    if (owner == nobody && !asked) return;
    if (mac && owner < world_.oracle_boxes()) {
      const auto slot = static_cast<std::size_t>(std::to_integer<unsigned>(mac->bytes[5]) - 1);
      if (slot < slots() && is_master(owner, slot)) return;
    }
    world_.oracle().fail("what client " + std::to_string(c) +
                         " sends to the address goes to node " + std::to_string(owner));
  }

  // ---- I2 ---------------------------------------------------------------------------------------

  /// The master of a slot dies or hangs: somebody answers in time, and after it is back they agree.
  void take_over() {
    const std::size_t slot = random_.below(slots());
    std::size_t dying = 0;
    while (dying < world_.boxes() && !is_master(dying, slot)) ++dying;
    settle(Duration(random_.between(0, 2 * longest_interval().count())));
    if (dying == world_.boxes() || world_.boxes() < 2 || failed()) return;
    const Moment died = world_.now();
    const auto way = random_.below(3);
    if (way == 0) world_.box(dying).kill();
    if (way == 1) world_.box(dying).pause(std::nullopt, {died, 0, 3 * patience()});
    if (way == 2) world_.box(dying).pause(0, {died, 0, 3 * patience()});
    settle(world_.network().wire() + 1ms);
    const Moment by = latest_answer(dying, slot);
    world_.oracle().disturbed(by);
    world_.run_until(by);
    world_.catch_up();
    ++takeovers_;
    if (!failed() && !answered_by_another(dying, slot)) {
      world_.oracle().fail("I2: box " + std::to_string(dying) + " has gone, and after " +
                           std::to_string((by - died).count() / 1000) +
                           " us nobody answers for slot " + std::to_string(slot));
    }
    settle(Duration(random_.between(0, 5'000'000'000)));
    world_.box(dying).start();
    world_.oracle().disturbed(died + 3 * patience() + 50ms);
    world_.run_until(died + 3 * patience() + 100ms);
    be_well();
  }

  /// Promise 2: of each healthy box, its own master-down time and 5 ms after it heard the last one.
  Moment latest_answer(std::size_t but, std::size_t slot) {
    Moment by = kNoMoment;
    for (std::size_t box = 0; box < world_.boxes(); ++box) {
      if (box == but || !world_.box(box).alive()) continue;
      const Duration wait = world_.oracle().member(box, slot).master_down;
      const Moment heard = world_.oracle().heard_at(box, slot);
      by = std::min(by, heard + wait + wait / 4000 + 5ms);
    }
    return by;
  }

  // ---- T24 --------------------------------------------------------------------------------------

  /// Two sides that cannot hear each other, and do again: one interval later one MASTER is left,
  /// and 10 ms after that what clients send goes there, though they asked nobody. Where the one
  /// that is left has not heard the other, which gave way before its turn came, a switch may know
  /// the virtual MAC by what that one sent last: until the next advertisement.
  void part_and_meet() {
    if (failed() || world_.boxes() < 2) return;
    const bool trunk = scenario_.two_switches && more_.chance(0.5);
    const std::uint64_t side = more_.below(std::uint64_t{1} << world_.boxes());
    world_.trace().remark("two sides no longer hear each other");
    for (std::size_t a = 0; a < world_.boxes() && !trunk; ++a) {
      for (std::size_t b = 0; b < world_.boxes(); ++b) {
        if ((side >> a & 1) != (side >> b & 1)) world_.network().cut(a, b, true);
      }
    }
    world_.network().cut_trunk(trunk);
    ask_until(world_.now() + patience(), patience() / 10);
    settle(2 * patience() + longest_interval());
    world_.trace().remark("they hear each other again");
    world_.network().heal();
    const Moment met = world_.now();
    world_.oracle().disturbed(met);
    settle(longest_interval() + longest_interval() / 1000 + 2 * world_.network().wire() + 3ms);
    expect_one_master();
    settle(masters_have_heard_since(met) ? 10ms : longest_interval() * 1001 / 1000 + 10ms);
    for (std::size_t c = 0; c < world_.clients(); ++c) expect_right_cache(c, false);
    be_well();
  }

  /// Iff the MASTER of each slot has heard another box since.
  bool masters_have_heard_since(Moment then) {
    for (std::size_t slot = 0; slot < slots(); ++slot) {
      for (std::size_t box = 0; box < world_.boxes(); ++box) {
        if (is_master(box, slot) && world_.oracle().heard_at(box, slot) < then) return false;
      }
    }
    return true;
  }

  bool answered_by_another(std::size_t but, std::size_t slot) {
    for (std::size_t box = 0; box < world_.oracle_boxes(); ++box) {
      if (box != but && world_.oracle().answering(box, slot)) return true;
    }
    return false;
  }

  const Scenario& scenario_;
  const bool brief_;
  Random random_;
  World world_;
  Random more_;
  Attacker attacker_;
  unsigned takeovers_ = 0;
};

}  // namespace

Outcome run_seed(std::uint64_t seed, const RunOptions& options) {
  Scenario scenario = scenario_of(seed);
  scenario.world.closely = options.closely;
  return Run(scenario, options).run();
}

Outcome run_cold_start(std::span<const std::uint8_t> advskews, std::uint64_t seed) {
  const Scenario scenario = plain_scenario(advskews, seed);
  return Run(scenario, {}).start_at_once();
}

}  // namespace koi::sim
