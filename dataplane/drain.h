#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "common/strong_types.h"
#include "common/time.h"

namespace koi::dataplane {

/// Knows as of when everything that was waiting in this worker's queues has been taken (L1, L7, L8,
/// L9): as of the poll that found a queue empty, or, under a load that never lets it run empty, as
/// of a poll since which as many frames were taken as fit into it, for queues are FIFO.
class DrainTracker {
 public:
  /// Another queue, numbered from 0 on. room: frames it holds at most. REQUIRES: no more than
  /// kMaxPorts, all before the first poll.
  void add_queue(std::uint32_t room) { all_[count_++].half = (room + 1) / 2; }

  void begin_poll(Instant now) { poll_ = now; }

  /// This poll took this many frames from a queue. emptied: and then found it empty.
  void took(std::size_t queue, std::uint32_t frames, bool emptied) {
    Queue& q = all_[queue];
    if (emptied) {
      q.drained = q.older = q.newer = poll_;
      q.taken = 0;
      return;
    }
    q.taken += frames;
    if (q.taken < q.half) return;
    q.drained = q.older;  // two halves were taken since
    q.older = q.newer;
    q.newer = poll_;
    q.taken = 0;
  }

  /// The latest moment as of which all queues are known to be drained; never goes back. The clock's
  /// zero until one is known.
  Instant drained() const {
    Instant oldest = poll_;
    for (const Queue& q : std::span(all_).first(count_)) oldest = std::min(oldest, q.drained);
    return oldest;
  }

 private:
  struct Queue {
    Instant drained{};
    Instant older{};          // a poll since which half of the room was taken, and `taken`
    Instant newer{};          // a poll since which `taken` was taken
    std::uint32_t taken = 0;  // frames
    std::uint32_t half = 0;   // of the room, frames
  };
  std::array<Queue, kMaxPorts> all_{};
  std::size_t count_ = 0;
  Instant poll_{};
};

}  // namespace koi::dataplane
