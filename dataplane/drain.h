#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "common/strong_types.h"
#include "common/time.h"

namespace koi::dataplane {

/// Knows since when everything that was waiting in this worker's queues has been handled (L8, L9).
/// A queue is drained as of a moment once a later poll found it empty, or, under a flood that never
/// lets it run empty, once as many frames were taken from it as any queue can hold: queues are
/// FIFO.
class DrainTracker {
 public:
  /// No queue of a driver koi runs on holds more frames.
  static constexpr std::uint32_t kDeepestQueue = 8192;

  explicit DrainTracker(std::size_t queues) : queues_(queues) {}

  void begin_poll(Instant now) {
    if (open_ != 0) return;
    mark_ = now;
    open_ = queues_;
    left_.fill(kDeepestQueue);
  }

  /// A burst took this many frames from a queue. Only none at all means that it was empty: drivers
  /// also return fewer than asked for where a descriptor's cache line ends (virtio).
  void took(std::size_t queue, std::uint32_t frames) {
    if (left_[queue] == 0) return;
    left_[queue] = frames == 0 || frames >= left_[queue] ? 0 : left_[queue] - frames;
    if (left_[queue] == 0) --open_;
  }

  /// The moment as of which all queues are drained, if that is so now. After it the next
  /// begin_poll() sets a new mark.
  std::optional<Instant> end_poll() const {
    if (open_ != 0) return std::nullopt;
    return mark_;
  }

 private:
  std::array<std::uint32_t, kMaxPorts> left_{};
  std::size_t queues_;
  std::size_t open_ = 0;
  Instant mark_{};
};

}  // namespace koi::dataplane
