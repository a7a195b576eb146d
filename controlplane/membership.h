#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "common/contract/messages.h"
#include "common/net/ip_address.h"
#include "common/time.h"
#include "controlplane/interface.h"

namespace koi::controlplane {

/// What is to be joined on an interface: 224.0.0.18, or ff02::12 and the solicited-node groups of
/// the IPv6 addresses given, each once. Those of shared addresses are joined in every role: a
/// switch must let a solicitation through the moment we rise.
std::vector<IpAddress> groups_to_join(Family family, std::span<const Ipv6Address> addresses);

/// Tells snooping switches which groups one interface wants, in one family (protocol.md §15): when
/// the link comes up and again 1 s later, on every query, and every 60 s; or which it wants no more
/// (leaving()). Speaks IGMPv3 or MLDv2; for 400 s after a query of an older version IGMPv2 or MLDv1
/// (RFC 3376 §7.2.1, RFC 3810 §8.2.1, with the timeout of the default timers).
///
/// Pure: time and chance come in, frames go out. Control thread.
class Membership {
 public:
  static constexpr Duration kRepeat = 1s;       // RFC 3376 §8.11: of the report on a change
  static constexpr unsigned kChangeRounds = 2;  // RFC 3376 §8.1: the robustness variable
  static constexpr Duration kRefresh = 60s;     // without being asked
  static constexpr Duration kOlderVersionPresent = 400s;
  static constexpr Duration kLongestDelay = 10s;  // of an answer, whatever the query allows
  static constexpr Duration kFrameLasts = 1s;     // not-after of a report

  /// REQUIRES: every group is of the family, in ascending order. Nothing is sent before link_up().
  Membership(const Interface& from, Family family, const std::vector<IpAddress>& groups);

  /// Tells that the interface wants those of this one's groups no more that `kept` has not (none:
  /// all of them), from now on, `rounds` times, 1 s apart; then it is_over(). From the same
  /// addresses and in the same version. It answers no query.
  Membership leaving(const Membership* kept, Instant now, unsigned rounds) const;
  bool is_over() const { return leaves_ && at_ == count_ && next_ == Instant::max(); }
  /// It is there in the place of `before`: what was learnt of the querier goes on.
  void follow(const Membership& before) { older_until_ = before.older_until_; }

  const Interface& interface() const { return from_; }
  Family family() const { return family_; }
  /// Iff both are of the same port, VLAN and family.
  bool is_beside(const Membership& other) const {
    return from_.port == other.from_.port && from_.vlan == other.from_.vlan &&
           family_ == other.family_;
  }
  /// Iff another one would be made of the same.
  bool is_like(const Membership& other) const {
    return from_ == other.from_ && family_ == other.family_ && groups4_ == other.groups4_ &&
           groups6_ == other.groups6_;
  }

  /// Joins: at start, and when the link comes back.
  void link_up(Instant now);
  void link_down();

  /// A query on this interface and of this family. random: any number; the answer's delay is
  /// spread over max_response by it (RFC 3376 §5.2). One that asks for a group that is not ours is
  /// not answered, but tells the querier's version.
  void on_query(const QueryHeard& query, Instant now, std::uint32_t random);

  /// At most `limit` reports that are due; the rest of the round stays due.
  std::vector<TransmitFrame> due(Instant now, std::size_t limit);
  /// When due() will have something: at once if that is past. Instant::max(): not before another
  /// call.
  Instant next_deadline() const;

 private:
  TransmitFrame next_report(Instant now);

  Interface from_;
  Family family_;
  std::vector<Ipv4Address> groups4_;  // of the family, the other is empty; ascending
  std::vector<Ipv6Address> groups6_;
  std::size_t count_ = 0;
  Instant next_ = Instant::max();  // of the next round
  Instant older_until_{};
  bool leaves_ = false;
  unsigned changes_left_ = 0;  // rounds that say "changed" (RFC 3376 §5.1)
  bool change_ = false;        // this round is one
  std::size_t at_ = 0;         // next group of this round; count_: no round
};

}  // namespace koi::controlplane
