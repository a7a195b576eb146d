#pragma once

#include "common/contract/messages.h"
#include "controlplane/election/types.h"

/// Which of two boxes is the better master: protocol.md §7.
namespace koi::election {

/// What an advertisement says, as a time to compare; 255/255 is longer than any other.
Duration interval_of(const VerifiedAdvert& ad);
/// The same of ours: with the advskew that we advertise.
Duration interval_of_ours(const Parameters& p, const State& s);

/// Iff its sender resigns.
bool is_bow_out(const VerifiedAdvert& ad);

/// Iff the sender of an advertisement is to stay while we, MASTER too, step down.
///
/// RFC says: nothing, CARP has none. OpenBSD: fewer demotions, then a shorter or equal interval is
/// better, so that of two equal ones both may step down. We do likewise beside them; between koi
/// boxes the higher source address stays. In a group of both families it is the higher node-id: it
/// is the same in both, while IPv4 addresses may order two boxes one way and IPv6 ones the other,
/// and then each of them steps down for the family that it hears first.
bool is_better(const Parameters& p, const State& s, const VerifiedAdvert& ad);

/// Iff a BACKUP with `preempt` may take it from the sender.
bool may_preempt(const Parameters& p, const State& s, const VerifiedAdvert& ad);

/// Iff the sender counts more demotions than we do.
bool is_more_demoted(const Parameters& p, const State& s, const VerifiedAdvert& ad);

/// Iff the sender advertises so rarely that it is guaranteed to time out: also how the BSDs and
/// UCarp understand a bow-out.
bool will_time_out(const Parameters& p, const State& s, const VerifiedAdvert& ad);

}  // namespace koi::election
