#pragma once

#include <cstddef>
#include <vector>

#include "common/contract/view.h"
#include "common/time.h"

namespace koi::dataplane {

/// Answers to Duplicate Address Detection go to all nodes of the link, so they are few: at most one
/// a second for each target, from each worker. Its memory is fixed, one moment per address.
///
/// One per worker; its thread only. A reload that moves the entries may leave an address with the
/// rest of another one's second.
class DadLimit {
 public:
  static constexpr Duration kInterval = 1s;
  static constexpr std::size_t kEntries = kMaxSlots * 16;  // addresses beyond it share a place

  DadLimit() : answered_(kEntries) {}

  /// Returns true iff the entry's DAD may be answered now, and then notes that it is.
  bool allow(const Topology& topology, const Entry& entry, Instant now) {
    const auto index = static_cast<std::size_t>(&entry - topology.entries.data());
    Instant& last = answered_[index % kEntries];
    if (last != Instant{} && now - last < kInterval) return false;
    last = now;
    return true;
  }

 private:
  std::vector<Instant> answered_;  // by index of the entry; 0: never
};

}  // namespace koi::dataplane
