#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <sched.h>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <time.h>
#include <unistd.h>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>
#include <rte_bus_vdev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_ring.h>

#include "dataplane/channel.h"
#include "dataplane/mempool.h"
#include "dataplane/tsc_clock.h"
#include "dataplane/worker.h"
#include "tests/support/world.h"

/// The real worker in a thread of its own, on a port made of two rings. The test is the wire on one
/// side and control on the other.
namespace koi::test {

/// EAL, once per program, in ordinary memory and without files. Where it does not start no test
/// runs and the program fails.
class EalEnvironment final : public testing::Environment {
 public:
  void SetUp() override {
    cpu_set_t before;
    ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
    unsigned core = 0;
    while (core < CPU_SETSIZE && !CPU_ISSET(core, &before)) ++core;
    std::vector<std::string> args = {"test-worker",
                                     "--no-huge",
                                     "--no-shconf",
                                     "--no-telemetry",
                                     "--no-pci",
                                     "-m",
                                     "64",
                                     "--log-level=*:warning",
                                     "--lcores=0@" + std::to_string(core),
                                     "--file-prefix=koi-test-" + std::to_string(getpid())};
    std::vector<char*> argv;
    for (std::string& arg : args) argv.push_back(arg.data());
    started_ = rte_eal_init(static_cast<int>(argv.size()), argv.data()) >= 0;
    ASSERT_TRUE(started_) << "EAL does not start: " << rte_strerror(rte_errno)
                          << " (it needs root)";
    // EAL has bound this thread to one core, and the workers' threads inherit that.
    ASSERT_EQ(sched_setaffinity(0, sizeof before, &before), 0);
  }
  void TearDown() override {
    if (!started_) return;
    const std::string folder = rte_eal_get_runtime_dir();
    rte_eal_cleanup();
    std::error_code ignored;
    std::filesystem::remove(folder, ignored);  // only if empty; EAL leaves it behind
  }

 private:
  bool started_ = false;
};

/// Holds the worker's thread inside the driver, as a hypervisor or a busy core would.
class Hold {
 public:
  static constexpr Duration kAtLeast = 3ms;  // three times what L1 and L8 tolerate

  explicit Hold(const dataplane::TscClock& clock) : clock_(clock) {}

  /// The next burst is held at least kAtLeast.
  void next(bool with_frames) { arm(with_frames, false); }
  /// And until release().
  void next_until_released(bool with_frames) { arm(with_frames, true); }
  void release() { released_.store(true, std::memory_order_release); }
  bool holding() const { return holding_.load(std::memory_order_acquire); }
  /// When the last hold began. REQUIRES: holding(), or it is over.
  Instant since() const { return since_; }

  /// The worker, inside the driver.
  void burst(std::uint16_t frames) {
    const Armed armed = armed_.load(std::memory_order_acquire);
    if (armed == Armed::no || (armed == Armed::frames && frames == 0)) return;
    armed_.store(Armed::no, std::memory_order_relaxed);
    since_ = clock_.read();
    holding_.store(true, std::memory_order_release);
    constexpr timespec kNap{.tv_sec = 0, .tv_nsec = 50'000};
    while (clock_.read() - since_ <= kAtLeast || !released_.load(std::memory_order_acquire)) {
      if (clock_.read() - since_ > 20s) break;  // the test has failed long ago
      nanosleep(&kNap, nullptr);
    }
    holding_.store(false, std::memory_order_release);
  }

 private:
  enum class Armed : std::uint8_t { no, any, frames };
  void arm(bool with_frames, bool until_released) {
    released_.store(!until_released, std::memory_order_relaxed);
    armed_.store(with_frames ? Armed::frames : Armed::any, std::memory_order_release);
  }

  const dataplane::TscClock& clock_;
  std::atomic<Armed> armed_{Armed::no};  // writer: test arms, worker disarms
  std::atomic<bool> released_{true};     // writer: test
  std::atomic<bool> holding_{false};     // writer: worker
  Instant since_{};                      // writer: worker, before holding_
};

struct RigSetup {
  unsigned transmit_room = 512;  // frames
  std::uint16_t depth = 1024;    // of the receive queue, as the worker is told
  unsigned up_room = 256;        // messages less one, a power of two
  bool sleeps = true;            // idle: adaptive
};

/// One worker, number 0, on port 0 of the usual topology.
class RingRig {
 public:
  static constexpr unsigned kDataMbufs = 1023;
  static constexpr unsigned kControlMbufs = 127;

  explicit RingRig(const RigSetup& setup = {})
      : view{.number = ViewNumber(1), .topology = usual_topology(), .terms = {}},
        board(std::make_unique<SlotBoard>()),
        counters(std::make_unique<WorkerCounters>()),
        name_("t" + std::to_string(++rigs_)) {
    view.terms.resize(view.topology->slots.size());
    start_port(setup);
    up_ = dataplane::Channel<UpMessage>::create(name_ + "up", setup.up_room);
    down = dataplane::Channel<DownMessage>::create(name_ + "down", 128);
    if (up_ == nullptr || down == nullptr) throw std::runtime_error("no memory for channels");
    worker = std::make_unique<dataplane::Worker>(dataplane::WorkerSetup{
        .index = WorkerIndex(0),
        .clock = clock,
        .board = board.get(),
        .counters = counters.get(),
        .up = up_.get(),
        .down = down.get(),
        .first_view = &view,
        .control_pool = control_pool,
        .queues = {{.port = PortIndex(0), .port_id = port_, .queue_id = 0, .depth = setup.depth}},
        .sleeps = setup.sleeps});
  }

  /// Invariant I5: every mbuf is back where it came from.
  ~RingRig() {
    stop();
    while (take()) {
    }
    rte_mbuf* left = nullptr;
    while (dequeue(receive_, left)) rte_pktmbuf_free(left);
    EXPECT_EQ(rte_mempool_in_use_count(data_pool), 0U);
    EXPECT_EQ(rte_mempool_in_use_count(control_pool), 0U);
    rte_eth_dev_stop(port_);
    // They outlive the port otherwise, and the next one has its number.
    rte_eth_remove_rx_callback(port_, 0, receive_callback_);
    rte_eth_remove_tx_callback(port_, 0, transmit_callback_);
    rte_vdev_uninit(("net_ring_" + name_).c_str());
    rte_ring_free(receive_);
    rte_ring_free(transmit_);
    rte_mempool_free(data_pool);
    rte_mempool_free(control_pool);
  }
  RingRig(const RingRig&) = delete;
  RingRig& operator=(const RingRig&) = delete;

  void start() {
    thread_ = std::thread([this] { worker->run(); });
  }
  void stop() {
    if (!thread_.joinable()) return;
    receive_hold.release();
    transmit_hold.release();
    worker->stop();
    thread_.join();
    listen();
  }

  // ---- the wire

  /// Lets a frame come in, spread over two segments if told so. Returns false iff the ring is full.
  bool put(const Bytes& bytes, std::size_t first_segment = SIZE_MAX) {
    rte_mbuf* frame = mbuf_of(std::span(bytes).first(std::min(first_segment, bytes.size())));
    if (first_segment < bytes.size()) {
      rte_pktmbuf_chain(frame, mbuf_of(std::span(bytes).subspan(first_segment)));
    }
    if (rte_ring_enqueue(receive_, frame) == 0) return true;
    rte_pktmbuf_free(frame);
    return false;
  }

  /// The oldest frame that went out.
  std::optional<Bytes> take() {
    rte_mbuf* frame = nullptr;
    if (!dequeue(transmit_, frame)) return std::nullopt;
    EXPECT_EQ(frame->nb_segs, 1);
    EXPECT_EQ(frame->pkt_len, frame->data_len);
    const auto* data = rte_pktmbuf_mtod(frame, const std::byte*);
    Bytes bytes(data, data + rte_pktmbuf_data_len(frame));
    rte_pktmbuf_free(frame);
    return bytes;
  }

  /// Fills the transmit ring with frames of others.
  void jam() {
    while (rte_ring_free_count(transmit_) != 0) {
      rte_mbuf* frame = mbuf_of(Bytes(60));
      if (rte_ring_enqueue(transmit_, frame) != 0) rte_pktmbuf_free(frame);
    }
  }

  unsigned sent() const { return rte_ring_count(transmit_); }

  // ---- control

  /// Reads what came up; gaps are acknowledged unless acknowledges is off.
  void listen() {
    UpMessage message;
    while (up_->try_receive(message)) {
      messages.push_back(message);
      const auto* gap = std::get_if<PollGap>(&message);
      if (gap != nullptr && acknowledges) acknowledge(gap->number);
    }
  }
  void acknowledge(std::uint32_t gap) {
    board->worker(WorkerIndex(0)).gap_acknowledged.store(gap, std::memory_order_release);
  }

  /// The messages of one kind so far.
  template <class Message>
  std::vector<Message> heard() const {
    std::vector<Message> found;
    for (const UpMessage& message : messages) {
      if (const auto* m = std::get_if<Message>(&message)) found.push_back(*m);
    }
    return found;
  }

  /// Makes the slot MASTER by every word of L1, for a minute. REQUIRES: before start(), or the view
  /// is adopted anew.
  void reign(SlotIndex slot, Term term = Term(5)) {
    view.terms[slot.value()] = term;
    board->slot(slot).term.store(term.value());
    board->slot(slot).deadline[0].store(Stamp(term.value(), clock.read() + 60s).word());
  }

  // ---- waiting

  /// Plays control until the condition holds. Returns false when that takes ten seconds.
  bool eventually(const std::function<bool()>& condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    for (;;) {
      listen();
      if (condition()) return true;
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
  }

  /// Holds the worker in a poll that has found nothing, with all its gaps reported and the up ring
  /// empty, until receive_hold.release(). Returns false when that takes too long.
  bool hold_worker() {
    for (int attempt = 0; attempt < 100; ++attempt) {
      receive_hold.next_until_released(false);
      if (!eventually([&] { return receive_hold.holding(); })) return false;
      listen();
      const std::vector<PollGap> gaps = heard<PollGap>();
      if (gap_on_board() == (gaps.empty() ? 0 : gaps.back().number)) return true;
      receive_hold.release();
      if (!eventually([&] { return !receive_hold.holding(); })) return false;
    }
    return false;
  }
  std::uint32_t gap_on_board() const { return board->worker(WorkerIndex(0)).gap.load(); }

  std::uint64_t drops(DropReason reason) const {
    return port_counters().drops[static_cast<std::size_t>(reason)].get();
  }
  const PortCounters& port_counters() const { return counters->ports[0]; }

  /// Puts in one frame and waits for what becomes of it: "answer", or the reason for its drop.
  /// REQUIRES: no other frame is under way.
  std::string fate_of(const Bytes& bytes) {
    std::array<std::uint64_t, kDropReasons> before{};
    for (std::size_t i = 0; i < kDropReasons; ++i) before[i] = port_counters().drops[i].get();
    const std::uint64_t answered = port_counters().transmitted.get();
    if (!put(bytes)) return "no room";
    std::string fate = "nothing";
    eventually([&] {
      if (port_counters().transmitted.get() != answered) fate = "answer";
      for (std::size_t i = 0; i < kDropReasons; ++i) {
        if (port_counters().drops[i].get() != before[i]) {
          fate = to_string(static_cast<DropReason>(i));
        }
      }
      return fate != "nothing";
    });
    return fate;
  }

  /// The fate of a frame for a MASTER's address, tried again while the machine took the core away
  /// from the worker, for that is a gap, and the lease rightly refuses.
  std::string fate_beyond_gaps(const Bytes& bytes) {
    std::string fate;
    for (int attempt = 0; attempt < 100; ++attempt) {
      fate = fate_of(bytes);
      if (fate != "no_lease") break;
    }
    return fate;
  }

  dataplane::TscClock clock = shared_clock();
  View view;
  std::unique_ptr<SlotBoard> board;
  std::unique_ptr<WorkerCounters> counters;
  rte_mempool* data_pool = nullptr;
  rte_mempool* control_pool = nullptr;
  std::unique_ptr<dataplane::Channel<DownMessage>> down;
  std::unique_ptr<dataplane::Worker> worker;
  Hold receive_hold{clock};   // after a burst has been taken from the receive ring
  Hold transmit_hold{clock};  // before a burst is put into the transmit ring
  std::vector<UpMessage> messages;
  bool acknowledges = true;

 private:
  static const dataplane::TscClock& shared_clock() {
    static const dataplane::TscClock clock;
    return clock;
  }
  static bool dequeue(rte_ring* ring, rte_mbuf*& frame) {
    void* object = nullptr;
    if (rte_ring_dequeue(ring, &object) != 0) return false;
    frame = static_cast<rte_mbuf*>(object);
    return true;
  }
  static std::uint16_t on_receive(std::uint16_t, std::uint16_t, rte_mbuf**, std::uint16_t count,
                                  std::uint16_t, void* rig) {
    static_cast<RingRig*>(rig)->receive_hold.burst(count);
    return count;
  }
  static std::uint16_t on_transmit(std::uint16_t, std::uint16_t, rte_mbuf**, std::uint16_t count,
                                   void* rig) {
    static_cast<RingRig*>(rig)->transmit_hold.burst(count);
    return count;
  }

  rte_mbuf* mbuf_of(std::span<const std::byte> bytes) {
    rte_mbuf* m = rte_pktmbuf_alloc(data_pool);
    if (m == nullptr) throw std::runtime_error("no mbuf left for the test");
    char* room = rte_pktmbuf_append(m, static_cast<std::uint16_t>(bytes.size()));
    std::copy(bytes.begin(), bytes.end(), reinterpret_cast<std::byte*>(room));
    return m;
  }

  static void must(bool done, const char* what) {
    if (!done) throw std::runtime_error(std::string(what) + ": " + rte_strerror(rte_errno));
  }
  rte_mempool* pool(const char* what, unsigned count) {
    const Result<rte_mempool*> made = dataplane::make_pool(name_ + what, count);
    if (!made) throw std::runtime_error("no memory for a pool");
    return made.value();
  }

  void start_port(const RigSetup& setup) {
    data_pool = pool("data", kDataMbufs);
    control_pool = pool("control", kControlMbufs);
    receive_ = rte_ring_create((name_ + "rx").c_str(), 1024, SOCKET_ID_ANY, RING_F_EXACT_SZ);
    transmit_ = rte_ring_create((name_ + "tx").c_str(), setup.transmit_room, SOCKET_ID_ANY,
                                RING_F_EXACT_SZ);
    must(receive_ != nullptr && transmit_ != nullptr, "rings");
    const int port = rte_eth_from_rings(name_.c_str(), &receive_, 1, &transmit_, 1, 0);
    must(port >= 0, "net_ring port");
    port_ = static_cast<std::uint16_t>(port);
    rte_eth_conf conf{};
    must(rte_eth_dev_configure(port_, 1, 1, &conf) == 0, "configure");
    must(rte_eth_rx_queue_setup(port_, 0, 1024, SOCKET_ID_ANY, nullptr, data_pool) == 0, "rx");
    must(rte_eth_tx_queue_setup(port_, 0, 1024, SOCKET_ID_ANY, nullptr) == 0, "tx");
    must(rte_eth_dev_start(port_) == 0, "start");
    receive_callback_ = rte_eth_add_rx_callback(port_, 0, on_receive, this);
    transmit_callback_ = rte_eth_add_tx_callback(port_, 0, on_transmit, this);
    must(receive_callback_ != nullptr && transmit_callback_ != nullptr, "callbacks");
  }

  static inline unsigned rigs_ = 0;
  std::string name_;
  std::uint16_t port_ = 0;
  const rte_eth_rxtx_callback* receive_callback_ = nullptr;
  const rte_eth_rxtx_callback* transmit_callback_ = nullptr;
  rte_ring* receive_ = nullptr;
  rte_ring* transmit_ = nullptr;
  std::unique_ptr<dataplane::Channel<UpMessage>> up_;
  std::thread thread_;
};

}  // namespace koi::test
