#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <vector>

#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "common/contract/counters.h"
#include "common/contract/messages.h"
#include "common/contract/slot_board.h"
#include "dataplane/advert_receiver.h"
#include "dataplane/channel.h"
#include "dataplane/conflicts.h"
#include "dataplane/drain.h"
#include "dataplane/idle.h"
#include "dataplane/lease.h"
#include "dataplane/offload.h"
#include "dataplane/quick_look.h"
#include "dataplane/tsc_clock.h"
#include "dataplane/turn_limit.h"

namespace koi::dataplane {

/// One queue pair of one port.
struct Queue {
  PortIndex port;
  std::uint16_t port_id = 0;  // DPDK's number
  std::uint16_t queue_id = 0;
  std::uint16_t depth = 0;  // frames its receive ring holds; a bond's, that of each member
  std::uint32_t room = 0;   // frames that may wait in it at most: of a bond, in all its members
  std::optional<std::uint16_t>
      host{};           // DPDK's number of the port's host, whose queue is queue_id too
  bool bond = false;    // its driver sends LACP's frames, but only when asked to send
  Offloads offloads{};  // of the NIC, for what the host sends
};

struct WorkerSetup {
  WorkerIndex index;
  TscClock clock;
  SlotBoard* board = nullptr;  // not owned, as all below
  WorkerCounters* counters = nullptr;
  Channel<UpMessage>* up = nullptr;
  Channel<DownMessage>* down = nullptr;
  const View* first_view = nullptr;
  rte_mempool* control_pool = nullptr;  // for frames that control sends
  std::vector<Queue> queues;
  bool sleeps = true;                // idle: adaptive
  Interrupts* interrupts = nullptr;  // of all the queues; nothing: some have none
  struct Sequence {
    SlotIndex slot;
    IpAddress source;
    std::uint64_t highest;
  };
  std::vector<Sequence> sequences{};  // of trailers, heard before koid was started
};

/// One worker core's loop: rx burst, classify, answer in place or hand to the host, tx burst; then
/// what the host and what control sent.
/// No allocation, lock, exception, log or copy, and no system call of ours but the adaptive sleep,
/// which is a nap or a wait for interrupts (idle.h).
class Worker {
 public:
  explicit Worker(const WorkerSetup& setup);

  /// Real-time priority for a worker that sleeps. On its lcore, before run(), while the thread may
  /// (CAP_SYS_NICE or RLIMIT_RTPRIO); run() needs no right.
  void claim_core() const;
  /// Runs until stop(). On the worker's lcore.
  void run();
  /// Any thread.
  void stop() { stop_.store(true, std::memory_order_relaxed); }

 private:
  /// Of a port with a host, both ways. Its driver may cost a system call for each frame, in which
  /// the kernel forwards the packet there and then (TAP: 5 to 10 µs), and L1 and L8 allow two turns
  /// 1 ms.
  static constexpr std::uint16_t kHostBurst = 16;
  /// Drivers that work with vectors give nothing to who asks for less.
  static constexpr std::uint16_t kLeastAsked = 8;
  static constexpr std::uint16_t kMostTaken =
      TurnLimit::kMost + kLeastAsked - 1;  // in one poll of a queue
  static constexpr std::uint32_t kHeldBack =
      kMostTaken + 32;  // descriptors a driver may not have filled
  /// A host that had nothing is not asked again before, for net_tap asks the kernel (0.3 µs each
  /// time), and other ports are to notice nothing of it.
  static constexpr Duration kHostRest = 5us;
  /// A driver that has no room for a frame of control's is asked again for so long, and the host
  /// waits meanwhile: traffic that fills the wire must not cost a MASTER its lease.
  static constexpr Duration kPatience = 1ms;
  static constexpr Duration kTransmitPoll = 10ms;  // DPDK's net_bonding wants it within 100 ms

  /// Returns how many frames it received.
  std::uint16_t poll(std::size_t queue);
  std::uint16_t take(std::size_t queue, rte_mbuf** frames);
  /// A burst and what becomes of its frames.
  struct Sorted;
  template <QuickLook::Tables kTables>
  void sort(rte_mbuf** frames, std::uint16_t count, Sorted& sorted);
  /// Lets the drivers of bonds send what they have to, though there be nothing of ours.
  void poll_transmit(Instant now);
  /// What is not ours to answer, to the other side of the host port. A full one costs data, nothing
  /// else; nobody outside hears of it, so in_time() is not asked.
  void hand_to_host(const Queue& queue, rte_mbuf** frames, std::uint16_t count);
  /// Returns how many frames the hosts sent.
  unsigned poll_hosts(Instant now);
  std::uint16_t poll_host(const Queue& queue);
  static Fate judge(const Queue& queue, rte_mbuf* frame, const BurstContext& burst);
  /// Lets the driver look at what it is to finish. Returns how many of them remain.
  std::uint16_t prepare(const Queue& queue, rte_mbuf** frames, std::uint16_t count);
  void send_answers(const Queue& queue, Sorted& sorted);
  /// What control sent, in its order. Returns how many of its messages are done, or 1 while a
  /// driver has no room.
  unsigned receive_down();
  /// These return false iff a driver has no room, but may have soon.
  bool gather(const TransmitFrame& frame, unsigned at);
  bool send_burst();
  void keep_those_that_may_leave(Instant now);
  bool may_have_room_soon(PortIndex port, Instant now);
  void sent(const TransmitFrame& frame, Instant now);
  void refused(const TransmitFrame& frame, DropReason reason);
  const TransmitFrame& frame_at(unsigned at) const {
    return *std::get_if<TransmitFrame>(&down_[at]);
  }
  const Queue* queue_of(PortIndex port) const;
  void report_gap();
  std::uint64_t missed_frames() const;
  void rest(bool busy, Instant now);

  const WorkerSetup setup_;
  WorkerCounters& counters_;
  WorkerLease lease_;
  AdvertReceiver adverts_;
  UpReporter reporter_;
  ConflictWatch conflicts_;
  DadLimit dad_;
  AskerMemory askers_;
  DrainTracker drain_;
  const View* view_;
  std::uint64_t missed_before_ = 0;               // the NICs' misses when last looked at
  Instant looked_{};                              // for misses, when there was nothing else to do
  std::array<std::uint32_t, kMaxPorts> taken_{};  // from each queue since it was empty
  std::array<Instant, kMaxPorts> ask_host_{};     // not before, of each queue
  Idle idle_;
  TurnLimit limit_;
  Instant polled_transmit_{};
  // Of control: its messages, and the frames of them that leave next, all through one port.
  std::array<DownMessage, TurnLimit::kMost> down_;
  unsigned down_count_ = 0;
  unsigned down_next_ = 0;  // those before are done, or in the burst
  struct Burst {
    PortIndex port;
    unsigned count = 0;
    bool announces = false;  // announcements all, or none
    bool again = false;      // the driver had no room for them before
    std::array<rte_mbuf*, TurnLimit::kMost> mbufs;
    std::array<std::uint8_t, TurnLimit::kMost> at;  // of each, in down_
  };
  Burst burst_;
  std::array<std::optional<Instant>, kMaxPorts> full_since_{};  // nothing: took the last one
  std::atomic<bool> stop_{false};
};

}  // namespace koi::dataplane
