#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "common/contract/channel.h"
#include "common/contract/counters.h"
#include "common/contract/messages.h"
#include "controlplane/view_keeper.h"

namespace koi::controlplane {

/// An announcement still to be made and sent: one address of one slot in one reign.
struct PendingAnnouncement {
  SlotIndex slot;
  Term term;
  std::uint16_t address = 0;  // position in the slot's FrameMaker
  std::uint8_t tries = 0;     // refused so often
};

/// What control sends: the frames of this turn, behind the view they are judged by, and the
/// announcements, as many as the pacer lets go. Control thread.
class Outbox {
 public:
  /// dropped: counts frames that found no room. Not owned, as the senders and the views.
  Outbox(std::vector<Sender<DownMessage>*> down, const ViewKeeper& views, Counter& dropped)
      : down_(std::move(down)), views_(views), dropped_(dropped) {}

  void add(WorkerIndex to, const TransmitFrame& frame) { frames_.push_back({to, frame}); }
  void add(const PendingAnnouncement& announcement) { announcements_.push_back(announcement); }
  /// One that a worker refused: in a moment, unless that has gone on for long.
  void add_again(PendingAnnouncement announcement, Instant now) {
    if (++announcement.tries <= kMostTries) again_.emplace_back(now + kAgainAfter, announcement);
  }
  /// Those whose moment has come wait behind the others.
  void release(Instant now) {
    for (; next_release() <= now; again_.pop_front()) add(again_.front().second);
  }
  /// When release() has something to do; Instant::max() when never.
  Instant next_release() const { return again_.empty() ? Instant::max() : again_.front().first; }
  /// True iff no frame of this turn waits; announcements may.
  bool empty() const { return frames_.empty(); }
  std::size_t announcements() const { return announcements_.size(); }
  /// What is decided now would have to wait there.
  bool is_busy(WorkerIndex worker) const {
    return down_[worker.value()]->waiting() + frames_.size() >= kMostBefore;
  }

  /// Sends the frames of this turn. refused(frame): an advertisement found no room.
  template <class Refused>
  void send_frames(Refused refused) {
    for (const auto& [to, frame] : std::exchange(frames_, {})) {
      if (send(to, frame)) continue;
      dropped_.add();
      if (frame.kind == FrameKind::advertisement) refused(frame);
    }
  }

  /// Sends at most `count` announcements. make(announcement) returns the worker and the frame, or
  /// nothing when the reign is over. One that is not ready(announcement), or whose worker has
  /// enough before it, waits for the next turn, and the others behind it. Returns how many went.
  template <class Ready, class Make>
  std::size_t send_announcements(std::size_t count, Ready ready, Make make) {
    std::size_t sent = 0;
    while (sent < count && !announcements_.empty() && ready(announcements_.front())) {
      const std::optional<std::pair<WorkerIndex, TransmitFrame>> made =
          make(announcements_.front());
      if (made) {
        if (down_[made->first.value()]->waiting() >= kMostAnnounced) break;
        if (!send(made->first, made->second)) break;
        ++sent;
      }
      announcements_.pop_front();
    }
    return sent;
  }

 private:
  /// A driver may take 8 µs for a frame (af_packet into a bridge), the worker has answers to send
  /// between them, and the advertisement of the next group that rises must leave within L4's
  /// millisecond.
  static constexpr std::size_t kMostBefore = 32;
  /// Of announcements less, so that they never keep a group from rising: 4,080 are out in 17 to
  /// 18 ms with that (bench-takeover).
  static constexpr std::size_t kMostAnnounced = 24;

  /// A worker that has fallen behind, or has more before it than it can handle in time (L1), is
  /// well again in that time; not so one that hangs.
  static constexpr Duration kAgainAfter = 1ms;
  static constexpr std::uint8_t kMostTries = 100;

  bool send(WorkerIndex to, const TransmitFrame& frame) {
    return views_.is_with(to) && down_[to.value()]->try_send(frame);
  }

  const std::vector<Sender<DownMessage>*> down_;
  const ViewKeeper& views_;
  Counter& dropped_;
  std::vector<std::pair<WorkerIndex, TransmitFrame>> frames_;
  std::deque<PendingAnnouncement> announcements_;
  std::deque<std::pair<Instant, PendingAnnouncement>> again_;  // and when; the earliest first
};

}  // namespace koi::controlplane
