#include "controlplane/election/compare.h"

#include "controlplane/election/demotion.h"

namespace koi::election {
namespace {

/// Equal timers, equal demotion: whose address is higher, unsigned and in network order.
bool has_higher_address(const Parameters& p, const VerifiedAdvert& ad) {
  const IpAddress ours = ad.family == Family::ipv4 ? p.source : IpAddress(p.source6);
  if (ad.source != ours) return ad.source > ours;
  return auth::node_of(ad.counter) > p.node;  // two boxes with one address: still one stays
}

}  // namespace

Duration interval_of(const VerifiedAdvert& ad) {
  return std::chrono::seconds(ad.advbase) + skew(ad.advskew);
}

Duration interval_of_ours(const Parameters& p, const State& s) {
  return std::chrono::seconds(p.advbase) + skew(effective_advskew(p, s));
}

bool is_bow_out(const VerifiedAdvert& ad) { return ad.advbase == 255 && ad.advskew == 255; }

Standing compare(const Parameters& p, const State& s, const VerifiedAdvert& ad, Instant now) {
  const auto if_better = [](bool better) { return better ? Standing::better : Standing::worse; };
  if (reads_demote(p) && ad.demote != s.demotion) return if_better(ad.demote < s.demotion);
  const Duration mine = interval_of_ours(p, s);
  const Duration theirs = interval_of(ad);
  if (mine != theirs || !p.is_koi()) return if_better(mine >= theirs);
  if (ad.family == Family::ipv4 || !p.has(Family::ipv4))
    return if_better(has_higher_address(p, ad));
  if (s.nodes.heard_after(auth::node_of(ad.counter), now - p.master_down())) {
    return Standing::undecided;
  }
  return has_higher_address(p, ad) ? Standing::better_by_ipv6 : Standing::worse;
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
