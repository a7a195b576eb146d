#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "common/contract/counters.h"
#include "dataplane/advert_receiver.h"
#include "dataplane/conflicts.h"
#include "dataplane/drain.h"
#include "dataplane/lease.h"
#include "tests/sim/actor.h"
#include "tests/sim/network.h"
#include "tests/sim/ring.h"

namespace koi::sim {

class Process;

/// A worker of a box: koi's own lease, receiver and responders; only the loop around them is a
/// model of dataplane/worker.cpp, which needs DPDK. A thread may be paused between any two of its
/// steps but for the one that no promise covers: after the last look at the lease.
class Worker {
 public:
  Worker(Process& process, WorkerIndex index);
  void start(const View* first_view);

  /// A frame is on its way to this worker's queue.
  void receive(const Packet& packet);

  /// True iff the next round may do more than an idle one.
  bool busy() const;
  /// When the next frame arrives; kNoMoment: none is on its way.
  Moment next_frame() const { return coming_.empty() ? kNoMoment : coming_.back().arrival; }

  /// Does the idle rounds before that moment which nobody has looked at yet. REQUIRES: none of them
  /// would have found anything to do.
  void catch_up(Moment until);
  /// What it could have answered up to now goes to the oracle. REQUIRES: all workers caught up.
  void note_coverage();

  Actor actor;
  Ring<UpMessage> up;
  Ring<DownMessage> down;
  WorkerCounters counters;

 private:
  void poll();
  void begin(Instant now);
  void idle(std::uint64_t round);
  std::uint32_t take_frames(std::vector<Packet>& answers);
  void report_gap();
  void receive_down();
  void transmit(const TransmitFrame& frame);
  void refused(const TransmitFrame& frame);
  void arrive();
  void judge(std::array<bool, 32>& able);
  void cover(std::size_t slot, bool able);

  void linger_with(const View& view);
  void stop_lingering();

  static constexpr std::size_t kDepth = 512;  // frames the NIC's queue holds
  static constexpr std::uint32_t kBurst = 64;
  static constexpr std::uint32_t kHeldBack = kBurst + 32;
  static constexpr unsigned kDownPerTurn = 64;

  Process& process_;
  const WorkerIndex index_;
  dataplane::WorkerLease lease_;
  std::optional<dataplane::AdvertReceiver> adverts_;  // always there, but a mutant makes it anew
  dataplane::UpReporter reporter_;
  dataplane::ConflictWatch conflicts_;
  dataplane::DadLimit dad_;
  dataplane::AskerMemory askers_;
  dataplane::DrainTracker drain_;
  const View* view_ = nullptr;
  std::vector<Packet> coming_;  // by arrival, the next one last
  std::vector<Packet> queue_;   // the NIC's
  std::vector<Packet> heard_;   // advertisements that control may not see yet
  std::uint32_t taken_ = 0;     // since it was empty
  bool missed_ = false;         // the queue was full since the last gap
  bool worked_ = true;          // the last round found something: the next one is looked at, too
  bool flushed_ = true;
  bool idled_ = false;           // since note_coverage()
  std::vector<Moment> able_at_;  // by slot: when it last could have answered, if that goes on
  std::vector<Term> able_in_;
  Moment polled_at_{};

  static constexpr Duration kLingers = 5ms;
  std::unique_ptr<View> lingers_;  // a mutant's
  Instant lingers_until_{};
  const View* next_view_ = nullptr;
};

}  // namespace koi::sim
