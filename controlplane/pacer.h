#pragma once

#include <algorithm>
#include <cstddef>

#include "common/time.h"

namespace koi::controlplane {

/// A token bucket for announcements, so that a takeover of many addresses does not flood a small
/// NIC's queue: as many as `burst` may go at once, then one per `each`. With the defaults 4,080
/// (255 vhids of 16 addresses) are out in 15.3 ms. Control thread.
class Pacer {
 public:
  explicit Pacer(std::size_t burst = 256, Duration each = 4us)
      : burst_(burst), each_(each), tokens_(burst) {}

  /// How many of `wanted` may go now; they are taken from the bucket. REQUIRES: now does not
  /// decrease.
  std::size_t take(Instant now, std::size_t wanted) {
    refill(now);
    const std::size_t granted = std::min(wanted, tokens_);
    tokens_ -= granted;
    return granted;
  }
  /// Of those granted, what did not go.
  void put_back(std::size_t count) { tokens_ = std::min(burst_, tokens_ + count); }

 private:
  void refill(Instant now) {
    const auto whole = static_cast<std::size_t>((now - filled_) / each_);
    if (whole >= burst_ - tokens_) {  // full: what does not fit is not saved up
      tokens_ = burst_;
      filled_ = now;
    } else {
      tokens_ += whole;
      filled_ += each_ * static_cast<Duration::rep>(whole);
    }
  }

  std::size_t burst_;
  Duration each_;
  std::size_t tokens_;
  Instant filled_{};  // up to when the bucket was filled
};

}  // namespace koi::controlplane
