#include "controlplane/membership.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "controlplane/membership_frames.h"

namespace koi::controlplane {
namespace {

template <class Address>
void leave_out(std::vector<Address>& groups, const std::vector<Address>& kept) {
  std::vector<Address> left;
  std::set_difference(groups.begin(), groups.end(), kept.begin(), kept.end(),
                      std::back_inserter(left));
  groups = std::move(left);
}

}  // namespace

std::vector<IpAddress> groups_to_join(Family family, std::span<const Ipv6Address> addresses) {
  if (family == Family::ipv4) return {kCarpIpv4Group};
  std::vector<IpAddress> groups = {kCarpIpv6Group};
  for (const Ipv6Address& address : addresses) groups.push_back(solicited_node(address));
  std::sort(groups.begin(), groups.end());
  groups.erase(std::unique(groups.begin(), groups.end()), groups.end());
  return groups;
}

Membership::Membership(const Interface& from, Family family, const std::vector<IpAddress>& groups)
    : from_(from), family_(family), count_(groups.size()), at_(groups.size()) {
  for (const IpAddress& group : groups) {
    if (family == Family::ipv4) {
      groups4_.push_back(group.v4());
    } else {
      groups6_.push_back(group.v6());
    }
  }
}

Membership Membership::leaving(const Membership* kept, Instant now, unsigned rounds) const {
  Membership leaving = *this;
  if (kept != nullptr) {
    leave_out(leaving.groups4_, kept->groups4_);
    leave_out(leaving.groups6_, kept->groups6_);
  }
  leaving.leaves_ = true;
  leaving.count_ = leaving.at_ = leaving.groups4_.size() + leaving.groups6_.size();
  leaving.changes_left_ = rounds;
  leaving.next_ = leaving.count_ == 0 ? Instant::max() : now;
  return leaving;
}

void Membership::link_up(Instant now) {
  changes_left_ = kChangeRounds;
  at_ = count_;
  next_ = count_ == 0 ? Instant::max() : now;
}

void Membership::link_down() {
  at_ = count_;
  next_ = Instant::max();
}

void Membership::on_query(const QueryHeard& query, Instant now, std::uint32_t random) {
  if (query.older_version) older_until_ = now + kOlderVersionPresent;
  if (next_ == Instant::max() || leaves_) return;  // no link, nothing to report, or not a member
  const bool general = query.group == IpAddress() || query.group == IpAddress(Ipv6Address{});
  const bool ours = family_ == Family::ipv4
                        ? query.group.is_v4() &&
                              std::count(groups4_.begin(), groups4_.end(), query.group.v4()) > 0
                        : !query.group.is_v4() &&
                              std::count(groups6_.begin(), groups6_.end(), query.group.v6()) > 0;
  if (!general && !ours) return;
  const Duration longest = std::clamp(query.max_response, Duration(0), kLongestDelay);
  const Duration delay = longest * static_cast<Duration::rep>(random & 0xffff) / 65536;
  next_ = std::min(next_, now + delay);  // RFC 3376 §5.2 rule 1: an earlier answer will do
}

std::vector<TransmitFrame> Membership::due(Instant now, std::size_t limit) {
  std::vector<TransmitFrame> frames;
  if (at_ == count_ && next_ <= now) {
    at_ = 0;
    change_ = changes_left_ > 0;
    if (change_) --changes_left_;
    next_ = changes_left_ > 0 ? now + kRepeat : leaves_ ? Instant::max() : now + kRefresh;
  }
  while (at_ < count_ && frames.size() < limit) {
    frames.push_back(next_report(now));
    frames.back().not_after = now + kFrameLasts;
  }
  return frames;
}

Instant Membership::next_deadline() const { return at_ < count_ ? Instant{} : next_; }

TransmitFrame Membership::next_report(Instant now) {
  const bool older = now < older_until_;
  const auto record = leaves_   ? wire::GroupRecord::leave
                      : change_ ? wire::GroupRecord::change
                                : wire::GroupRecord::current;
  if (family_ == Family::ipv4) {
    const Ipv4Address& group = groups4_[at_++];
    if (!older) return igmp_v3_report(from_, record, group);
    return leaves_ ? igmp_v2_leave(from_, group) : igmp_v2_report(from_, group);
  }
  if (older) {
    const Ipv6Address& group = groups6_[at_++];
    return leaves_ ? mld_v1_done(from_, group) : mld_v1_report(from_, group);
  }
  const std::size_t n = std::min(kGroupsPerMldReport, count_ - at_);
  const auto groups = std::span(groups6_).subspan(at_, n);
  at_ += n;
  return mld_v2_report(from_, record, groups);
}

}  // namespace koi::controlplane
