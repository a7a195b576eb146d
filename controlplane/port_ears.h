#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "common/contract/counters.h"
#include "common/strong_types.h"
#include "common/time.h"

namespace koi::controlplane {

/// When each port last received a frame of any kind: a BACKUP that hears nothing at all is deaf
/// rather than alone (CARP.md, Deaf box). Reads the workers' counters, at most once a millisecond.
/// Control thread.
class PortEars {
 public:
  static constexpr Duration kEvery = 1ms;

  /// counters: of each worker; not owned. None: nothing is known, and no port is ever deaf.
  explicit PortEars(std::vector<const WorkerCounters*> counters) : counters_(std::move(counters)) {}

  /// Every turn; looks once in kEvery.
  void listen(Instant now) {
    if (now - listened_ >= kEvery) listen_now(now);
  }

  /// Before deaf() is asked.
  void listen_now(Instant now) {
    if (counters_.empty() || now == listened_) return;
    // What came since we looked last came after that; at first we have just begun to listen.
    const Instant earliest = listened_ == Instant{} ? now : listened_;
    for (std::size_t p = 0; p < kMaxPorts; ++p) {
      std::uint64_t frames = 0;
      for (const WorkerCounters* worker : counters_) frames += worker->ports[p].received.get();
      if (listened_ != Instant{} && frames == frames_[p]) continue;
      frames_[p] = frames;
      heard_[p] = earliest;
    }
    listened_ = now;
  }

  /// True iff the port has received nothing for that long. The last frame is taken for as old as it
  /// may be: the master's last advertisement, which began the time, must not hide that nothing
  /// followed. REQUIRES: listen_now(now).
  bool deaf(PortIndex port, Instant now, Duration time) const {
    return !counters_.empty() && now - heard_[port.value()] >= time;
  }

 private:
  const std::vector<const WorkerCounters*> counters_;
  Instant listened_{};
  std::array<std::uint64_t, kMaxPorts> frames_{};
  std::array<Instant, kMaxPorts> heard_{};
};

}  // namespace koi::controlplane
