#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>

#include "common/drop_reason.h"
#include "common/strong_types.h"
#include "common/time.h"

/// Counters: one writer each, relaxed, summed by whoever reads (style.md 17).
namespace koi {

/// A counter with a single writer. Any thread may read it.
class Counter {
 public:
  void add(std::uint64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  std::uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

enum class AnswerKind : std::uint8_t { arp, nd, icmp };
inline constexpr std::size_t kAnswerKinds = 3;

/// What became of an advertisement whose vhid was ours: kept per slot.
enum class Verdict : std::uint8_t {
  accepted,
  version,
  digest,
  own,
  node_id,
  replay,
  ring_full,
  trailer_missing,
  trailer_scheme,
  trailer_key,
  trailer_mac,
  trailer_clock,
  trailer_old
};
inline constexpr std::array<std::string_view, 13> kVerdictLabels = {
    "accepted",    "carp_version",   "carp_digest",     "carp_own",       "carp_node_id",
    "carp_replay", "carp_ring_full", "trailer_missing", "trailer_scheme", "trailer_key",
    "trailer_mac", "trailer_clock",  "trailer_old"};

struct PortCounters {  // writer: the worker
  std::array<Counter, kDropReasons> drops;
  std::array<Counter, kAnswerKinds> answers;
  Counter received;     // frames
  Counter transmitted;  // frames, those of the host among them
  Counter to_host;      // frames that the host port took
  Counter from_host;    // frames that it brought
};

struct SlotCounters {  // writer: the worker
  std::array<Counter, kVerdictLabels.size()> received;
  std::array<Counter, kFamilies> sent;  // advertisements taken by the driver
};

/// All counters of one worker, on cache lines of its own.
struct alignas(64) WorkerCounters {
  std::array<PortCounters, kMaxPorts> ports;
  std::array<SlotCounters, kMaxSlots> slots;

  void drop(PortIndex port, DropReason reason, std::uint64_t n = 1) {
    ports[port.value()].drops[static_cast<std::size_t>(reason)].add(n);
  }
};

/// A histogram of durations: buckets by upper bound, single writer.
class Histogram {
 public:
  static constexpr std::array<Duration, 14> kBounds = {10us, 30us,  100us, 300us, 1ms, 3ms, 10ms,
                                                       30ms, 100ms, 300ms, 1s,    3s,  10s, 30s};
  void observe(Duration d) {
    std::size_t at = 0;
    while (at < kBounds.size() && d > kBounds[at]) ++at;
    buckets_[at].add();
    sum_ns_.add(static_cast<std::uint64_t>(d.count() < 0 ? 0 : d.count()));
  }
  /// Observations in (kBounds[at - 1], kBounds[at]]; at == kBounds.size(): above all bounds.
  std::uint64_t bucket(std::size_t at) const { return buckets_[at].get(); }
  double sum_seconds() const { return static_cast<double>(sum_ns_.get()) * 1e-9; }

 private:
  std::array<Counter, kBounds.size() + 1> buckets_;
  Counter sum_ns_;
};

}  // namespace koi
