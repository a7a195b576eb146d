#include "tests/sim/scenario.h"

#include <algorithm>

#include "config/derived.h"
#include "tests/sim/random.h"
#include "tests/support/lab_config.h"

namespace koi::sim {
namespace {

constexpr std::uint64_t kReloadStream = 26;

/// What is the same on all boxes of a seed.
struct Common {
  std::uint8_t advbase = 1;
  std::uint8_t lowest_advskew = 0;
  config::Dialect dialect = config::Dialect::koi;
  bool dual_stack = false;
  unsigned members = 0;  // of a balanced group; 0: not balanced
  bool preempt = false;
  Duration preempt_delay{};
  unsigned workers = 1;
  bool with_ears = false;
};

Common draw_common(Random& random, bool koi_dialect) {
  Common c;
  const std::uint64_t timing = random.below(20);
  if (timing == 0 && koi_dialect) {
    c.advbase = 0;
    c.lowest_advskew = static_cast<std::uint8_t>(random.between(1, 20));
  } else if (timing == 1) {
    c.advbase = static_cast<std::uint8_t>(random.between(2, 5));
  }
  if (koi_dialect) {
    c.dual_stack = random.chance(0.25);
    if (!c.dual_stack && random.chance(0.2))
      c.members = static_cast<unsigned>(random.between(2, 4));
  }
  c.preempt = random.chance(0.5);
  if (koi_dialect && random.chance(0.1)) c.preempt_delay = Duration(1s) * random.between(1, 10);
  c.workers = random.chance(0.3) ? 2 : 1;
  c.with_ears = random.chance(0.2);
  return c;
}

std::uint8_t draw_advskew(Random& random, const Common& c) {
  if (c.advbase != 0) {
    return static_cast<std::uint8_t>(random.chance(0.3) ? 0 : 20 * random.between(0, 5));
  }
  return static_cast<std::uint8_t>(random.between(c.lowest_advskew, 2 * c.lowest_advskew));
}

config::Config config_of(Random& random, const Common& c, std::uint8_t node, bool preempt) {
  config::Config config = c.dual_stack ? test::dual_stack_box(node) : test::lan_box(node);
  config::Group& group = config.groups[0];
  group.advbase = c.advbase;
  group.advskew = draw_advskew(random, c);
  if (c.advbase == 0) group.lowest_advskew = c.lowest_advskew;
  group.dialect = c.dialect;
  group.preempt = preempt;
  group.preempt_delay = c.preempt_delay;
  if (c.members != 0) {
    config::Balance balance;
    for (unsigned m = 0; m < c.members; ++m) {
      balance.members.push_back({Vhid(static_cast<std::uint8_t>(m + 1)), draw_advskew(random, c)});
    }
    group.balance = balance;
  }
  return config;
}

Network::Quality draw_quality(Random& random) {
  Network::Quality q;
  q.delay = Duration(random.log_between(2'000, 200'000));
  if (random.chance(0.3)) q.jitter = Duration(random.log_between(1'000, 2'000'000));
  if (random.chance(0.2)) q.duplicates = random.unit() * 0.3;
  return q;
}

/// Own addresses that a signed, a swapped or a textual comparison would order otherwise.
void draw_addresses(Random& random, std::vector<Box::Setup>& boxes) {
  std::vector<Ipv4Address> left;
  for (const char* address : {"9.0.0.5", "10.1.2.200", "100.64.0.1", "128.0.0.1", "172.16.5.4",
                              "192.0.2.200", "198.51.100.7", "223.255.255.1"}) {
    left.push_back(test::ip4(address));
  }
  for (Box::Setup& box : boxes) {
    const auto drawn = left.begin() + static_cast<std::ptrdiff_t>(random.below(left.size()));
    box.config.ports[0].addresses[0] = {*drawn, 24};
    left.erase(drawn);
  }
}

/// Each box sends copies to all others, beside or instead of multicast.
void make_unicast(Random& random, Scenario& s) {
  const bool multicast = random.chance(0.3);
  for (Box::Setup& box : s.world.boxes) {
    box.config.groups[0].multicast = multicast;
    for (const Box::Setup& other : s.world.boxes) {
      if (&other == &box) continue;
      for (const auto& address : other.config.ports[0].addresses) {
        box.config.groups[0].peers.push_back(address.address);
      }
    }
  }
  s.world.oracle.lossy = true;  // before a peer's MAC is known nothing reaches it (L3)
}

void draw_more(std::uint64_t seed, const Common& common, Scenario& s) {
  Random random(mix(mix(seed) ^ 24));
  s.more_seed = random.next();
  s.more_faults = random.chance(0.4);
  s.attacked = s.koi_dialect && random.chance(0.3);
  if (!s.koi_dialect) return;
  if (random.chance(0.4)) draw_addresses(random, s.world.boxes);
  if (common.members == 0 && random.chance(0.12)) make_unicast(random, s);
  if (random.chance(0.1)) {
    s.sync_wait = Duration(1s) * random.between(1, 5);
    for (Box::Setup& box : s.world.boxes) box.config.groups[0].sync_wait = s.sync_wait;
  }
}

/// Drawn apart from all else, and that none of the seeds in regressions.txt gets another run.
void draw_reloads(std::uint64_t seed, Scenario& s) {
  Random random(mix(mix(seed) ^ kReloadStream));
  s.reloads = s.koi_dialect && random.chance(0.25);
}

}  // namespace

config::Config changed(const config::Config& config, Random& random) {
  config::Config next = config;
  config::Group& group = next.groups[0];
  Common common;
  common.advbase = group.advbase;
  common.lowest_advskew = group.lowest_advskew.value_or(0);
  group.advskew = draw_advskew(random, common);
  if (group.balance) {
    for (auto& member : group.balance->members) member.advskew = draw_advskew(random, common);
  }
  group.preempt = random.chance(0.5);
  return next;
}

Scenario plain_scenario(std::span<const std::uint8_t> advskews, std::uint64_t seed) {
  Random random(seed);
  Scenario s;
  s.seed = random.next();
  s.world.seed = random.next();
  for (const std::uint8_t advskew : advskews) {
    Box::Setup box;
    box.config = test::lan_box(static_cast<std::uint8_t>(s.world.boxes.size() + 1));
    box.config.groups[0].advskew = advskew;
    box.ppm = random.between(-200, 200);
    box.seed = random.next();
    s.world.boxes.push_back(box);
  }
  draw_addresses(random, s.world.boxes);
  s.world.oracle.boxes = s.world.boxes.size();
  return s;
}

Scenario scenario_of(std::uint64_t seed) {
  Random random(mix(seed));
  Scenario s;
  s.seed = random.next();
  s.koi_dialect = !random.chance(0.15);
  Common common = draw_common(random, s.koi_dialect);
  const std::size_t boxes = random.chance(0.5)   ? 3
                            : random.chance(0.5) ? 2
                                                 : static_cast<std::size_t>(random.between(4, 8));
  std::size_t foreigners = 0;
  if (!s.koi_dialect) {
    const auto kind = static_cast<Foreign::Kind>(random.below(3));
    common.dialect = kind == Foreign::Kind::openbsd   ? config::Dialect::openbsd
                     : kind == Foreign::Kind::freebsd ? config::Dialect::freebsd
                                                      : config::Dialect::ucarp;
    foreigners = static_cast<std::size_t>(random.between(1, 2));
    // Of two equal boxes both may step down beside others than koi: each has its own advskew.
    for (std::size_t f = 0; f < foreigners; ++f) {
      s.world.foreigners.push_back(
          {.kind = kind,
           .advbase = common.advbase,
           .advskew = static_cast<std::uint8_t>(4 + 8 * f + 40 * random.below(4)),
           .preempt = random.chance(0.5)});
    }
  }
  for (std::size_t b = 0; b < boxes; ++b) {
    Box::Setup box;
    box.config = config_of(random, common, static_cast<std::uint8_t>(b + 1),
                           common.preempt && random.chance(0.7));
    if (!s.koi_dialect) {
      box.config.groups[0].advskew = static_cast<std::uint8_t>(20 * b + 100 * random.below(1));
    }
    box.workers = common.workers;
    box.with_ears = common.with_ears;
    box.ppm = random.between(-200, 200);
    box.seed = random.next();
    s.world.boxes.push_back(box);
  }
  s.world.seed = random.next();
  s.world.clients = static_cast<std::size_t>(random.between(1, 3));
  s.world.oracle.boxes = boxes + foreigners;
  s.world.oracle.slots = std::max(1U, common.members);
  s.world.oracle.koi_dialect = s.koi_dialect;
  s.world.oracle.counts_demotion = s.koi_dialect || common.dialect == config::Dialect::openbsd;
  s.world.oracle.lossy = random.chance(0.5);
  s.quality = draw_quality(random);
  s.two_switches = random.chance(0.4);
  s.fast = common.advbase == 0;
  s.rounds = s.fast ? 1 : static_cast<unsigned>(random.between(2, 4));
  draw_more(seed, common, s);
  draw_reloads(seed, s);
  return s;
}

std::string describe(const Scenario& s) {
  const config::Group& group = s.world.boxes[0].config.groups[0];
  std::string text = std::to_string(s.world.boxes.size()) + " boxes, " +
                     std::to_string(s.world.boxes[0].workers) + " workers, advbase " +
                     std::to_string(group.advbase) + ", advskew";
  for (const Box::Setup& box : s.world.boxes) {
    text += " " + std::to_string(box.config.groups[0].advskew) +
            (box.config.groups[0].preempt ? "p" : "");
  }
  if (group.balance) text += ", balanced over " + std::to_string(group.balance->members.size());
  if (config::families_of(group) == 3) text += ", dual stack";
  if (!s.koi_dialect) {
    constexpr std::array<const char*, 3> kKinds = {"OpenBSD", "FreeBSD", "UCarp"};
    text += ", beside";
    for (const Foreign::Setup& other : s.world.foreigners) {
      text += std::string(" ") + kKinds[static_cast<std::size_t>(other.kind)] + " " +
              std::to_string(other.advskew) + (other.preempt ? "p" : "");
    }
  }
  if (!group.peers.empty()) text += group.multicast ? ", multicast and unicast" : ", unicast";
  if (s.sync_wait != 0s) text += ", sync-wait";
  if (s.reloads) text += ", reloaded";
  if (s.attacked) text += ", attacked";
  text += s.world.oracle.lossy ? ", advertisements are lost" : ", no advertisement is lost";
  text += ", wire " + std::to_string(s.quality.delay.count() / 1000) + "-" +
          std::to_string((s.quality.delay + s.quality.jitter).count() / 1000) + " us";
  return text;
}

}  // namespace koi::sim
