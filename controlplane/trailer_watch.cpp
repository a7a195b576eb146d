#include "controlplane/trailer_watch.h"

#include <algorithm>

namespace koi::controlplane {

bool TrailerWatch::take(const VerifiedAdvert& advert, Instant now) {
  if (advert.sequence == 0) return true;
  std::unique_ptr<Slot>& slot = slots_[advert.slot.value()];
  if (!slot) slot = std::make_unique<Slot>();
  // How old a stranger's may be was the worker's to judge.
  if (slot->guard.check(advert.source, advert.sequence, 0) != auth::SequenceGuard::Result::fresh) {
    return false;
  }
  slot->guard.remember(advert.source, advert.sequence);
  auto known = std::find_if(slot->senders.begin(), slot->senders.end(), [&](const Sender& sender) {
    return sender.last.source == advert.source;
  });
  if (known == slot->senders.end()) {
    if (slot->senders.size() == kSenders) return true;
    known = slot->senders.insert(known, Sender{.last = {}, .due = now});
  }
  known->last = {.slot = advert.slot,
                 .source = advert.source,
                 .sequence = advert.sequence,
                 .key_id = advert.key_id,
                 .at = now};
  if (!known->queued) {
    known->queued = true;
    known->due = std::max(known->due, now);
    const Place place{advert.slot, static_cast<std::size_t>(known - slot->senders.begin())};
    // Nearly always the last one: one that was reported lately is due later.
    const auto behind = std::find_if(queue_.rbegin(), queue_.rend(), [&](const Place& other) {
      return entry(other).due <= known->due;
    });
    queue_.insert(behind.base(), place);
  }
  return true;
}

std::optional<SignedHeard> TrailerWatch::due(Instant now, bool all) const {
  if (queue_.empty() || (!all && entry(queue_.front()).due > now)) return std::nullopt;
  return entry(queue_.front()).last;
}

void TrailerWatch::sent(Instant now) {
  const Place place = queue_.front();
  queue_.pop_front();
  Sender& sender = slots_[place.slot.value()]->senders[place.at];
  sender.queued = false;
  sender.due = now + kInterval;
}

}  // namespace koi::controlplane
