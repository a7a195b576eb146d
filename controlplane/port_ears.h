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

  void listen(Instant now) {
    if (counters_.empty() || now - listened_ < kEvery) return;
    listened_ = now;
    for (std::size_t p = 0; p < kMaxPorts; ++p) {
      std::uint64_t frames = 0;
      for (const WorkerCounters* worker : counters_) frames += worker->ports[p].received.get();
      if (frames == frames_[p]) continue;
      frames_[p] = frames;
      heard_[p] = now;
    }
  }

  /// True iff the port has received nothing for that long, as of the last listen().
  bool deaf(PortIndex port, Duration time) const {
    return !counters_.empty() && listened_ - heard_[port.value()] >= time;
  }

 private:
  const std::vector<const WorkerCounters*> counters_;
  Instant listened_{};
  std::array<std::uint64_t, kMaxPorts> frames_{};
  std::array<Instant, kMaxPorts> heard_{};
};

}  // namespace koi::controlplane
