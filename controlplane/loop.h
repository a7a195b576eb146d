#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "common/contract/channel.h"
#include "common/contract/messages.h"
#include "common/contract/slot_board.h"
#include "controlplane/counters.h"
#include "controlplane/election/step.h"
#include "controlplane/service_messages.h"
#include "controlplane/view_builder.h"
#include "controlplane/view_keeper.h"

namespace koi::controlplane {

/// The control core's work: carries advertisements, time and commands to the election and its
/// actions to the board, the workers and the service thread. No DPDK: it sees rings as Sender and
/// Receiver, and time as a Clock. One thread: control.
class ControlLoop {
 public:
  struct WorkerLink {
    Receiver<UpMessage>* up = nullptr;  // not owned, as all below
    Sender<DownMessage>* down = nullptr;
  };
  struct Setup {
    Clock* clock = nullptr;
    SlotBoard* board = nullptr;
    ControlCounters* counters = nullptr;
    Receiver<Command>* commands = nullptr;
    Sender<Report>* reports = nullptr;
    std::vector<WorkerLink> workers;
    NodeId node;
    std::uint64_t first_sequence = 1;    // of the advertisement counter: above every earlier one
    std::uint64_t sequence_ceiling = 0;  // reserved up to here
  };

  ControlLoop(const Setup& setup, Plan plan);

  /// The view that workers start with: nobody is MASTER. Valid until every worker has adopted a
  /// later one.
  const View* first_view() const { return views_.first(); }

  /// One turn (L6): deadlines, then inputs (commands, up rings), then timers; then views and frames
  /// go out, and what was decided is acknowledged. Call at least every 200 µs.
  void turn();

 private:
  struct Slot {
    explicit Slot(SlotPlan p) : plan(std::move(p)) {}
    SlotPlan plan;
    election::State state;
    Term term;  // of the current reign; 0 = not MASTER
    std::uint64_t last_term = 0;
    Instant decided{};        // when it was promoted
    bool first_sent = false;  // the first advertisement of this term is queued
    ViewNumber silent_from;   // L10: the view that demoted it
    Instant lease_over{};     // L10: no answer after this, adopted or not
  };

  void expire_leases();
  void receive_commands();
  void receive_up(WorkerIndex worker);
  void on(const VerifiedAdvert& advert, WorkerIndex worker);
  void on(const PollGap& gap, WorkerIndex worker);
  void on(const UpRingOverflow& overflow, WorkerIndex worker);
  void on(const TransmitRefused& refused, WorkerIndex worker);
  void on(const NeighborHeard& neighbor, WorkerIndex worker);
  void on(const QueryHeard& query, WorkerIndex worker);
  void on(const Conflict& conflict, WorkerIndex worker);
  void on(const SetDemotion& command);
  void on(const SetLink& command);
  void on(const SetCounterCeiling& command);
  void on(const ShutDown& command);
  void run_timers();
  bool listened_since(const Slot& slot, Instant due) const;
  void finish_step_downs();

  void feed(Slot& slot, const election::Event& event, Instant now);
  void carry_out(Slot& slot, const election::ChangeRole& change, Instant now);
  void carry_out(Slot& slot, const election::SendAdvertisement& send, Instant now);
  void carry_out(Slot& slot, const election::SendBowOut& send, Instant now);
  void carry_out(Slot& slot, const election::Announce& announce, Instant now);
  void carry_out(Slot& slot, const election::Raise& raise, Instant now);
  void carry_out(Slot& slot, const election::Probe& probe, Instant now);
  void queue(Slot& slot, TransmitFrame frame, Term term, Instant not_after);
  Instant deadline_of(const Slot& slot, Instant now) const;
  std::uint64_t next_counter();

  void push_view();
  void push_frames();
  void push_reports();
  bool report(const Report& report);

  SlotIndex index_of(const Slot& slot) const;
  std::uint8_t receivers_of(const Slot& slot) const;

  const Setup setup_;
  SlotBoard& board_;
  ControlCounters& counters_;
  ViewKeeper views_;
  std::vector<Slot> slots_;
  /// What every turn looks at, for every slot: kept together, for there may be 4,080.
  struct Glance {
    Instant next_timer = election::kNever;
    bool master = false;
    bool stepping_down = false;
    bool report_due = true;
  };
  std::vector<Glance> glances_;  // by SlotIndex

  Instant turn_started_{};                      // read before the inputs (L6)
  std::array<Instant, kMaxWorkers> emptied_{};  // read before the up rings (L9)
  bool inputs_drained_ = true;
  bool roles_changed_ = false;
  struct Outgoing {
    WorkerIndex worker;
    TransmitFrame frame;
  };
  std::vector<Outgoing> frames_;  // of this turn, after its view
  IpAddress advert_source_;       // of the advertisement being decided, for notices

  std::uint64_t sequence_;
  std::uint64_t ceiling_;
  bool counters_asked_ = false;
  bool shutting_down_ = false;
  bool all_down_reported_ = false;
};

}  // namespace koi::controlplane
