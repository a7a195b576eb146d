// bench-takeover [TRIALS [WORKERS]]: every group of a full box is due to become MASTER at
// once: 255 vhids of 16 addresses on one port, 4,080 in all. The real control loop and the real
// workers, on a port that takes whatever is sent (net_null), as `idle: adaptive` runs them. Prints,
// for IPv4 alone and for both families, how long after the turn began in which the first one rose
//   risen      all are MASTER
//   adopted    every worker uses the view in which this box reigns everywhere
//   announced  the driver has taken all 4,080 announcements (paced: see pacer.h)
// and what a turn costs in which nothing happens. Needs root, no hugepages, cores 0 and 1.
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <memory>
#include <optional>
#include <sched.h>
#include <string_view>
#include <sys/prctl.h>
#include <time.h>
#include <variant>
#include <vector>

#include <rte_launch.h>
#include <rte_lcore.h>

#include "controlplane/loop.h"
#include "dataplane/channel.h"
#include "dataplane/eal.h"
#include "dataplane/mempool.h"
#include "dataplane/port.h"
#include "dataplane/tsc_clock.h"
#include "dataplane/worker.h"
#include "tests/support/fake_channel.h"
#include "tests/support/lab_config.h"

namespace {

using namespace koi;  // NOLINT: a program

constexpr unsigned kGroups = 255;
constexpr unsigned kAddresses = 16;  // of each
constexpr std::size_t kAnnouncements = std::size_t{kGroups} * kAddresses;
constexpr Duration kPatience = 30s;

double milliseconds(Duration d) { return static_cast<double>(d.count()) / 1e6; }

Ipv6Address shared6(unsigned group, unsigned at) {
  Ipv6Address address = test::ip6("2001:db8::");
  address.bytes[13] = static_cast<std::byte>(group);
  address.bytes[15] = static_cast<std::byte>(at + 16);
  return address;
}

config::Config full_box(bool both) {
  config::Config config;
  config.node_id = NodeId(1);
  config.ports = {test::lan_port(1)};
  config.ports[0].addresses = {{Ipv4Address::from_u32(0x0a000001), 8}};
  if (both) config.ports[0].addresses.push_back({test::ip6("2001:db8::1"), 64});
  for (unsigned g = 1; g <= kGroups; ++g) {
    config::Group group = test::lan_group();
    group.name = std::string("g").append(std::to_string(g));
    group.vhid = Vhid(static_cast<std::uint8_t>(g));
    group.addresses.clear();
    for (unsigned at = 0; at < kAddresses; ++at) {
      if (both && at >= kAddresses / 2) {
        group.addresses.push_back(shared6(g, at));
      } else {
        group.addresses.push_back(Ipv4Address::from_u32(0x0a010000 + g * 256 + at));
      }
    }
    config.groups.push_back(std::move(group));
  }
  return config;
}

/// A down ring, and what went into it.
class Tap final : public Sender<DownMessage> {
 public:
  explicit Tap(Sender<DownMessage>& ring) : ring_(ring) {}
  bool try_send(const DownMessage& message) override {
    if (!ring_.try_send(message)) return false;
    if (const auto* adopt = std::get_if<AdoptView>(&message)) {
      newest = adopt->view->number;
    } else if (const auto& frame = std::get<TransmitFrame>(message); frame.length != 0) {
      ++frames;
      if (frame.kind == FrameKind::announcement) ++announcements;
    }
    return true;
  }
  std::size_t waiting() const override { return ring_.waiting(); }

  ViewNumber newest{1};
  std::size_t frames = 0;
  std::size_t announcements = 0;

 private:
  Sender<DownMessage>& ring_;
};

struct WorkerRoom {
  std::unique_ptr<dataplane::Channel<UpMessage>> up;
  std::unique_ptr<dataplane::Channel<DownMessage>> down;
  std::unique_ptr<Tap> tap;
  std::unique_ptr<WorkerCounters> counters = std::make_unique<WorkerCounters>();
  std::unique_ptr<dataplane::Worker> worker;
};

/// What outlives a trial.
struct Machine {
  dataplane::TscClock clock;
  std::vector<rte_mempool*> control_pools;
  std::optional<dataplane::Port> port;
};

struct Figures {
  Duration risen{};
  Duration adopted{};
  Duration announced{};
  Duration idle_turn = kPatience;  // the shortest of those in which nothing happened
};

class Trial {
 public:
  Trial(Machine& machine, const config::Config& config)
      : machine_(machine), counters_(config.groups.size()), rooms_(machine.control_pools.size()) {
    controlplane::ControlLoop::Setup setup;
    setup.clock = &machine_.clock;
    setup.board = board_.get();
    setup.counters = &counters_;
    setup.commands = &commands_;
    setup.reports = &reports_;
    setup.node = config.node_id;
    setup.sequence_ceiling = 1'000'000'000;
    for (std::size_t w = 0; w < rooms_.size(); ++w) {
      WorkerRoom& room = rooms_[w];
      const std::string name = std::to_string(w);
      room.up = dataplane::Channel<UpMessage>::create(std::string("up").append(name), 4096);
      room.down = dataplane::Channel<DownMessage>::create(std::string("down").append(name), 8192);
      room.tap = std::make_unique<Tap>(*room.down);
      setup.workers.push_back({room.up.get(), room.tap.get(), room.counters.get()});
    }
    const auto receivers = static_cast<std::uint8_t>((1U << machine_.port->queues()) - 1);
    loop_ = std::make_unique<controlplane::ControlLoop>(
        setup, controlplane::make_plan(config, {{machine_.port->mac(), receivers}}));
    for (std::size_t w = 0; w < rooms_.size(); ++w) start(w);
  }

  ~Trial() {
    for (WorkerRoom& room : rooms_) room.worker->stop();
    rte_eal_mp_wait_lcore();
  }
  Trial(const Trial&) = delete;
  Trial& operator=(const Trial&) = delete;

  /// Nothing: it did not happen.
  std::optional<Figures> run() {
    commands_.try_send(controlplane::SetLink{PortIndex(0), true});
    Figures figures;
    std::optional<Instant> began;
    bool risen = false;
    bool adopted = false;
    const Instant end = machine_.clock.read() + kPatience;
    for (;;) {
      const Instant before = machine_.clock.read();
      if (before > end) return std::nullopt;
      loop_->turn();
      const Instant after = machine_.clock.read();
      reports_.messages.clear();
      const std::size_t masters = risen ? kGroups : reigned();
      if (masters == 0) figures.idle_turn = std::min(figures.idle_turn, after - before);
      if (!began && masters != 0) began = before;
      if (!risen && masters == kGroups) {
        risen = true;
        figures.risen = machine_.clock.read() - *began;
      }
      // As soon as it is so: control's own nap is in the figure only where it delays something.
      if (risen && !adopted) {
        while (!all_adopted() && machine_.clock.read() - after < 200us) {
        }
        adopted = all_adopted();
        if (adopted) figures.adopted = machine_.clock.read() - *began;
      }
      if (risen && all_announced()) {
        figures.announced = machine_.clock.read() - *began;
        return figures;
      }
      constexpr timespec kNap{.tv_sec = 0, .tv_nsec = 100'000};
      if (!risen || adopted) nanosleep(&kNap, nullptr);
    }
  }

 private:
  void start(std::size_t w) {
    WorkerRoom& room = rooms_[w];
    room.worker = std::make_unique<dataplane::Worker>(
        dataplane::WorkerSetup{.index = WorkerIndex(static_cast<std::uint8_t>(w)),
                               .clock = machine_.clock,
                               .board = board_.get(),
                               .counters = room.counters.get(),
                               .up = room.up.get(),
                               .down = room.down.get(),
                               .first_view = loop_->first_view(),
                               .control_pool = machine_.control_pools[w],
                               .queues = {{.port = PortIndex(0),
                                           .port_id = machine_.port->id(),
                                           .queue_id = static_cast<std::uint16_t>(w),
                                           .depth = machine_.port->rx_descriptors(),
                                           .room = machine_.port->room()}},
                               .sleeps = true});
    rte_eal_remote_launch(
        [](void* worker) {
          static_cast<dataplane::Worker*>(worker)->run();
          return 0;
        },
        room.worker.get(), static_cast<unsigned>(w + 1));
  }

  std::size_t reigned() const {
    std::size_t count = 0;
    for (std::uint16_t slot = 0; slot < kGroups; ++slot) {
      count += board_->slot(SlotIndex(slot)).term.load() != 0 ? 1 : 0;
    }
    return count;
  }
  bool all_adopted() const {
    for (std::size_t w = 0; w < rooms_.size(); ++w) {
      const WorkerWords& words = board_->worker(WorkerIndex(static_cast<std::uint8_t>(w)));
      if (words.adopted.load() != rooms_[w].tap->newest.value()) return false;
    }
    return true;
  }
  bool all_announced() const {
    std::size_t announcements = 0;
    std::size_t frames = 0;
    std::size_t transmitted = 0;
    for (const WorkerRoom& room : rooms_) {
      announcements += room.tap->announcements;
      frames += room.tap->frames;
      transmitted += room.counters->ports[0].transmitted.get();
    }
    return announcements >= kAnnouncements && transmitted == frames;
  }

  Machine& machine_;
  std::unique_ptr<SlotBoard> board_ = std::make_unique<SlotBoard>();
  controlplane::ControlCounters counters_;
  test::FakeChannel<controlplane::Command> commands_;
  test::FakeChannel<controlplane::Report> reports_{1U << 20};
  std::vector<WorkerRoom> rooms_;
  std::unique_ptr<controlplane::ControlLoop> loop_;
};

int measure(Machine& machine, unsigned trials, bool both) {
  const config::Config config = full_box(both);
  const char* const families = both ? "both families" : "IPv4";
  std::vector<Figures> all;
  for (unsigned t = 0; t < trials; ++t) {
    const std::optional<Figures> figures = Trial(machine, config).run();
    if (!figures) {
      std::printf("%s: void, for not all became MASTER or not all was sent\n", families);
      continue;
    }
    all.push_back(*figures);
    std::printf(
        "%s: risen after %.2f ms, adopted after %.2f, announced after %.1f; an idle turn %.1f us\n",
        families, milliseconds(figures->risen), milliseconds(figures->adopted),
        milliseconds(figures->announced), milliseconds(figures->idle_turn) * 1e3);
    std::fflush(stdout);
  }
  if (all.empty()) {
    std::printf("%s: no trial in which all became MASTER and all was sent\n", families);
    return 1;
  }
  const auto median = [&all](Duration Figures::*what) {
    std::sort(all.begin(), all.end(),
              [what](const Figures& a, const Figures& b) { return a.*what < b.*what; });
    return milliseconds(all[all.size() / 2].*what);
  };
  std::printf("%s: median of %zu: risen after %.2f ms, adopted after %.2f, announced after %.1f\n",
              families, all.size(), median(&Figures::risen), median(&Figures::adopted),
              median(&Figures::announced));
  return 0;
}

unsigned number(std::string_view text, unsigned most) {
  unsigned value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return std::clamp(value, 1U, most);
}

}  // namespace

int main(int argc, char** argv) {
  const unsigned trials = argc > 1 ? number(argv[1], 100) : 5;
  const unsigned workers = argc > 2 ? number(argv[2], kMaxWorkers) : 2;
  dataplane::EalOptions options;
  options.worker_cores.assign(workers, 1);
  options.hugepages = false;
  options.devices = {"net_null0,no-rx=1"};
  const auto eal = dataplane::Eal::start(options);
  if (!eal) {
    std::fprintf(stderr, "bench-takeover: %s\n", eal.error().message.c_str());
    return 1;
  }
  Machine machine;
  std::vector<rte_mempool*> data_pools;
  for (unsigned w = 0; w < workers; ++w) {
    const std::string name = std::to_string(w);
    data_pools.push_back(
        dataplane::make_pool(std::string("data").append(name), dataplane::data_mbufs(1, 1024))
            .value());
    machine.control_pools.push_back(
        dataplane::make_pool(std::string("control").append(name), dataplane::kControlMbufs)
            .value());
  }
  auto port = dataplane::Port::start(PortIndex(0), "lan", options.devices[0], {}, data_pools, 0,
                                     false, false);
  if (!port) {
    std::fprintf(stderr, "bench-takeover: %s\n", port.error().message.c_str());
    return 1;
  }
  machine.port.emplace(std::move(port).value());
  // As the daemon does with `idle: adaptive`.
  prctl(PR_SET_TIMERSLACK, 1UL);
  const sched_param priority{.sched_priority = 50};
  sched_setscheduler(0, SCHED_FIFO, &priority);

  std::printf("%u groups of %u addresses, %u worker(s)\n", kGroups, kAddresses, workers);
  return measure(machine, trials, false) | measure(machine, trials, true);
}
