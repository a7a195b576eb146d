#pragma once

#include <algorithm>
#include <cstdint>

#include "controlplane/election/types.h"

/// How a demotion is told to the other boxes: protocol.md §7 and §8. A box that is demoted is less
/// fit to be MASTER than its timers say; OpenBSD counts that in byte 4, the others raise advskew.
namespace koi::election {

/// The advskew of a demoted box: of OpenBSD 2007, NetBSD and UCarp, and the sum at which FreeBSD
/// stops, for which one cause is enough.
inline constexpr std::uint8_t kDemotedAdvskew = 240;

/// A sum of demotions as byte 4 has room for it: OpenBSD caps it at 255, too.
constexpr std::uint8_t saturated(unsigned demotion) {
  return static_cast<std::uint8_t>(std::min(demotion, 255U));
}

/// Iff byte 4 of what is heard is a count: elsewhere it is padding.
inline bool reads_demote(const Parameters& p) {
  return p.encoding() != config::DemotionEncoding::skew;
}

/// Byte 4 of our advertisements.
inline std::uint8_t advertised_demotion(const Parameters& p, const State& s) {
  return reads_demote(p) ? s.demotion : std::uint8_t{0};
}

/// The advskew that goes into our advertisements and into comparisons, 1/256 s; what a BACKUP waits
/// comes from the configured one. One of above 240 stays as it is: FreeBSD would lower it.
inline std::uint8_t effective_advskew(const Parameters& p, const State& s) {
  const bool raises = p.encoding() != config::DemotionEncoding::count;
  return s.demotion > 0 && raises ? std::max(p.advskew, kDemotedAdvskew) : p.advskew;
}

}  // namespace koi::election
