#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "common/auth/trailer_sequence.h"
#include "common/contract/messages.h"
#include "controlplane/service_messages.h"

namespace koi::controlplane {

/// The signed advertisements that workers have verified: what another worker took before is refused
/// here, and the service thread is told of the latest one of each sender, for the state file.
/// Control thread.
class TrailerWatch {
 public:
  /// From one report about a sender to the next.
  static constexpr Duration kInterval = 2s;

  explicit TrailerWatch(std::size_t slots) : slots_(slots) {}
  /// There are more slots now.
  void grow_to(std::size_t slots) { slots_.resize(slots); }

  /// Returns false iff the advertisement has a trailer that is not above its sender's last.
  bool take(const VerifiedAdvert& advert, Instant now);

  /// The next report that is due; of those that are not due yet too, if all are wanted. It is due
  /// until it was sent().
  std::optional<SignedHeard> due(Instant now, bool all) const;
  void sent(Instant now);

  /// When the next one is due; Instant::max(): nothing is new.
  Instant next_due() const { return queue_.empty() ? Instant::max() : entry(queue_.front()).due; }

 private:
  struct Sender {
    SignedHeard last;
    Instant due{};  // not reported again before
    bool queued = false;
  };
  struct Place {
    SlotIndex slot;
    std::size_t at = 0;
  };
  struct Slot {
    auth::SequenceGuard guard;
    std::vector<Sender> senders;  // grows by one for each box and family that has our key
  };
  /// More than these are verified, but not told of.
  static constexpr std::size_t kSenders = 16;

  const Sender& entry(const Place& place) const {
    return slots_[place.slot.value()]->senders[place.at];
  }

  std::vector<std::unique_ptr<Slot>> slots_;  // by SlotIndex; none: nothing signed was heard
  std::deque<Place> queue_;                   // those with something new, earliest first
};

}  // namespace koi::controlplane
