#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <string_view>

#include "common/contract/counters.h"
#include "controlplane/election/step.h"

namespace koi::controlplane {

/// What became of a rightly signed hello (CARP.md §21).
enum class HelloVerdict : std::uint8_t { accepted, own, old, clock, full };
inline constexpr std::array<std::string_view, 5> kHelloVerdictLabels = {
    "accepted", "hello_own", "hello_old", "hello_clock", "hello_full"};

/// What control counts. writer: control; any thread reads.
struct ControlCounters {
  struct Slot {
    // [from][to][cause]; of the nine pairs five can happen
    std::array<std::array<std::array<Counter, election::kCauses>, 3>, 3> transitions;
    std::array<Counter, election::kNoticeNames.size()> notices;
    // Of a group, by its first slot.
    std::array<Counter, kHelloVerdictLabels.size()> hellos;
    Counter hellos_sent;
  };

  explicit ControlCounters(std::size_t slot_count) : slots(slot_count) {}

  /// By SlotIndex. Only the service thread makes it grow; control keeps the places of its slots.
  std::deque<Slot> slots;
  Histogram takeover;       // last heard advertisement to first announcement
  Histogram late;           // how much later than planned a turn began
  Counter frames_dropped;   // the down ring was full
  Counter reports_dropped;  // the report ring was full
};

}  // namespace koi::controlplane
