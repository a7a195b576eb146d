#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "common/contract/capture.h"
#include "common/time.h"

/// Which frames a capture copies: those that match, as long as the worker has time for it.
namespace koi::dataplane {

/// Whether a frame is to be captured. Reads no further than the bytes go: a frame that is cut short
/// does not match by what it lacks. A worker, only while a capture runs.
bool matches(const CaptureFilter& filter, std::span<const std::byte> frame);

/// How much a worker may copy, so that a capture makes it late for nothing: L1 and L8 allow 1 ms
/// between two polls, and this is some 15 µs of copying in each.
class CaptureBudget {
 public:
  static constexpr Duration kWindow = 1ms;
  static constexpr std::uint32_t kBytes = 64 * 1024;  // in one window
  static constexpr std::uint32_t kEach = 64;          // for a frame itself, however short

  /// now: of the burst.
  void begin_burst(Instant now) {
    if (now - window_ < kWindow) return;
    window_ = now;
    left_ = kBytes;
  }
  /// Returns false iff so many bytes are too many by now.
  bool take(std::uint32_t bytes) {
    if (bytes + kEach > left_) return false;
    left_ -= bytes + kEach;
    return true;
  }

 private:
  Instant window_{};  // when it began
  std::uint32_t left_ = kBytes;
};
static_assert(CaptureWanted::kMostSnaplen + CaptureBudget::kEach <= CaptureBudget::kBytes);

}  // namespace koi::dataplane
