#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "common/strong_types.h"
#include "common/time.h"

/// The slot board: the words through which control and workers hold the lease (design.md, "View,
/// term and lease").
///
/// Invariants, in the order in which they are relied on:
///  1. Every word has one writer, named on its line. A word is stored with release order and loaded
///     with acquire order; there is no stand-alone fence.
///  2. `term` is stored before the view that promotes, and cleared before the view that demotes, is
///     pushed into any ring (L2).
///  3. A `deadline` moves only where an advertisement was taken by the driver (L3) and carries the
///     term it belongs to, so that a late store cannot lengthen another term.
///  4. `heard` is stored before its advertisement is queued (L7). It is outstanding until control
///     has acknowledged its number.
///  5. `emptied` is stored after everything that was waiting at that moment has been stamped (L1)
///     and the up ring holds it (L9), and after the gap that it ends (L8).
namespace koi {

/// A number and a moment in one 64-bit word: 24 bits of a term or of a sequence number, 40 bits of
/// time in units of 2^14 ns (16.4 µs), rounded down. The time wraps after 208 days; comparisons are
/// right for moments less than 104 days apart, and no lease lasts longer than 13 minutes.
class Stamp {
 public:
  static constexpr std::uint32_t kNumberMask = 0xffffff;
  /// left() and age() are off by less than twice this.
  static constexpr Duration kResolution{1 << 14};

  constexpr Stamp() = default;
  constexpr Stamp(std::uint64_t number, Instant at)
      : word_(((number & kNumberMask) << kTimeBits) | units(at)) {}
  static constexpr Stamp from_word(std::uint64_t word) {
    Stamp s;
    s.word_ = word;
    return s;
  }
  constexpr std::uint64_t word() const { return word_; }
  constexpr std::uint32_t number() const { return static_cast<std::uint32_t>(word_ >> kTimeBits); }
  /// The same moment under another number.
  constexpr Stamp with_number(std::uint64_t n) const {
    return from_word(((n & kNumberMask) << kTimeBits) | (word_ & kTimeMask));
  }
  constexpr bool is_number_of(std::uint64_t n) const { return number() == (n & kNumberMask); }

  /// True iff now is surely before the stamped moment.
  constexpr bool is_after(Instant now) const { return signed_units(now) > 0; }

  /// Time from now to the stamped moment, negative when it is past; never longer than the truth.
  constexpr Duration left(Instant now) const { return Duration((signed_units(now) - 1) * kUnit); }

  /// Age of the stamped moment at now; never younger than the truth.
  constexpr Duration age(Instant now) const { return Duration((1 - signed_units(now)) * kUnit); }

 private:
  static constexpr unsigned kTimeBits = 40;
  static constexpr std::int64_t kUnit = 1 << 14;
  static constexpr std::uint64_t kTimeMask = (1ULL << kTimeBits) - 1;

  static constexpr std::uint64_t units(Instant at) {
    return (static_cast<std::uint64_t>(at.time_since_epoch().count()) >> 14) & kTimeMask;
  }
  /// Stamped moment less now in units, both rounded down, sign extended from 40 bits.
  constexpr std::int64_t signed_units(Instant now) const {
    const std::uint64_t difference = (word_ - units(now)) & kTimeMask;
    return static_cast<std::int64_t>(difference << (64 - kTimeBits)) >> (64 - kTimeBits);
  }

  std::uint64_t word_ = 0;
};

/// What the board holds for one slot.
struct SlotWords {
  // writer: control
  alignas(64) std::atomic<std::uint64_t> term{0};  // Term of the reign, 0 = not MASTER
  std::array<std::atomic<std::uint32_t>, kMaxWorkers> acknowledged{};  // heard number decided on

  // writer: the slot's transmitting worker
  alignas(
      64) std::array<std::atomic<std::uint64_t>, kFamilies> deadline{};  // Stamp(term, deadline)
  // writer: worker w
  std::array<std::atomic<std::uint64_t>, kMaxWorkers> heard{};  // Stamp(number, oldest outstanding)
};

/// What the board holds for one worker.
struct WorkerWords {
  // writer: the worker
  // ns: start of its last poll; published at least every 100 µs while it polls
  alignas(64) std::atomic<std::int64_t> polled{0};
  // ns: all that was waiting in its queues at that moment is stamped and in the up ring; as often,
  // while it keeps up
  std::atomic<std::int64_t> emptied{0};
  std::atomic<std::uint32_t> gap{0};      // number of its last gap (L8)
  std::atomic<std::uint64_t> adopted{0};  // number of the view in use

  // writer: control
  alignas(64) std::atomic<std::uint32_t> gap_acknowledged{0};
};

/// One per process, shared by control (C), all workers (W) and, for reading only, the service
/// thread.
class SlotBoard {
 public:
  SlotWords& slot(SlotIndex s) { return slots_[s.value()]; }
  const SlotWords& slot(SlotIndex s) const { return slots_[s.value()]; }
  WorkerWords& worker(WorkerIndex w) { return workers_[w.value()]; }
  const WorkerWords& worker(WorkerIndex w) const { return workers_[w.value()]; }

  /// Highest counter this node has ever put into an advertisement. writer: control.
  std::atomic<std::uint64_t> own_counter{0};

  /// The same of the trailers' sequences. writer: control.
  std::atomic<std::uint64_t> own_sequence{0};

  /// From koi's clock to UTC, in ns since 1970: what trailers are dated and judged by, and nothing
  /// else, for it follows the wall clock's steps. writer: control.
  std::atomic<std::int64_t> utc_offset{0};

  /// A moment of koi's clock as time since 1970.
  Duration utc(Instant at) const {
    return at.time_since_epoch() + Duration(utc_offset.load(std::memory_order_acquire));
  }

  Instant polled(WorkerIndex w) const {
    return Instant(Duration(worker(w).polled.load(std::memory_order_acquire)));
  }
  Instant emptied(WorkerIndex w) const {
    return Instant(Duration(worker(w).emptied.load(std::memory_order_acquire)));
  }
  /// The deadline stored for a family of a slot.
  Stamp deadline(SlotIndex s, Family f) const {
    return Stamp::from_word(
        slot(s).deadline[static_cast<std::size_t>(f)].load(std::memory_order_acquire));
  }

 private:
  std::array<SlotWords, kMaxSlots> slots_{};
  std::array<WorkerWords, kMaxWorkers> workers_{};
};

}  // namespace koi
