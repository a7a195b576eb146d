#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "common/contract/channel.h"
#include "common/contract/messages.h"
#include "common/contract/slot_board.h"
#include "controlplane/counters.h"
#include "controlplane/election/send_errors.h"
#include "controlplane/election/step.h"
#include "controlplane/hello.h"
#include "controlplane/outbox.h"
#include "controlplane/pacer.h"
#include "controlplane/port_ears.h"
#include "controlplane/segments.h"
#include "controlplane/self_watch.h"
#include "controlplane/service_messages.h"
#include "controlplane/trailer_watch.h"
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
    const WorkerCounters* counters = nullptr;  // may be missing: then no port is ever deaf
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
    std::uint64_t first_trailer = 1;     // of the signed trailers' sequences, both likewise
    std::uint64_t trailer_ceiling = 0;
    Duration utc_offset{0};       // from the clock to UTC, until SetUtc
    Duration stall_after = 10ms;  // see SelfWatch
  };

  ControlLoop(const Setup& setup, Plan plan);

  /// The view that workers start with: nobody is MASTER. Valid until every worker has adopted a
  /// later one.
  const View* first_view() const { return views_.first(); }

  /// One turn (L6): deadlines, then inputs (commands, up rings), then timers; then views and frames
  /// go out, and what was decided is acknowledged. Call at least every 200 µs.
  void turn();

  /// The moment before which further turns would do nothing, if nothing comes in and no worker
  /// moves meanwhile: of the earliest timer, end of a lease or of a demotion by SelfWatch, or frame
  /// of our own. Past, or Instant{}: the next turn has work. Leaves out how long turns are apart,
  /// which SelfWatch judges.
  Instant next_due() const;

  /// Turns up to this one would have done nothing (next_due()) and were left out: for the
  /// simulator, which need not walk through the night.
  void left_out_until(Instant last) { self_watch_.left_out_until(last); }

 private:
  struct Slot {
    Slot(SlotPlan p, ControlCounters::Slot* c) : plan(std::move(p)), counters(c) {}
    SlotPlan plan;
    ControlCounters::Slot* counters;
    bool leaving = false;  // the next plan has no such slot
    election::State state;
    Term term;  // of the current reign; 0 = not MASTER
    std::uint64_t last_term = 0;
    Instant decided{};        // when it was promoted
    bool first_sent = false;  // the first advertisement of this term is queued
    ViewNumber silent_from;   // L10: the view that demoted it
    Instant lease_over{};     // L10: no answer after this, adopted or not
    std::uint16_t tie = kNoTie;
    election::SendErrors send_errors;
    std::array<std::uint64_t, kFamilies> deadlines{};     // on the board when it advertised last
    std::array<std::uint32_t, kMaxWorkers> decided_on{};  // heard numbers (L7)
    std::uint32_t advertised = 0;                         // so often
    Duration lease{};                                     // that the last one asked for
    std::optional<Instant> replied;  // last, to a claim over which it stays MASTER; not taken yet
  };
  static constexpr std::uint16_t kNoTie = 0xffff;
  static constexpr Duration kDecisionLasts = std::chrono::milliseconds(1);  // L4: first frames

  void expire_leases();
  void receive_commands();
  void receive_up(WorkerIndex worker);
  void on(const VerifiedAdvert& advert, WorkerIndex worker);
  void on(const PollGap& gap, WorkerIndex worker);
  void on(const UpRingOverflow& overflow, WorkerIndex worker);
  void on(const TransmitRefused& refused, WorkerIndex worker);
  void on(const AnnouncementRefused& refused, WorkerIndex worker);
  void on(const NeighborHeard& neighbor, WorkerIndex worker);
  void on(const QueryHeard& query, WorkerIndex worker);
  void on(const Conflict& conflict, WorkerIndex worker);
  void on(const HelloHeard& hello, WorkerIndex worker);
  void on(const SetDemotion& command);
  void on(const SetLink& command);
  void on(const SetCounterCeiling& command);
  void on(const SetSequenceCeiling& command);
  void on(const SetUtc& command);
  void on(const ShutDown& command);
  void on(const TakePlan& command);
  void decide_on(SlotIndex slot, WorkerIndex worker, std::uint32_t heard);
  void acknowledge();
  bool reply_taken(const Slot& slot) const;
  void run_timers();
  void run_timers(Slot& slot, bool released);
  void release_ties();
  bool all_listened(const std::vector<SlotIndex>& tie, const bool* released) const;
  void follow_tie(const Slot& leader);
  void tie_up(const std::vector<std::vector<SlotIndex>>& ties);
  void untie(Slot& slot);
  bool is_ending(const Slot& slot) const { return shutting_down_ || slot.leaving; }
  void take_next_plan();
  void take(Slot& slot, SlotPlan& plan);
  void watch_self();
  HelloExchange::Source hello_source();
  void note_peer(const VerifiedAdvert& advert, Instant now);
  void send_hello();
  bool listened_since(const Slot& slot, Instant due) const;
  void finish_step_downs();

  void feed(Slot& slot, const election::Event& event, Instant now);
  void carry_out(Slot& slot, const election::ChangeRole& change, Instant now);
  void carry_out(Slot& slot, const election::SendAdvertisement& send, Instant now);
  void carry_out(Slot& slot, const election::SendBowOut& send, Instant now);
  void carry_out(Slot& slot, const election::Announce& announce, Instant now);
  void carry_out(Slot& slot, const election::Raise& raise, Instant now);
  void carry_out(Slot& slot, const election::Probe& probe, Instant now);
  void judge_sending(Slot& slot);
  void advertise(Slot& slot, Family family, AdvertFields fields, TransmitFrame like);
  void add(Slot& slot, TransmitFrame frame, const TransmitFrame& like);
  void add_own(const TransmitFrame& frame);
  Instant deadline_of(const Slot& slot, Instant now) const;
  bool lease_earned(const Slot& slot) const;
  std::uint64_t next_counter();
  std::uint64_t next_sequence();

  void push_view();
  void push_frames();
  void push_announcements();
  void push_reports();
  void push_signed();
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
  std::size_t timers_from_ = 0;  // the slot whose timers come first in the next turn
  bool timers_left_ = false;     // due, but not run in this one
  std::vector<std::pair<SlotIndex, WorkerIndex>> to_acknowledge_;  // at the end of the turn (L7)
  bool roles_changed_ = false;
  IpAddress notice_source_;  // of what is being decided, for notices
  MacAddress notice_mac_;

  Outbox outbox_;
  Pacer pacer_;
  Segments segments_;
  PortEars ears_;
  SelfWatch self_watch_;
  bool late_reported_ = false;
  std::array<bool, kMaxWorkers> stall_reported_{};
  std::vector<std::vector<SlotIndex>> ties_;
  std::vector<bool> released_;  // by SlotIndex: its tie lets it be promoted in this turn

  std::uint64_t sequence_;
  std::uint64_t ceiling_;
  auth::SequenceSource trailer_sequence_;
  TrailerWatch trailers_;
  HelloExchange hellos_;
  bool counters_asked_ = false;
  bool shutting_down_ = false;
  std::array<bool, kMaxPorts> link_up_{};
  NextPlan* next_ = nullptr;        // to go over to, once what it has no more is down
  std::optional<ViewNumber> took_;  // the first view of a plan whose predecessor is still in use
  bool all_down_reported_ = false;
};

}  // namespace koi::controlplane
