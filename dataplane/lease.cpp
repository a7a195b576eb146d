#include "dataplane/lease.h"

#include <algorithm>
#include <bit>

namespace koi::dataplane {

void WorkerLease::begin_poll(Instant now) {
  WorkerWords& words = board_.worker(self_);
  const bool gap = started_ && now - poll_ > kTolerance;
  if (gap) {  // L8
    hold_ = true;
    emptied_since_gap_ = false;
    gap_length_ = gap_report_due_ ? std::max(gap_length_, now - poll_) : now - poll_;
    gap_report_due_ = true;
    gap_end_ = now;
    // Stored before `emptied`, so that no other worker sees this one awake and not its gap.
    words.gap.store(++gap_, std::memory_order_release);
  }
  if (!started_) waiting_since_ = now;
  if (hold_ && emptied_since_gap_ &&
      words.gap_acknowledged.load(std::memory_order_acquire) == gap_) {
    hold_ = false;
  }
  if (!started_ || gap || now - published_ >= kPublishEvery) {
    words.polled.store(now.time_since_epoch().count(), std::memory_order_release);
    published_ = now;
  }
  poll_ = now;
  if (now >= judge_again_ || now > hand_over_by_) {
    judged_ += kJudgement;
    judge_again_ = now + kJudgedFor;
    hand_over_by_ = Instant::max();
  }
  started_ = true;
}

void WorkerLease::end_poll(Instant drained) {
  waiting_since_ = std::max(waiting_since_, drained);
  const bool ends_gap = !emptied_since_gap_ && drained >= gap_end_;
  if (ends_gap) emptied_since_gap_ = true;
  if (ends_gap || drained - emptied_published_ >= kPublishEvery) {
    board_.worker(self_).emptied.store(drained.time_since_epoch().count(),
                                       std::memory_order_release);
    emptied_published_ = drained;
  }
}

std::optional<PollGap> WorkerLease::gap_to_report() const {
  if (!gap_report_due_ || !emptied_since_gap_) return std::nullopt;
  return PollGap{.number = gap_, .frames_lost = false, .length = gap_length_};
}

// One function with judge(), both: of hundreds of groups each frame needs it.
[[gnu::always_inline]] inline bool WorkerLease::every_receiver_listens(const PortView& port,
                                                                       const SlotWords& slot) {
  for (std::uint8_t left = port.receivers; left != 0; left &= static_cast<std::uint8_t>(left - 1)) {
    const auto w = static_cast<std::uint8_t>(std::countr_zero(left));
    const WorkerWords& words = board_.worker(WorkerIndex(w));
    if (WorkerIndex(w) != self_) {
      const Instant emptied = board_.emptied(WorkerIndex(w));
      if (poll_ - emptied > kTolerance) return false;
      // Another worker's gap may hide a better master's advertisement just as our own may (L8).
      if (words.gap.load(std::memory_order_acquire) !=
          words.gap_acknowledged.load(std::memory_order_acquire)) {
        return false;
      }
      claim_possible_since(emptied);
    }
    const Stamp heard = Stamp::from_word(slot.heard[w].load(std::memory_order_acquire));
    if (heard.number() != slot.acknowledged[w].load(std::memory_order_acquire)) {
      if (heard.age(poll_) > kTolerance) return false;
      claim_possible_since(poll_ - heard.age(poll_));
    }
  }
  return true;
}

[[gnu::always_inline]] inline std::optional<DropReason> WorkerLease::reason_against(
    const View& view, SlotIndex slot) {
  const Term term = view.terms[slot.value()];
  if (term == Term{}) return DropReason::kNotMaster;
  if (hold_) return DropReason::kNoLease;  // L8
  // L1: more waits in the queues than can be handled in time, and a claim may be behind it.
  if (poll_ - waiting_since_ > kTolerance) return DropReason::kNoLease;

  const SlotWords& words = board_.slot(slot);
  const SlotView& slot_view = view.topology->slots[slot.value()];
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    if ((slot_view.families & family_bit(family)) == 0) continue;
    const Stamp deadline = board_.deadline(slot, family);
    if (!deadline.is_number_of(term.value()) || !deadline.is_after(poll_)) {
      return DropReason::kNoLease;
    }
    judge_again_ = std::min(judge_again_, poll_ + deadline.left(poll_));
  }
  if (!every_receiver_listens(view.topology->ports[slot_view.port.value()], words)) {
    return DropReason::kNoLease;
  }
  // Last: control clears the term before it acknowledges, so who has seen the acknowledgement of a
  // better master's claim sees the cleared term.
  if (words.term.load(std::memory_order_acquire) != term.value()) return DropReason::kNoLease;
  claim_possible_since(waiting_since_);
  return std::nullopt;
}

std::optional<DropReason> WorkerLease::judge(const View& view, SlotIndex slot) {
  const std::optional<DropReason> reason = reason_against(view, slot);
  if (!reason) allowed_[slot.value() % allowed_.size()] = judged_ | slot.value();
  return reason;
}

std::uint32_t WorkerLease::stamp_heard(SlotIndex slot) {
  judged_ += kJudgement;
  SlotWords& words = board_.slot(slot);
  std::atomic<std::uint64_t>& word = words.heard[self_.value()];
  const Stamp last = Stamp::from_word(word.load(std::memory_order_relaxed));
  const bool outstanding =
      last.number() != words.acknowledged[self_.value()].load(std::memory_order_acquire);
  const std::uint32_t number = (last.number() + 1) & Stamp::kNumberMask;
  const Stamp stamp = outstanding ? last.with_number(number) : Stamp(number, waiting_since_);
  word.store(stamp.word(), std::memory_order_release);
  return number;
}

std::optional<DropReason> WorkerLease::refusal(const View& view, const TransmitFrame& frame,
                                               Instant now) {
  if (frame.kind == FrameKind::own) {
    if (now > frame.not_after) return DropReason::kFrameLate;
    return std::nullopt;
  }
  // A bow-out carries term 0, which is the board's once the slot has stepped down (L10).
  if (board_.slot(frame.slot).term.load(std::memory_order_acquire) != frame.term.value() ||
      (frame.term == Term{}) != (frame.kind == FrameKind::bow_out)) {
    return DropReason::kFrameTerm;
  }
  if (now > frame.not_after) return DropReason::kFrameLate;
  // An announcement is an answer nobody asked for: L1, and as of now.
  if (frame.kind == FrameKind::announcement && (judge(view, frame.slot) || !in_time(now))) {
    return DropReason::kFrameNoLease;
  }
  return std::nullopt;
}

void WorkerLease::sent(const TransmitFrame& frame, Instant now) {
  if (frame.kind != FrameKind::advertisement || !frame.last_copy) return;
  board_.slot(frame.slot)
      .deadline[static_cast<std::size_t>(frame.family)]
      .store(Stamp(frame.term.value(), now + frame.lease).word(), std::memory_order_release);
}

void WorkerLease::adopted(const View& view) {
  judged_ += kJudgement;
  board_.worker(self_).adopted.store(view.number.value(), std::memory_order_release);
}

}  // namespace koi::dataplane
