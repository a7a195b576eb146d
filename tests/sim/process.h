#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "common/contract/slot_board.h"
#include "config/config.h"
#include "controlplane/loop.h"
#include "tests/sim/actor.h"
#include "tests/sim/moment.h"
#include "tests/sim/ring.h"
#include "tests/sim/worker.h"

namespace koi::sim {

class Box;

/// koid while it runs: koi's own control loop and workers, with their rings, board and clock.
class Process {
 public:
  struct Setup {
    config::Config config;
    unsigned workers = 1;
    bool with_ears = false;  // control sees how many frames came: it may find itself deaf
    std::int64_t ppm = 0;
    std::uint64_t first_sequence = 1;
    std::uint64_t seed = 0;
  };
  /// now: the world's time, not owned, as the box.
  Process(const Setup& setup, Box& box, const Moment& now);
  /// How many advertisement counters the state file reserves at a time (app/state_file.h).
  static constexpr std::uint64_t kReservedSequences = 1 << 20;
  ~Process();

  // What workers and the oracle ask of it.
  const Moment& now() const { return now_; }
  const LocalTime& time() const { return time_; }
  Instant local() const { return time_.at(now_); }
  SlotBoard& board() { return *board_; }
  std::size_t slots() const { return slots_; }
  const Topology& topology() const { return *topology_; }

  // What workers do.
  void covers(std::size_t slot, Term term, Moment from, Moment to);
  void queued(const Packet& advertisement);
  void answer(Packet& packet);
  void transmit(const TransmitFrame& frame);
  bool nic_refuses() const { return nic_refuses_; }
  void acknowledge_all(WorkerIndex worker);  // a mutant's

  // What the world does to it.
  void receive(std::size_t worker, const Packet& packet);
  void command(const controlplane::Command& command);
  /// Goes over to that configuration, with the same groups (CARP.md §20). False: it is still about
  /// the last one.
  bool reload(const config::Config& config);
  controlplane::NextPlan* next_plan() { return next_plan_.get(); }
  void plan_released() { next_plan_.reset(); }
  void refuse(bool on) { nic_refuses_ = on; }
  /// A full ring takes nothing.
  void fill_rings(bool up, bool down);
  bool up_rings_full() const { return workers[0]->up.capacity == 0; }
  /// From then to then every round is done, although most of them do nothing: somebody looks at how
  /// far they are apart.
  void look_closely(Moment from, Moment to);

  /// The thread that is to run next, and when; kNoMoment: none.
  Moment next() const { return next_; }
  void run_next();
  /// The idle rounds before that moment are done, and what they could answer is known.
  void catch_up(Moment until);
  /// The process is gone: whatever its threads were doing, nothing of it is seen any more.
  void kill();

  Actor control;
  std::vector<std::unique_ptr<Worker>> workers;

 private:
  class ActorClock;
  class UpTap;
  class ReportTap;

  controlplane::Plan make_plan(const config::Config& config,
                               const controlplane::Numbering& numbering = {}) const;
  void turn();
  void revive_leases();
  bool some_paused() const;
  bool worked(const Actor& actor) const;
  void plan_next();
  std::optional<Moment> lease_end(Moment before) const;

  Box& box_;
  const Moment& now_;
  const bool with_ears_;
  const std::uint8_t receivers_;
  LocalTime time_;
  std::size_t slots_ = 0;
  std::shared_ptr<const Topology> topology_;
  std::unique_ptr<SlotBoard> board_ = std::make_unique<SlotBoard>();
  std::unique_ptr<ActorClock> clock_;
  std::unique_ptr<controlplane::ControlCounters> counters_;
  std::unique_ptr<Ring<controlplane::Command>> commands_;
  std::unique_ptr<ReportTap> reports_;
  std::vector<std::unique_ptr<UpTap>> taps_;
  std::unique_ptr<controlplane::NextPlan> next_plan_;  // control's until it is released
  std::unique_ptr<controlplane::ControlLoop> loop_;
  Moment control_due_{};  // when its next turn has something to do
  Moment caught_up_{};
  std::uint64_t turned_ = 0;  // the round of control's last turn
  Moment closely_until_{};    // a thread stands still, and that shows soon
  Moment next_{};
  Actor* next_actor_ = nullptr;
  bool nic_refuses_ = false;
  bool dead_ = false;
  std::deque<std::pair<Moment, Moment>> close_looks_;
};

}  // namespace koi::sim
