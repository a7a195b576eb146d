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

#include "config/derived.h"
#include "controlplane/app/confine.h"
#include "controlplane/app/log.h"
#include "controlplane/app/process.h"
#include "controlplane/app/service.h"
#include "controlplane/app/trailer_keeper.h"
#include "controlplane/loop.h"
#include "dataplane/capture.h"
#include "dataplane/eal.h"
#include "dataplane/host_port.h"
#include "dataplane/mempool.h"
#include "dataplane/port.h"
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

std::size_t hosts_of(const config::Config& config) {
  return static_cast<std::size_t>(
      std::count_if(config.ports.begin(), config.ports.end(),
                    [](const config::Port& port) { return port.host != config::HostPort::none; }));
}

/// Those that have rings: a bond has none, its members do.
std::size_t devices_of(const config::Config& config) {
  std::size_t count = 0;
  for (const config::Port& port : config.ports) {
    count += std::max<std::size_t>(1, port.members.size());
  }
  return count;
}

/// Of one worker's part in that many devices.
unsigned mbufs(std::size_t devices) {
  return devices == 0 ? 0 : dataplane::data_mbufs(devices, dataplane::kDescriptors);
}

}  // namespace

std::size_t memory_mib(const config::Config& config) {
  constexpr std::size_t kEal = 64;
  constexpr std::size_t kRings = 16;
  constexpr std::size_t kMbuf = 2560;  // bytes, all about it counted
  const std::size_t count =
      mbufs(devices_of(config)) + mbufs(hosts_of(config)) + dataplane::kControlMbufs;
  return kEal + config.dataplane.worker_cores.size() * (kRings + count * kMbuf / (1 << 20));
}

namespace {

dataplane::EalOptions eal_options(const config::Config& config) {
  dataplane::EalOptions options;
  options.control_core = config.dataplane.control_core;
  options.worker_cores = config.dataplane.worker_cores;
  options.hugepages = config.dataplane.hugepages;
  options.memory_mib = memory_mib(config);
  options.further = config.dataplane.eal;
  for (const config::Port& port : config.ports) {
    options.devices.insert(options.devices.end(), port.members.begin(), port.members.end());
    options.devices.push_back(dataplane::Bond::device(port.device, port.members));
  }
  return options;
}

/// REQUIRES: the port has a host.
dataplane::HostPort::Device host_device(const config::Port& port, const dataplane::Port& started) {
  if (port.host == config::HostPort::vdev) return dataplane::HostPort::vdev(port.host_vdev);
  const std::string interface = config::kernel_interface(port);
  return port.host == config::HostPort::tap ? dataplane::HostPort::tap(started, interface)
                                            : dataplane::HostPort::virtio_user(started, interface);
}

/// Whether the port's host may leave something undone for its NIC.
bool may_leave_undone(const config::Port& port) {
  return port.host == config::HostPort::virtio_user ||
         (port.host == config::HostPort::vdev && dataplane::may_leave_undone(port.host_vdev));
}

void tell_interrupts(const std::string& port, const char* whose, bool has) {
  spdlog::info("port {}: {} interrupts: {}", port, whose, has ? "yes" : "no (driver has none)");
}

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
  Status open_ports();
  Status open_hosts();
  bool sleeps() const { return config_.dataplane.idle == config::Idle::adaptive; }
  std::unique_ptr<dataplane::RxInterrupts> interrupts_of(std::size_t worker) const;
  Status make_rooms();
  Status open_service();
  void make_capture();
  static void watch_members(dataplane::Port& port, std::vector<Service::LinkWatch>& watches);
  bool kernel_bond() const;
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
  std::vector<dataplane::Port> ports_;
  std::vector<std::optional<dataplane::HostPort>> hosts_;  // by PortIndex
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
  clock_.emplace();
  for (const auto& step :
       {&Daemon::open_ports, &Daemon::open_hosts, &Daemon::make_rooms, &Daemon::open_service}) {
    if (Status s = (this->*step)(); !s) return s;
  }
  make_workers();
  return Done{};
}

Status Daemon::open_ports() {
  std::vector<rte_mempool*> pools;
  for (std::size_t w = 0; w < config_.dataplane.worker_cores.size(); ++w) {
    auto pool = dataplane::make_pool(fmt::format("data{}", w), mbufs(devices_of(config_)));
    if (!pool) return pool.error();
    pools.push_back(pool.value());
  }
  std::size_t first = 0;  // ports with fewer queue pairs than there are workers share them out
  for (std::size_t p = 0; p < config_.ports.size(); ++p) {
    auto port = dataplane::Port::start(
        PortIndex(static_cast<std::uint8_t>(p)), config_.ports[p].name, config_.ports[p].device,
        config_.ports[p].members, pools, first, may_leave_undone(config_.ports[p]), sleeps());
    if (!port) return port.error();
    ports_.push_back(std::move(port).value());
    const dataplane::Port& started = ports_.back();
    first = (first + started.queues()) % pools.size();
    const std::string how =
        dataplane::text(started.plan(), static_cast<std::uint16_t>(pools.size()));
    spdlog::info("port {}: {} ({}), MAC {}, {} queue pair(s) for {} worker(s){}{}", started.name(),
                 config_.ports[p].device, started.driver(), started.mac().to_string(),
                 started.queues(), pools.size(), how.empty() ? "" : ": ", how);
    if (sleeps()) tell_interrupts(started.name(), "receive", started.interrupts());
  }
  for (std::size_t w = 0; w < pools.size(); ++w) {
    if (std::any_of(ports_.begin(), ports_.end(),
                    [w](const auto& port) { return port.queue_of(w).has_value(); })) {
      continue;
    }
    spdlog::warn(
        "worker {} (core {}) has no queue of any port and does nothing: give a port more queue "
        "pairs (net_af_packet: qpairs), or take the core out of dataplane.worker-cores",
        w, config_.dataplane.worker_cores[w]);
  }
  return Done{};
}

/// Pools of their own: what the host sends cannot take the buffers of what is received.
Status Daemon::open_hosts() {
  std::vector<rte_mempool*> pools;
  const auto& ports = config_.ports;
  const unsigned count = mbufs(hosts_of(config_));
  for (std::size_t w = 0; count != 0 && w < config_.dataplane.worker_cores.size(); ++w) {
    auto pool = dataplane::make_pool(fmt::format("host{}", w), count);
    if (!pool) return pool.error();
    pools.push_back(pool.value());
  }
  for (std::size_t p = 0; p < ports.size(); ++p) {
    hosts_.emplace_back();
    if (ports[p].host == config::HostPort::none) continue;
    auto host = dataplane::HostPort::start(ports_[p], host_device(ports[p], ports_[p]), pools);
    if (!host) return host.error();
    hosts_.back().emplace(std::move(host).value());
    spdlog::info(
        "port {}: what is not koi's goes to {}; offloads of its host to the NIC: {}", ports[p].name,
        hosts_.back()->interface().empty() ? ports[p].host_vdev : hosts_.back()->interface(),
        hosts_.back()->offloads().text());
    if (sleeps()) tell_interrupts(ports[p].name, "its host's receive", hosts_.back()->interrupts());
  }
  return Done{};
}

/// Only if all that the worker looks at has them may it wait for one.
std::unique_ptr<dataplane::RxInterrupts> Daemon::interrupts_of(std::size_t worker) const {
  if (!sleeps()) return nullptr;
  std::vector<dataplane::RxQueue> queues;
  for (const dataplane::Port& port : ports_) {
    const std::optional<std::uint16_t> queue = port.queue_of(worker);
    if (!queue) continue;
    const auto& host = hosts_[port.index().value()];
    if (!port.interrupts() || (host && !host->interrupts())) return nullptr;
    queues.push_back({port.id(), *queue});
    if (host) queues.push_back({host->id(), *queue});
  }
  return dataplane::RxInterrupts::open(queues);
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
    if ((room.interrupts = interrupts_of(w)) != nullptr) {
      room.calls = std::make_unique<dataplane::CallingSender>(*room.down, *room.interrupts);
    }
    rooms_.push_back(std::move(room));
  }
  commands_ = Channel<controlplane::Command>::create("commands", 1024);
  reports_ = Channel<controlplane::Report>::create("reports", kServiceRing);
  if (!commands_ || !reports_) return no_memory;
  bell_.emplace(*reports_);

  for (const dataplane::Port& port : ports_) {
    unsigned receivers = 0;
    for (std::uint16_t q = 0; q < port.queues(); ++q) receivers |= 1U << port.worker_of(q);
    facts_.push_back({port.mac(), static_cast<std::uint8_t>(receivers), port.mtu()});
  }
  plan_ = controlplane::make_plan(config_, facts_);
  for (const SlotView& slot : plan_.topology->slots) {
    for (const MacAddress& mac : {slot.mac, slot.told}) {
      if (Status s = ports_[slot.port.value()].accept(mac); !s) return s;
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
  setup.snapshot.link_up.resize(ports_.size());
  setup.snapshot.clock = &*clock_;
  setup.snapshot.control_turn = &control_turn_;
  setup.state_file = &*state_file_;
  setup.commands = commands_.get();
  setup.reports = reports_.get();
  setup.bell = &*bell_;
  for (dataplane::Port& port : ports_) {
    setup.links.push_back({port.kernel_interface(), [&port] {
                             if (port.bond() != nullptr) port.bond()->update(steady_now());
                             return port.link_up();
                           }});
    if (port.bond() != nullptr) watch_members(port, setup.watches);
  }
  make_capture();
  setup.capture = capture_.get();
  setup.reload = reload_setup();
  setup.socket_path = config_.control.socket;
  setup.signals = signals_;
  auto service = Service::open(std::move(setup));
  if (!service) return service.error();
  service_ = std::move(service).value();
  return Done{};
}

void Daemon::make_capture() {
  std::vector<std::vector<dataplane::Capture::Queue>> queues(ports_.size());
  for (const dataplane::Port& port : ports_) {
    for (std::uint16_t q = 0; q < port.queues(); ++q) {
      const WorkerIndex worker(static_cast<std::uint8_t>(port.worker_of(q)));
      queues[port.index().value()].push_back({port.id(), q, worker});
    }
  }
  capture_ = std::make_unique<dataplane::Capture>(*clock_, *board_, std::move(queues));
}

Reload::Setup Daemon::reload_setup() {
  return {
      .file = file_,
      .config = &config_,
      .plan = &plan_,
      .counters = control_counters_.get(),
      .ports = facts_,
      .accept = [this](PortIndex p, const MacAddress& m) { return ports_[p.value()].accept(m); },
      .release = [this](PortIndex p, const MacAddress& m) { ports_[p.value()].release(m); }};
}

/// Whether members have to be taken out and in by us.
bool Daemon::kernel_bond() const {
  return std::any_of(ports_.begin(), ports_.end(), [](const dataplane::Port& port) {
    if (port.bond() == nullptr) return false;
    const std::vector<std::string>& interfaces = port.bond()->kernel_interfaces();
    return std::any_of(interfaces.begin(), interfaces.end(),
                       [](const std::string& interface) { return !interface.empty(); });
  });
}

/// A member's link is its driver's to say, but for drivers on a kernel interface.
void Daemon::watch_members(dataplane::Port& port, std::vector<Service::LinkWatch>& watches) {
  const std::vector<std::string>& interfaces = port.bond()->kernel_interfaces();
  for (std::size_t m = 0; m < interfaces.size(); ++m) {
    if (interfaces[m].empty()) continue;
    watches.push_back({interfaces[m], [&port, m, up = true](bool is_up) mutable {
                         if (is_up == std::exchange(up, is_up)) return;
                         spdlog::info("port {}: member {}: link {}", port.name(),
                                      port.bond()->kernel_interfaces()[m], is_up ? "up" : "down");
                         port.bond()->kernel_says(m, is_up);
                       }});
  }
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
                                 .queues = {},
                                 .sleeps = sleeps(),
                                 .interrupts = room.interrupts.get(),
                                 .sequences = sequences};
    for (const dataplane::Port& port : ports_) {
      const std::optional<std::uint16_t> queue = port.queue_of(w);
      if (!queue) continue;
      const auto& host = hosts_[port.index().value()];
      setup.queues.push_back({port.index(), port.id(), *queue, port.rx_descriptors(), port.room(),
                              host ? std::optional(host->id()) : std::nullopt,
                              port.bond() != nullptr, port.offloads()});
    }
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
  confine(kernel_bond());
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
  give_up_capabilities(kernel_bond());
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
