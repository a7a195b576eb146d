#pragma once

#include <string>

#include "controlplane/election/step.h"

namespace koi::test {

/// One slot's election with a clock, for tests of step(). What came of the last event is in
/// `actions`, one letter each: the role it changed to (I, B, M), a (advertisement), o (bow-out),
/// g (announcement), p (probe), ! (notice, kept in `notice`).
struct SlotRig {
  election::Parameters p{.vhid = Vhid(1),
                         .advskew = 100,
                         .source = address(2),
                         .node = NodeId(2),
                         .source6 = address6(2)};
  election::State s;
  Instant now{Duration(100s)};
  std::string actions;
  election::Notice notice{};
  std::uint64_t counter = 1;

  const std::string& feed(const election::Event& event) {
    actions.clear();
    for (const election::Action& action : election::step(p, s, event, now)) {
      std::visit([this](const auto& a) { add(a); }, action);
    }
    return actions;
  }

  /// Of node n: 192.0.2.n, fe80::n.
  static Ipv4Address address(std::uint8_t n) { return Ipv4Address::from_u32(0xc0000200U | n); }
  static Ipv6Address address6(std::uint8_t n) {
    Ipv6Address a;
    a.bytes[0] = std::byte{0xfe};
    a.bytes[1] = std::byte{0x80};
    a.bytes[15] = std::byte{n};
    return a;
  }

  /// An advertisement of node 1, 192.0.2.1, with the next counter.
  VerifiedAdvert advert(unsigned advbase, unsigned advskew, unsigned demote = 0) {
    VerifiedAdvert ad;
    ad.advbase = static_cast<std::uint8_t>(advbase);
    ad.advskew = static_cast<std::uint8_t>(advskew);
    ad.demote = static_cast<std::uint8_t>(demote);
    ad.counter = auth::make_counter(++counter, NodeId(1));
    ad.source = address(1);
    return ad;
  }
  VerifiedAdvert advert6(unsigned advbase, unsigned advskew, unsigned demote = 0) {
    VerifiedAdvert ad = advert(advbase, advskew, demote);
    ad.family = Family::ipv6;
    ad.source = address6(1);
    return ad;
  }
  const std::string& hear(unsigned advbase, unsigned advskew, unsigned demote = 0) {
    return feed(advert(advbase, advskew, demote));
  }
  const std::string& hear_from(std::uint8_t node, unsigned advbase, unsigned advskew) {
    VerifiedAdvert ad = advert(advbase, advskew);
    ad.source = address(node);
    ad.counter = auth::make_counter(counter, NodeId(node));
    return feed(ad);
  }

  const std::string& hear6(unsigned advbase, unsigned advskew, unsigned demote = 0) {
    return feed(advert6(advbase, advskew, demote));
  }

  const std::string& due(election::Timer timer, bool deaf = false) {
    if (s.timer(timer) != election::kNever) now = std::max(now, s.timer(timer));
    return feed(election::TimerDue{timer, deaf});
  }
  Duration left(election::Timer timer) const { return s.timer(timer) - now; }
  bool armed(election::Timer timer) const { return s.timer(timer) != election::kNever; }

  void become_backup() { feed(election::LinkUp{}); }
  void become_master() {
    become_backup();
    due(election::Timer::master_down_ipv4);
  }

 private:
  void add(const election::ChangeRole& change) { actions += "IBM"[static_cast<int>(change.to)]; }
  void add(const election::SendAdvertisement&) { actions += 'a'; }
  void add(const election::SendBowOut&) { actions += 'o'; }
  void add(const election::Announce&) { actions += 'g'; }
  void add(const election::Probe&) { actions += 'p'; }
  void add(const election::Raise& raise) {
    actions += '!';
    notice = raise.notice;
  }
};

}  // namespace koi::test
