#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include "common/contract/messages.h"
#include "common/contract/slot_board.h"
#include "common/contract/view.h"
#include "common/drop_reason.h"

namespace koi::dataplane {

/// One worker's side of the lease (design.md, L1, L3, L4, L7, L8, L9). It owns the worker's words
/// on the board and decides, from the board, the view and the time alone, what may be answered and
/// sent. No DPDK in here: the same code runs in the worker, the unit tests and the simulator.
///
/// Per poll: begin_poll(), then stamp_heard() and refusal() for what it brought, then end_poll().
class WorkerLease {
 public:
  /// L1, L7, L8: how old a poll or an unanswered claim may be.
  static constexpr Duration kTolerance = 1ms;
  /// For how long a slot that was judged is not judged again: for hundreds of them, judging costs
  /// more than answering. A part of kTolerance, not on top of it, see in_time().
  static constexpr Duration kJudgedFor = 50us;
  static_assert(kJudgedFor <= kTolerance);  // a gap (L8) is longer, and so ends it
  /// How often `polled` and `emptied` are stored; the design allows 100 µs.
  static constexpr Duration kPublishEvery = 50us;

  WorkerLease(SlotBoard& board, WorkerIndex self) : board_(board), self_(self) {}

  /// A poll starts. L8: more than 1 ms after the last one is a gap; from then on nothing is
  /// answered until a poll has emptied the queues and control has acknowledged the gap.
  void begin_poll(Instant now);

  /// Polls up to this one have found nothing and were left out, though each would have begun in
  /// time: for the simulator, which need not walk through the night.
  void left_out_until(Instant last) { poll_ = std::max(poll_, last); }

  /// The poll is over and its advertisements are stamped and in the up ring. drained: every frame
  /// that was waiting at that moment has been handled since (L1, L7, L8, L9; see drain.h). Left out
  /// while the up ring has no room.
  void end_poll(Instant drained);

  /// The gap to report to control, once its advertisements are in the up ring; nothing otherwise.
  /// Stays the same until gap_reported(). The caller fills in frames_lost.
  std::optional<PollGap> gap_to_report() const;
  void gap_reported() { gap_report_due_ = false; }
  /// True from the start of a gap until its queue has been emptied.
  bool in_gap() const { return hold_ && !emptied_since_gap_; }

  /// L1, as of the poll that began last, but that for up to kJudgedFor it may not have seen a term
  /// that control has cleared or another worker's claim; in_time() bounds that. Returns nothing iff
  /// this worker may answer for the slot, else kNotMaster (the view says so) or kNoLease.
  std::optional<DropReason> refusal(const View& view, SlotIndex slot) {
    if (has_allowed(slot)) return std::nullopt;
    return judge(view, slot);
  }
  /// The same, judged anew: where has_allowed() is false, or what came since must count.
  std::optional<DropReason> judge(const View& view, SlotIndex slot);
  /// refusal() has returned nothing and would again: no more than kJudgedFor ago, and this worker
  /// has had no claim, view or gap since; nor has a deadline or a tolerance run out.
  bool has_allowed(SlotIndex slot) const {
    return allowed_[slot.value() % allowed_.size()] == (judged_ | slot.value());
  }

  /// L1: true iff what refusal() allowed may still be handed to the driver. now: read just before.
  /// The limit is 1 ms after the earliest moment since which a better master may be claiming the
  /// slot unknown to us: the moment as of which the queues were last drained, the oldest claim
  /// still undecided, another receiving worker's `emptied`; each as of when the slot was judged.
  bool in_time(Instant now) const { return now <= hand_over_by_; }

  /// L7: a verified foreign advertisement for the slot was received. Returns the number under which
  /// it is outstanding until control has decided on it. Call before it is queued.
  std::uint32_t stamp_heard(SlotIndex slot);

  /// L4 (and L11 for announcements). now: read just before rte_eth_tx_burst. Returns nothing iff
  /// the frame may be sent.
  std::optional<DropReason> refusal(const View& view, const TransmitFrame& frame, Instant now);

  /// L3: the driver has taken the frame; now is the same as in refusal(). Moves the slot's deadline
  /// iff the frame is an advertisement, the last of its copies.
  void sent(const TransmitFrame& frame, Instant now);

  /// The worker uses this view from now on.
  void adopted(const View& view);

 private:
  std::optional<DropReason> reason_against(const View& view, SlotIndex slot);
  bool every_receiver_listens(const PortView& port, const SlotWords& slot);
  void claim_possible_since(Instant moment) {
    hand_over_by_ = std::min(hand_over_by_, moment + kTolerance);
  }

  SlotBoard& board_;
  const WorkerIndex self_;
  Instant poll_{};           // start of the poll that began last
  Instant waiting_since_{};  // since when a frame not stamped yet may have been waiting
  Instant hand_over_by_{};   // see in_time()
  Instant judge_again_{};    // then, or after hand_over_by_
  /// What judged_ grows by when all that was allowed is forgotten; below it there is room for a
  /// slot.
  static constexpr std::uint64_t kJudgement = std::uint64_t{1} << 16;
  std::uint64_t judged_ = kJudgement;
  /// What refusal() has allowed: judged_ | slot, at the slot's number modulo the size, so
  /// that all members of a balanced group, or hundreds of groups, have room.
  std::array<std::uint64_t, 256> allowed_{};
  Instant published_{};  // last store of `polled`
  Instant emptied_published_{};
  std::uint32_t gap_ = 0;
  Instant gap_end_{};  // start of the poll that found the last gap
  Duration gap_length_{};
  bool started_ = false;
  bool hold_ = false;  // L8
  bool emptied_since_gap_ = true;
  bool gap_report_due_ = false;
};

}  // namespace koi::dataplane
