#pragma once

#include <cstddef>
#include <vector>

#include "common/contract/view.h"
#include "common/time.h"

namespace koi::dataplane {

/// Answers to Duplicate Address Detection go to all nodes of the link, so they are few: at most one
/// a second for each target, from each worker. Its memory is fixed, one moment per address.
///
/// One per worker; its thread only. A reload that numbers them anew may leave an address with the
/// rest of another one's second.
class DadLimit {
 public:
  static constexpr Duration kInterval = 1s;
  static constexpr std::size_t kEntries = kMaxSlots * 16;  // addresses beyond it share a place

  DadLimit() : answered_(kEntries) {}

  /// Returns true iff the entry's DAD may be answered now, and then notes that it is.
  bool allow(const Entry& entry, Instant now) {
    Instant& last = answered_[entry.number % kEntries];
    if (last != Instant{} && now - last < kInterval) return false;
    last = now;
    return true;
  }

 private:
  std::vector<Instant> answered_;  // by the entry's number; 0: never
};

}  // namespace koi::dataplane
