#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <time.h>
#include <unistd.h>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>
#include <rte_mempool.h>

#include "dataplane/channel.h"
#include "dataplane/mempool.h"
#include "dataplane/tsc_clock.h"
#include "dataplane/worker.h"
#include "tests/support/eal_environment.h"
#include "tests/support/world.h"
#include "tests/unit/worker/ring_port.h"

/// The real worker in a thread of its own, on a port made of two rings. The test is the wire on one
/// side and control on the other.
namespace koi::test {

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
  unsigned transmit_room = 512;                 // frames
  std::uint16_t depth = 1024;                   // of the receive queue, as the worker is told
  unsigned up_room = 256;                       // messages less one, a power of two
  bool sleeps = true;                           // idle: adaptive
  dataplane::Interrupts* interrupts = nullptr;  // not owned
  bool bond = false;
  bool host = false;                                   // the port has one, made of rings too
  std::shared_ptr<const Topology> topology = nullptr;  // not the usual one
  dataplane::Offloads offloads{};
};

/// One worker, number 0, on port 0 of the usual topology, or another one.
class RingRig {
 public:
  static constexpr unsigned kDataMbufs = 1023;
  static constexpr unsigned kControlMbufs = 127;

  explicit RingRig(const RigSetup& setup = {})
      : view{.number = ViewNumber(1),
             .topology = setup.topology ? setup.topology
                         : setup.host   ? usual_builder().hosted().build()
                                        : usual_topology(),
             .terms = {}},
        board(std::make_unique<SlotBoard>()),
        counters(std::make_unique<WorkerCounters>()),
        name_("t" + std::to_string(++rigs_)) {
    view.terms.resize(view.topology->slots.size());
    data_pool = pool("data", kDataMbufs);
    control_pool = pool("control", kControlMbufs);
    wire.emplace(
        name_, data_pool, setup.transmit_room,
        [this](std::uint16_t frames) {
          receive_hold.burst(frames);
          if (received) received(frames);
        },
        [this](std::uint16_t frames) {
          transmit_hold.burst(frames);
          if (transmitting) transmitting(frames);
        });
    const auto nothing = [](std::uint16_t) {};
    if (setup.host) host.emplace(name_ + "h", data_pool, 512, nothing, nothing);
    up_ = dataplane::Channel<UpMessage>::create(name_ + "up", setup.up_room);
    down = dataplane::Channel<DownMessage>::create(name_ + "down", 128);
    if (up_ == nullptr || down == nullptr) throw std::runtime_error("no memory for channels");
    worker = std::make_unique<dataplane::Worker>(
        dataplane::WorkerSetup{.index = WorkerIndex(0),
                               .clock = clock,
                               .board = board.get(),
                               .counters = counters.get(),
                               .up = up_.get(),
                               .down = down.get(),
                               .first_view = &view,
                               .control_pool = control_pool,
                               .queues = {{.port = PortIndex(0),
                                           .port_id = wire->id(),
                                           .queue_id = 0,
                                           .depth = setup.depth,
                                           .room = RingPort::kReceiveRoom,
                                           .host = host ? std::optional(host->id()) : std::nullopt,
                                           .bond = setup.bond,
                                           .offloads = setup.offloads}},
                               .sleeps = setup.sleeps,
                               .interrupts = setup.interrupts});
  }

  /// Invariant I5: every mbuf is back where it came from.
  ~RingRig() {
    stop();
    wire->clear();
    if (host) host->clear();
    EXPECT_EQ(rte_mempool_in_use_count(data_pool), 0U);
    EXPECT_EQ(rte_mempool_in_use_count(control_pool), 0U);
    wire.reset();
    host.reset();
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

  // ---- the wire: see RingPort

  bool put(const Bytes& bytes, std::size_t first_segment = SIZE_MAX) {
    return wire->put(bytes, first_segment);
  }
  std::optional<Bytes> take() { return wire->take(); }
  void jam() { wire->jam(); }
  unsigned sent() const { return wire->sent(); }

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
  // The same two, by the worker; may be empty. REQUIRES: set before start()
  RingPort::Hook received;
  RingPort::Hook transmitting;
  std::optional<RingPort> wire;
  std::optional<RingPort> host;
  std::vector<UpMessage> messages;
  bool acknowledges = true;

 private:
  static const dataplane::TscClock& shared_clock() {
    static const dataplane::TscClock clock;
    return clock;
  }
  rte_mempool* pool(const char* what, unsigned count) {
    const Result<rte_mempool*> made = dataplane::make_pool(name_ + what, count);
    if (!made) throw std::runtime_error("no memory for a pool");
    return made.value();
  }

  static inline unsigned rigs_ = 0;
  std::string name_;
  std::unique_ptr<dataplane::Channel<UpMessage>> up_;
  std::thread thread_;
};

/// Of the reign that the tests give kLan, lasting for 20 s.
inline constexpr Term kTerm{5};

inline TransmitFrame advertisement(const RingRig& rig, Duration valid = 30s) {
  TransmitFrame f;
  f.kind = FrameKind::advertisement;
  f.slot = kLan;
  f.term = kTerm;
  f.not_after = rig.clock.read() + valid;
  f.lease = 20s;
  const Bytes bytes = frame(Advert{});
  f.length = static_cast<std::uint16_t>(bytes.size());
  std::copy(bytes.begin(), bytes.end(), f.bytes.begin());
  return f;
}

}  // namespace koi::test
