#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include "common/strong_types.h"
#include "common/time.h"

namespace koi::controlplane {

/// What a box notices of itself, each a demotion while it lasts: of the whole node, send errors of
/// the slot's group and those tied with it.
enum class SelfCause : std::uint8_t {
  late_control,    // turns of the control loop begin late
  stalled_worker,  // a worker does not poll
  send_errors      // of a slot: its port takes no advertisements (election/send_errors.h)
};

/// Judges the control loop's own lateness and the workers' heartbeats. No clock: time comes in.
/// Control thread.
class SelfWatch {
 public:
  /// A turn that begins later than this (or stall_after, if that is longer) after the one before
  /// counts; so many, each within kQuiet of the last one, are a demotion. A BACKUP that is as late
  /// cannot keep its promises either: this is for one box that is worse than its peers.
  static constexpr Duration kLate = 50ms;
  static constexpr unsigned kLateTurns = 3;
  /// How long all must be well again before the demotion ends.
  static constexpr Duration kQuiet = 10s;
  static constexpr Duration kWorkerQuiet = 1s;

  /// stall_after: a worker that has not polled for so long is stalled; what this machine does now
  /// and then to any thread.
  SelfWatch(std::size_t workers, Duration stall_after)
      : workers_(workers), stall_after_(stall_after) {}

  /// A turn of the control loop begins. polled: start of each worker's last poll.
  void turn(Instant now, const std::array<Instant, kMaxWorkers>& polled);

  /// When the first of these demotions ends, if all stays well; Instant::max(): there is none.
  Instant next_end() const;

  /// See ControlLoop.
  void left_out_until(Instant last) { last_turn_ = std::max(last_turn_.value_or(last), last); }

  bool late() const { return late_; }
  bool stalled(WorkerIndex worker) const { return stalled_[worker.value()]; }

 private:
  void judge_control(Instant now, bool late_turn);
  void judge_worker(std::size_t worker, Instant now, Instant polled);

  const std::size_t workers_;
  const Duration stall_after_;
  std::optional<Instant> last_turn_;
  Instant awake_since_{};  // end of control's last pause: heartbeats of before prove nothing
  unsigned late_turns_ = 0;
  Instant last_late_{};
  bool late_ = false;
  std::array<bool, kMaxWorkers> stalled_{};
  std::array<Instant, kMaxWorkers> last_stall_{};
};

}  // namespace koi::controlplane
