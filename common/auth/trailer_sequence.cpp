#include "common/auth/trailer_sequence.h"

#include <algorithm>

namespace koi::auth {

SequenceGuard::Result SequenceGuard::check(const IpAddress& source, std::uint64_t sequence,
                                           std::uint64_t oldest) const {
  for (const Sender& sender : senders_) {
    if (sender.highest == 0 || sender.source != source) continue;
    return sequence > sender.highest ? Result::fresh : Result::old;
  }
  return sequence >= oldest && sequence != 0 ? Result::fresh : Result::stale;
}

void SequenceGuard::remember(const IpAddress& source, std::uint64_t sequence) {
  const auto known = std::find_if(senders_.begin(), senders_.end(), [&](const Sender& sender) {
    return sender.highest != 0 && sender.source == source;
  });
  if (known != senders_.end()) {
    known->highest = std::max(known->highest, sequence);
    return;
  }
  const auto place =
      std::min_element(senders_.begin(), senders_.end(),
                       [](const Sender& a, const Sender& b) { return a.highest < b.highest; });
  *place = {source, sequence};
}

}  // namespace koi::auth
