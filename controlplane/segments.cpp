#include "controlplane/segments.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace koi::controlplane {

Segments::Segments(const std::vector<PlacePlan>& places, std::uint32_t seed) : random_(seed | 1) {
  follow(places, Instant{});
}

void Segments::follow(const std::vector<PlacePlan>& places, Instant now) {
  if (ended_) return;
  interfaces_.clear();
  std::vector<Membership> before = std::exchange(memberships_, {});
  const std::vector<Membership> left = std::exchange(leaving_, {});
  const auto join = [&](const PlacePlan& place, Family family,
                        std::span<const Ipv6Address> addresses) {
    std::vector<IpAddress> groups = groups_to_join(family, addresses);
    // Without multicast advertisements nobody needs CARP's group; solicitations still come.
    if ((place.listens & family_bit(family)) == 0) {
      std::erase_if(groups, [](const IpAddress& group) {
        return group == IpAddress(kCarpIpv4Group) || group == IpAddress(kCarpIpv6Group);
      });
    }
    if (groups.empty()) return;
    Membership wanted(place.interface, family, groups);
    const auto there = std::find_if(before.begin(), before.end(),
                                    [&](const Membership& m) { return m.is_beside(wanted); });
    if (there != before.end() && there->is_like(wanted)) {
      memberships_.push_back(std::move(*there));
      before.erase(there);
      return;
    }
    if (there != before.end()) wanted.follow(*there);
    if (up_[place.interface.port.value()]) wanted.link_up(now);
    memberships_.push_back(std::move(wanted));
  };
  for (const PlacePlan& place : places) {
    interfaces_.emplace(std::pair{place.interface.port, place.interface.vlan}, place.interface);
    if (!place.interface.source.is_zero()) join(place, Family::ipv4, {});
    if (!place.interface.link_local.is_unspecified()) join(place, Family::ipv6, place.answered);
  }
  for (const Membership& membership : before) leave(membership, now, Membership::kChangeRounds);
  // Said again, unless it is joined now.
  for (const Membership& membership : left) leave(membership, now, Membership::kChangeRounds);
  follow_peers(places, now);
}

void Segments::end(Instant now) {
  if (std::exchange(ended_, true)) return;
  std::vector<Membership> all = std::exchange(memberships_, {});
  std::move(leaving_.begin(), leaving_.end(), std::back_inserter(all));
  leaving_.clear();
  for (const Membership& membership : all) leave(membership, now, 1);
}

void Segments::leave(const Membership& left, Instant now, unsigned rounds) {
  if (!up_[left.interface().port.value()]) return;
  const auto there = std::find_if(memberships_.begin(), memberships_.end(),
                                  [&](const Membership& m) { return m.is_beside(left); });
  Membership leaving = left.leaving(there == memberships_.end() ? nullptr : &*there, now, rounds);
  if (!leaving.is_over()) leaving_.push_back(std::move(leaving));
}

void Segments::follow_peers(const std::vector<PlacePlan>& places, Instant now) {
  neighbors_.keep_if([&](PortIndex port, VlanId vlan, const IpAddress& peer) {
    return std::any_of(places.begin(), places.end(), [&](const PlacePlan& place) {
      return place.interface.port == port && place.interface.vlan == vlan &&
             std::find(place.peers.begin(), place.peers.end(), peer) != place.peers.end();
    });
  });
  for (const PlacePlan& place : places) {
    for (const IpAddress& peer : place.peers) {
      const bool up = up_[place.interface.port.value()];
      neighbors_.add(place.interface, peer, up ? now : Instant::max());
    }
  }
}

void Segments::link(PortIndex port, bool up, Instant now) {
  up_[port.value()] = up;
  std::erase_if(leaving_, [&](const Membership& m) { return m.interface().port == port; });
  for (Membership& membership : memberships_) {
    if (membership.interface().port != port) continue;
    if (up) {
      membership.link_up(now);
    } else {
      membership.link_down();
    }
  }
  if (up) {
    neighbors_.link_up(port, now);
  } else {
    neighbors_.link_down(port);
  }
}

void Segments::on(const QueryHeard& query, Instant now) {
  for (Membership& membership : memberships_) {
    const Interface& there = membership.interface();
    if (there.port == query.port && there.vlan == query.vlan &&
        membership.family() == query.family) {
      membership.on_query(query, now, next_random());
    }
  }
}

std::vector<TransmitFrame> Segments::probe(PortIndex port, VlanId vlan,
                                           std::span<const IpAddress> addresses,
                                           Instant now) const {
  std::vector<TransmitFrame> frames;
  const auto place = interfaces_.find({port, vlan});
  if (place == interfaces_.end()) return frames;
  const Interface& from = place->second;
  for (const IpAddress& address : addresses) {
    const bool has_source =
        address.is_v4() ? !from.source.is_zero() : !from.link_local.is_unspecified();
    if (!has_source || frames.size() == kFramesPerTurn) continue;
    frames.push_back(ask_for(from, address, std::nullopt));
    frames.back().not_after = now + NeighborTable::kFrameLasts;
  }
  return frames;
}

std::vector<TransmitFrame> Segments::due(Instant now) {
  std::vector<TransmitFrame> frames;
  if (neighbors_.next_deadline() <= now) frames = neighbors_.due(now, kFramesPerTurn);
  for (std::vector<Membership>* list : {&leaving_, &memberships_}) {
    for (Membership& membership : *list) {
      if (frames.size() >= kFramesPerTurn) break;
      if (membership.next_deadline() > now) continue;
      const auto more = membership.due(now, kFramesPerTurn - frames.size());
      frames.insert(frames.end(), more.begin(), more.end());
    }
  }
  std::erase_if(leaving_, [](const Membership& m) { return m.is_over(); });
  return frames;
}

Instant Segments::next_due() const {
  Instant next = neighbors_.next_deadline();
  for (const std::vector<Membership>* list : {&leaving_, &memberships_}) {
    for (const Membership& m : *list) next = std::min(next, m.next_deadline());
  }
  return next;
}

std::uint32_t Segments::next_random() {
  random_ ^= random_ << 13;  // xorshift: only to spread answers, nothing rests on it
  random_ ^= random_ >> 17;
  random_ ^= random_ << 5;
  return random_;
}

}  // namespace koi::controlplane
