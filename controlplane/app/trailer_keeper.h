#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "common/contract/slot_board.h"
#include "config/config.h"
#include "controlplane/app/state_file.h"
#include "controlplane/service_messages.h"
#include "controlplane/view_builder.h"

namespace koi::app {

/// What of the signed trailers must survive a restart, and the wall clock for them (protocol.md
/// §14): the latest sequence of each sender, the ceiling of our own. Does nothing where no group
/// has a trailer. Service thread only.
class TrailerKeeper {
 public:
  using Clock = std::chrono::steady_clock;
  /// How old what is on disk may be: what a receiver that crashed would take a second time.
  static constexpr std::chrono::seconds kSaveEvery{10};

  /// Not owned.
  struct Setup {
    const config::Config* config = nullptr;
    const controlplane::Plan* plan = nullptr;
    const SlotBoard* board = nullptr;
    koi::Clock* clock = nullptr;  // koi's, which UTC is told apart from
    StateFile* state_file = nullptr;
  };
  explicit TrailerKeeper(const Setup& setup);

  /// Control is about to go over to this plan. Returns what it is to be told first.
  std::vector<controlplane::Command> before(const controlplane::Plan& next);
  /// The configuration and the plan have become other ones, in place.
  void config_changed();

  /// The latest of a slot's senders, by source.
  struct Heard {
    std::uint64_t sequence = 0;
    std::uint8_t key_id = 0;
    std::chrono::system_clock::time_point at{};  // {}: before koid was started
  };
  const std::map<IpAddress, Heard>& heard(SlotIndex slot) const { return heard_[slot.value()]; }
  void on(const controlplane::SignedHeard& report);

  /// Returns what control is to be told. Call often: a step of the wall clock is seen here.
  std::vector<controlplane::Command> update(Clock::time_point now);
  /// Control sends nothing any more: what was reserved for it and not used is given back. Nothing
  /// is done after it.
  void finish();

 private:
  Status save(std::uint64_t ceiling);

  const Setup setup_;
  bool used_ = false;
  std::vector<std::map<IpAddress, Heard>> heard_;  // by SlotIndex
  bool news_ = false;                              // since the last save
  Clock::time_point saved_{};
  Clock::time_point retry_{};
  Duration offset_told_{};
};

/// Iff a slot of the plan has trailers.
bool uses_trailers(const controlplane::Plan& plan);

/// Reserves the first sequences of this run, before control may send one.
Status reserve_trailers(StateFile& state_file);

/// From koi's clock to UTC, now.
Duration utc_offset(koi::Clock& clock);

/// What the state file says was heard, for the slots that are still there and have a trailer.
struct TrailerRecordOfSlot {
  SlotIndex slot;
  IpAddress source;
  std::uint64_t sequence = 0;
};
std::vector<TrailerRecordOfSlot> records_of(const config::Config& config,
                                            const controlplane::Plan& plan,
                                            const StateFile& state_file);

}  // namespace koi::app
