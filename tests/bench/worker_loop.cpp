/// The real worker alone: its whole loop, with the driver, and no control. Its clock goes slowly,
/// so that neither the machine nor valgrind makes gaps, and leases last. For tools/bench
/// --instructions, under which koid itself could not hold a lease.
///
///   bench-worker EAL-ARGUMENTS -- COUNT [openbsd|freebsd|groups]
///
/// MASTER on port 0 for so many addresses from 10.1.0.0 on (tools/bench_lib/frames.py), balanced
/// over 8 members or not, or for as many groups on VLANs. Asked as asked.h says.

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string_view>

#include <rte_eal.h>
#include <rte_launch.h>
#include <rte_lcore.h>

#include "dataplane/channel.h"
#include "dataplane/mempool.h"
#include "dataplane/worker.h"
#include "tests/bench/asked.h"
#include "tests/support/balanced.h"

namespace {

using namespace koi;        // NOLINT: a program
using namespace koi::test;  // NOLINT: of the tests' topologies

constexpr Duration kReign = 600s;  // a Stamp bears 13 minutes
constexpr Term kTerm(1);
constexpr std::uint16_t kDepth = 1024;
constexpr std::uint64_t kSlow = std::uint64_t{1} << 40;  // ticks that it takes for 50 ms and more

Ipv4Address in_vlan(unsigned vlan, unsigned n) {
  return Ipv4Address::from_u32(0x0a00'0100 + (100 + vlan) * 0x1'0000 + n);
}

/// One address in each of so many groups, 255 of them on a VLAN, as tools/bench_lib/cases.py has
/// it.
std::shared_ptr<const Topology> groups(unsigned count) {
  TopologyBuilder made;
  made.port(kPortMac);
  for (unsigned n = 0; n < count; ++n) {
    const unsigned vlan = 1 + n / 255;
    const unsigned vhid = 1 + n % 255;
    const VlanId id(static_cast<std::uint16_t>(vlan));
    if (vhid == 1) made.own(PortIndex(0), id, in_vlan(vlan, 0));
    made.group({.vlan = id,
                .vhid = Vhid(static_cast<std::uint8_t>(vhid)),
                .addresses = {in_vlan(vlan, vhid)}});
  }
  return made.build();
}

std::shared_ptr<const Topology> topology(unsigned count, std::string_view how) {
  if (how == "groups") return groups(count);
  Group group;
  group.addresses.clear();
  for (unsigned n = 0; n < count; ++n) {
    group.addresses.push_back(Ipv4Address::from_u32(0x0a01'0000 + n));
  }
  TopologyBuilder made;
  made.port(kPortMac).own(PortIndex(0), VlanId(0), Ipv4Address::from_u32(0x0a00'0001));
  if (how.empty()) return made.group(group).build();
  return made
      .balanced(group, {1, 2, 3, 4, 5, 6, 7, 8},
                how == "openbsd" ? openbsd_balancer(8) : balance::Balancer::freebsd(8))
      .build();
}

dataplane::TscClock slow_clock() {
  dataplane::TscClock::Mark mark = dataplane::TscClock::mark();
  mark.ticks -= kSlow;
  return dataplane::TscClock(mark);
}

}  // namespace

int main(int argc, char** argv) {
  const int taken = rte_eal_init(argc, argv);
  const int arguments = taken < 0 ? 0 : argc - taken;
  const int count = arguments < 2 ? 0 : std::atoi(argv[taken + 1]);
  const std::string_view how = arguments < 3 ? "" : argv[taken + 2];
  if (count < 1 || !(how.empty() || how == "openbsd" || how == "freebsd" || how == "groups")) {
    std::fputs("bench-worker EAL-ARGUMENTS -- COUNT [openbsd|freebsd|groups], with one port\n",
               stderr);
    return 2;
  }
  const auto data = dataplane::make_pool("data", 8191);
  const auto control = dataplane::make_pool("control", 127);
  if (!data || !control || !bench::start_port(data.value(), kDepth)) {
    std::fputs("bench-worker: no memory, or no port\n", stderr);
    return 1;
  }
  const dataplane::TscClock clock = slow_clock();
  const auto board = std::make_unique<SlotBoard>();
  const auto counters = std::make_unique<WorkerCounters>();
  View view{.number = ViewNumber(1),
            .topology = topology(static_cast<unsigned>(count), how),
            .terms = {}};
  view.terms.assign(view.topology->slots.size(), kTerm);
  for (std::uint16_t s = 0; s < view.terms.size(); ++s) {
    board->slot(SlotIndex(s)).term.store(kTerm.value());
    board->slot(SlotIndex(s)).deadline[0].store(Stamp(kTerm.value(), clock.read() + kReign).word());
  }
  const auto up = dataplane::Channel<UpMessage>::create("up", 256);
  const auto down = dataplane::Channel<DownMessage>::create("down", 128);
  dataplane::Worker worker({.index = WorkerIndex(0),
                            .clock = clock,
                            .board = board.get(),
                            .counters = counters.get(),
                            .up = up.get(),
                            .down = down.get(),
                            .first_view = &view,
                            .control_pool = control.value(),
                            .queues = {{.port = PortIndex(0), .depth = kDepth, .room = kDepth}},
                            .sleeps = false});
  rte_eal_remote_launch(
      [](void* it) {
        static_cast<dataplane::Worker*>(it)->run();
        return 0;
      },
      &worker, rte_get_next_lcore(-1, 1, 0));
  const PortCounters& port = counters->ports[0];
  bench::answer_questions([&port] { return port.received.get(); },
                          [&port] { return port.transmitted.get(); });
  worker.stop();
  rte_eal_mp_wait_lcore();
  return rte_eal_cleanup() == 0 ? 0 : 1;
}
