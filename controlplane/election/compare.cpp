#include "controlplane/election/compare.h"

#include "controlplane/election/demotion.h"

namespace koi::election {
namespace {

/// Equal timers, equal demotion: one order of all boxes, whichever family they are heard in.
bool comes_first(const Parameters& p, const VerifiedAdvert& ad) {
  const bool both = p.has(Family::ipv4) && p.has(Family::ipv6);
  const IpAddress ours = p.has(Family::ipv4) ? p.source : IpAddress(p.source6);
  if (!both && ad.source != ours) return ad.source > ours;
  return auth::node_of(ad.counter) > p.node;  // also two boxes with one address: still one stays
}

}  // namespace

Duration interval_of(const VerifiedAdvert& ad) {
  return std::chrono::seconds(ad.advbase) + skew(ad.advskew);
}

Duration interval_of_ours(const Parameters& p, const State& s) {
  return std::chrono::seconds(p.advbase) + skew(effective_advskew(p, s));
}

bool is_bow_out(const VerifiedAdvert& ad) { return ad.advbase == 255 && ad.advskew == 255; }

bool is_better(const Parameters& p, const State& s, const VerifiedAdvert& ad) {
  if (reads_demote(p) && ad.demote != s.demotion) return ad.demote < s.demotion;
  const Duration mine = interval_of_ours(p, s);
  const Duration theirs = interval_of(ad);
  if (mine != theirs || !p.is_koi()) return mine >= theirs;
  return comes_first(p, ad);
}

bool may_preempt(const Parameters& p, const State& s, const VerifiedAdvert& ad) {
  const bool from_better = reads_demote(p) && ad.demote < s.demotion;
  return p.preempt && interval_of_ours(p, s) < interval_of(ad) && !from_better;
}

bool is_more_demoted(const Parameters& p, const State& s, const VerifiedAdvert& ad) {
  return reads_demote(p) && ad.demote > s.demotion;
}

bool will_time_out(const Parameters& p, const State& s, const VerifiedAdvert& ad) {
  return p.advbase != 0 &&
         master_down_interval(p.advbase, effective_advskew(p, s), 3) < interval_of(ad);
}

}  // namespace koi::election
