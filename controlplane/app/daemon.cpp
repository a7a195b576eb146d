#include "controlplane/app/daemon.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <thread>
#include <time.h>
#include <unistd.h>
#include <vector>

#include <fmt/format.h>
#include <rte_cycles.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <spdlog/spdlog.h>

#include "controlplane/app/confine.h"
#include "controlplane/app/log.h"
#include "controlplane/app/ports.h"
#include "controlplane/app/process.h"
#include "controlplane/app/service.h"
#include "controlplane/app/trailer_keeper.h"
#include "controlplane/loop.h"
#include "dataplane/capture.h"
#include "dataplane/eal.h"
#include "dataplane/mempool.h"
#include "dataplane/rx_interrupts.h"
#include "dataplane/worker.h"
#include "service/notify.h"

namespace koi::app {
namespace {

using dataplane::Channel;

constexpr unsigned kUpRing = 4096;
constexpr unsigned kDownRing = 8192;     // 4,080 announcements, and room
constexpr unsigned kServiceRing = 8192;  // a report of every slot, and room
constexpr int kControlPriority = 50;     // SCHED_FIFO, above everything that is not real-time
constexpr Duration kEndPatience = 2s;    // for threads that hang at the end
constexpr Duration kControlNap = 100us;
/// With `idle: poll`, in pauses of the processor: a worker may be its core's other hyperthread.
constexpr unsigned kControlPauseUs = 2;

/// The calling thread, which is control's: above everything that is not real-time.
void claim_core() {
  prctl(PR_SET_TIMERSLACK, 1UL);
  const sched_param priority{.sched_priority = kControlPriority};
  if (sched_setscheduler(0, SCHED_FIFO, &priority) != 0) {
    spdlog::warn(
        "control runs without SCHED_FIFO and may be late under load: it needs CAP_SYS_NICE, or "
        "RLIMIT_RTPRIO {}",
        kControlPriority);
  }
}

/// One worker with what belongs to it.
struct WorkerRoom {
  std::unique_ptr<Channel<UpMessage>> up;
  std::unique_ptr<Channel<DownMessage>> down;
  std::unique_ptr<WorkerCounters> counters;
  rte_mempool* control_pool = nullptr;
  std::unique_ptr<dataplane::RxInterrupts> interrupts;  // nothing: polls and naps
  std::unique_ptr<dataplane::CallingSender> calls;      // down, with interrupts
  std::unique_ptr<dataplane::Worker> worker;
};

class Daemon {
 public:
  Daemon(config::Config&& config, const std::string& file, int signals, const cpu_set_t& affinity)
      : config_(std::move(config)), file_(file), signals_(signals), affinity_(affinity) {}

  Status start();
  void run();

 private:
  bool sleeps() const { return config_.dataplane.idle == config::Idle::adaptive; }
  Status make_rooms();
  Status open_service();
  void make_workers();
  void run_service();
  Reload::Setup reload_setup();
  void run_control(bool adaptive);

  config::Config config_;  // the service thread's once it runs, for it reloads; as plan_
  const std::string file_;
  const int signals_;
  const cpu_set_t affinity_;
  std::optional<StateFile> state_file_;
  std::optional<dataplane::Eal> eal_;  // declared first of DPDK's: destroyed last
  std::optional<dataplane::TscClock> clock_;
  std::unique_ptr<SlotBoard> board_ = std::make_unique<SlotBoard>();
  Ports ports_{config_};
  std::unique_ptr<dataplane::Capture> capture_;
  std::vector<WorkerRoom> rooms_;
  std::unique_ptr<Channel<controlplane::Command>> commands_;
  std::unique_ptr<Channel<controlplane::Report>> reports_;
  std::optional<Bell> bell_;  // on the reports
  std::unique_ptr<controlplane::ControlCounters> control_counters_;
  std::unique_ptr<controlplane::ControlLoop> loop_;
  std::vector<controlplane::PortFacts> facts_;  // by PortIndex
  controlplane::Plan plan_;
  std::unique_ptr<Service> service_;
  std::atomic<std::int64_t> control_turn_{0};  // writer: control
  std::atomic<bool> stop_control_{false};
  std::atomic<bool> ended_{false};  // control and all workers have
};

Status Daemon::start() {
  const auto started = dataplane::TscClock::mark();
  if (ControlSocket::is_taken(config_.control.socket)) {  // before anything is touched
    return Error{
        fmt::format("control socket {}: another koid is running there; stop it, or give this "
                    "one its own control.socket",
                    config_.control.socket)};
  }
  auto state_file = StateFile::open(config_.state_file);
  if (!state_file) return state_file.error();
  state_file_.emplace(std::move(state_file).value());
  auto eal = dataplane::Eal::start(eal_options(config_));
  if (!eal) return eal.error();
  eal_.emplace(std::move(eal).value());
  clock_.emplace(started);
  if (Status s = ports_.open(); !s) return s;
  for (const auto& step : {&Daemon::make_rooms, &Daemon::open_service}) {
    if (Status s = (this->*step)(); !s) return s;
  }
  make_workers();
  return Done{};
}

Status Daemon::make_rooms() {
  const Error no_memory{
      "no memory for the rings: reserve more hugepages, or give more memory with "
      "dataplane.eal: [\"-m\", \"MiB\"]"};
  for (std::size_t w = 0; w < config_.dataplane.worker_cores.size(); ++w) {
    WorkerRoom room;
    room.up = Channel<UpMessage>::create(fmt::format("up{}", w), kUpRing);
    room.down = Channel<DownMessage>::create(fmt::format("down{}", w), kDownRing);
    room.counters = std::make_unique<WorkerCounters>();
    auto pool = dataplane::make_pool(fmt::format("control{}", w), dataplane::kControlMbufs);
    if (!pool) return pool.error();
    room.control_pool = pool.value();
    if (!room.up || !room.down) return no_memory;
    if ((room.interrupts = ports_.interrupts_of(w)) != nullptr) {
      room.calls = std::make_unique<dataplane::CallingSender>(*room.down, *room.interrupts);
    }
    rooms_.push_back(std::move(room));
  }
  commands_ = Channel<controlplane::Command>::create("commands", 1024);
  reports_ = Channel<controlplane::Report>::create("reports", kServiceRing);
  if (!commands_ || !reports_) return no_memory;
  bell_.emplace(*reports_);

  facts_ = ports_.facts();
  plan_ = controlplane::make_plan(config_, facts_);
  for (const SlotView& slot : plan_.topology->slots) {
    for (const MacAddress& mac : {slot.mac, slot.told}) {
      if (Status s = ports_[slot.port].accept(mac); !s) return s;
    }
  }
  control_counters_ = std::make_unique<controlplane::ControlCounters>(plan_.slots.size());
  controlplane::ControlLoop::Setup setup;
  setup.clock = &*clock_;
  setup.board = board_.get();
  setup.counters = control_counters_.get();
  setup.commands = commands_.get();
  setup.reports = &*bell_;
  for (WorkerRoom& room : rooms_) {
    Sender<DownMessage>* down = room.down.get();
    if (room.calls) down = room.calls.get();
    setup.workers.push_back({room.up.get(), down, room.counters.get()});
  }
  setup.node = config_.node_id;
  setup.stall_after = config_.dataplane.stall_after;
  setup.first_sequence = state_file_->first_sequence();
  setup.sequence_ceiling = state_file_->ceiling();
  if (!plan_.topology->trailer_keys.empty()) {
    if (Status s = reserve_trailers(*state_file_); !s) return s;
  }
  setup.first_trailer = state_file_->first_trailer();
  setup.trailer_ceiling = state_file_->trailer_ceiling();
  setup.utc_offset = utc_offset(*clock_);
  loop_ = std::make_unique<controlplane::ControlLoop>(setup, plan_);
  return Done{};
}

Status Daemon::open_service() {
  Service::Setup setup;
  setup.snapshot.config = &config_;
  setup.snapshot.board = board_.get();
  setup.snapshot.plan = &plan_;
  setup.snapshot.control = control_counters_.get();
  for (const WorkerRoom& room : rooms_) setup.snapshot.workers.push_back(room.counters.get());
  setup.snapshot.slots.resize(plan_.slots.size());
  setup.snapshot.since.resize(plan_.slots.size(), std::chrono::system_clock::now());
  setup.snapshot.link_up.resize(config_.ports.size());
  setup.snapshot.clock = &*clock_;
  setup.snapshot.control_turn = &control_turn_;
  setup.state_file = &*state_file_;
  setup.commands = commands_.get();
  setup.reports = reports_.get();
  setup.bell = &*bell_;
  setup.links = ports_.links();
  setup.watches = ports_.watches();
  capture_ = std::make_unique<dataplane::Capture>(*clock_, *board_, ports_.capture_queues());
  setup.capture = capture_.get();
  setup.reload = reload_setup();
  setup.socket_path = config_.control.socket;
  setup.signals = signals_;
  auto service = Service::open(std::move(setup));
  if (!service) return service.error();
  service_ = std::move(service).value();
  return Done{};
}

Reload::Setup Daemon::reload_setup() {
  return {.file = file_,
          .config = &config_,
          .plan = &plan_,
          .counters = control_counters_.get(),
          .ports = facts_,
          .accept = [this](PortIndex p, const MacAddress& m) { return ports_[p].accept(m); },
          .release = [this](PortIndex p, const MacAddress& m) { ports_[p].release(m); }};
}

void Daemon::make_workers() {
  std::vector<dataplane::WorkerSetup::Sequence> sequences;
  for (const TrailerRecordOfSlot& record : records_of(config_, plan_, *state_file_)) {
    sequences.push_back({record.slot, record.source, record.sequence});
  }
  for (std::size_t w = 0; w < rooms_.size(); ++w) {
    WorkerRoom& room = rooms_[w];
    dataplane::WorkerSetup setup{.index = WorkerIndex(static_cast<std::uint8_t>(w)),
                                 .clock = *clock_,
                                 .board = board_.get(),
                                 .counters = room.counters.get(),
                                 .up = room.up.get(),
                                 .down = room.down.get(),
                                 .first_view = loop_->first_view(),
                                 .control_pool = room.control_pool,
                                 .queues = ports_.queues_of(w),
                                 .sleeps = sleeps(),
                                 .interrupts = room.interrupts.get(),
                                 .sequences = sequences};
    room.worker = std::make_unique<dataplane::Worker>(setup);
  }
}

void Daemon::run() {
  for (std::size_t w = 0; w < rooms_.size(); ++w) {
    rte_eal_remote_launch(
        [](void* worker) {
          static_cast<const dataplane::Worker*>(worker)->claim_core();
          give_up_capabilities();
          static_cast<dataplane::Worker*>(worker)->run();
          return 0;
        },
        rooms_[w].worker.get(), static_cast<unsigned>(w + 1));
  }
  const bool adaptive = sleeps();
  const std::string up =
      fmt::format("node {} (id {}) is up: {} group(s), {} worker(s)", config_.node,
                  config_.node_id.value(), config_.groups.size(), rooms_.size());
  std::thread service([this] { run_service(); });
  lock_what_there_is();
  if (adaptive) claim_core();
  confine(ports_.have_kernel_bond());
  spdlog::info(up);
  service::tell_ready(up);
  run_control(adaptive);
  for (WorkerRoom& room : rooms_) room.worker->stop();
  rte_eal_mp_wait_lcore();
  ended_.store(true);
  service.join();
  spdlog::info("node {} has ended", config_.node);
}

void Daemon::run_service() {
  // EAL pinned the main thread, and this one with it: back to where the process was started, but
  // not beside a worker if there is another core. What the kernel does for this thread at a stretch
  // (locked memory for a configuration) keeps even a real-time worker off its core for more than L8
  // bears.
  cpu_set_t cores = affinity_;
  for (const unsigned core : config_.dataplane.worker_cores) CPU_CLR(core, &cores);
  if (CPU_COUNT(&cores) == 0) cores = affinity_;
  sched_setaffinity(0, sizeof cores, &cores);
  pthread_setname_np(pthread_self(), kServiceThread);
  give_up_capabilities(ports_.have_kernel_bond());
  service_->run();
  stop_control_.store(true, std::memory_order_relaxed);
  // Control or a worker may hang for good: then this thread ends the process, for nobody else
  // would.
  for (auto left = kEndPatience; !ended_.load(); left -= 10ms) {
    if (left <= Duration::zero()) {
      spdlog::error("a thread hangs; ending without it");
      service_->close_socket();
      spdlog::shutdown();
      _exit(1);
    }
    std::this_thread::sleep_for(10ms);
  }
}

void Daemon::run_control(bool adaptive) {
  Instant planned = clock_->read();
  while (!stop_control_.load(std::memory_order_relaxed)) {
    const Instant now = clock_->read();
    control_counters_->late.observe(now - planned);
    control_turn_.store(now.time_since_epoch().count(), std::memory_order_relaxed);
    loop_->turn();
    planned = clock_->read();
    if (adaptive) {
      constexpr timespec kNap{.tv_sec = 0, .tv_nsec = kControlNap.count()};
      nanosleep(&kNap, nullptr);
      planned += kControlNap;
    } else {
      rte_delay_us_block(kControlPauseUs);
    }
  }
  const sched_param ordinary{};
  sched_setscheduler(0, SCHED_OTHER, &ordinary);
}

/// A thread's stack is locked memory from its first moment; 8 MiB each would be most of what koid
/// has.
void keep_stacks_small() {
  constexpr std::size_t kStack = 512 * 1024;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStack);
  pthread_setattr_default_np(&attributes);
  pthread_attr_destroy(&attributes);
}

}  // namespace

Status run_daemon(config::Config config, const std::string& file) {
  cpu_set_t affinity;
  CPU_ZERO(&affinity);
  sched_getaffinity(0, sizeof affinity, &affinity);
  const int signals = block_signals();
  keep_tap_without_signals();
  start_log();
  keep_stacks_small();
  lift_memory_limit();
  mlockall(MCL_CURRENT |
           MCL_FUTURE);  // a page fault on a worker is a gap; without the right, so be it
  Status outcome = Done{};
  {
    Daemon daemon(std::move(config), file, signals, affinity);
    outcome = daemon.start();
    if (outcome) daemon.run();
  }
  spdlog::shutdown();
  close(signals);
  return outcome;
}

}  // namespace koi::app
