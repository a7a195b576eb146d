#pragma once

#include <cstdint>

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

/// How the sender of an advertisement stands to us while we are MASTER.
enum class Standing : std::uint8_t {
  worse,
  undecided,  // dual stack, equal: this one's IPv4 advertisement decides
  better,
  better_by_ipv6  // dual stack, equal, not heard over IPv4: it may decide the other way round
};

/// RFC says: nothing, CARP has none. OpenBSD: fewer demotions, then a shorter or equal interval is
/// better, so that of two equal ones both may step down. We do likewise beside them; between koi
/// boxes the higher source address stays.
///
/// In a koi group of both families the IPv4 addresses decide, by IPv4 advertisements. An IPv6 one
/// decides only where its node is not heard over IPv4 within master-down: two criteria that order a
/// pair differently could make both step down.
Standing compare(const Parameters& p, const State& s, const VerifiedAdvert& ad, Instant now);

/// Iff a BACKUP with `preempt` may take it from the sender.
bool may_preempt(const Parameters& p, const State& s, const VerifiedAdvert& ad);

/// Iff the sender counts more demotions than we do.
bool is_more_demoted(const Parameters& p, const State& s, const VerifiedAdvert& ad);

/// Iff the sender advertises so rarely that it is guaranteed to time out: also how the BSDs and
/// UCarp understand a bow-out.
bool will_time_out(const Parameters& p, const State& s, const VerifiedAdvert& ad);

}  // namespace koi::election
