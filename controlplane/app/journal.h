#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "controlplane/app/flight_recorder.h"
#include "controlplane/app/snapshot.h"
#include "controlplane/service_messages.h"

namespace koi::app {

/// Tells what happens to this box: to the flight recorder, and to the log what is not logged where
/// it happens. Service thread only.
class Journal {
 public:
  /// The snapshot is not owned; its ledger is set by the time of the first call.
  explicit Journal(const Snapshot& snapshot);

  void koid(const std::string& what);
  /// One line of the log, with its fields: those that README names, always all of them.
  void role(const controlplane::RoleChange& change);
  void link(std::size_t port, bool up);
  void agent(bool present);
  /// Of another box of the group; first: its first slot.
  void peer(SlotIndex first, const char* what, const std::string& who, bool warn);
  /// What has begun, changed or ended in the ledger since the last call.
  void demotions();
  /// The same causes under other numbers are no news.
  void renumbered() { demotions_ = snapshot_.demotions->list(); }
  /// One of a slot's kind in a second; those in between are counted.
  void notice(const controlplane::NoticeRaised& notice);
  void add(Event event) { recorder_.add(std::move(event)); }

  const FlightRecorder& recorder() const { return recorder_; }

 private:
  using Moment = std::chrono::steady_clock::time_point;
  struct Said {
    Moment at{};
    std::uint32_t since = 0;  // so many have come since and were not recorded
  };
  Event of_slot(Event::Kind kind, SlotIndex slot) const;

  const Snapshot& snapshot_;
  FlightRecorder recorder_;
  std::vector<controlplane::DemotionCause> demotions_;  // as of the last call
  std::array<Moment, election::kNoticeNames.size()> logged_{};
  std::map<std::pair<SlotIndex, election::Notice>, Said> said_;
};

}  // namespace koi::app
