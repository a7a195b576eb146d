#pragma once

#include <string>

#include "controlplane/election/step.h"

namespace koi::test {

/// One slot's election with a clock, for tests of step(). What came of the last event is in
/// `actions`, one letter each: the role it changed to (I, B, M), a (advertisement), o (bow-out),
/// g (announcement), ! (notice, kept in `notice`).
struct SlotRig {
  election::Parameters p{.vhid = Vhid(1),
                         .advskew = 100,
                         .source = Ipv4Address::from_u32(0xc0000202),
                         .node = NodeId(2)};
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

  /// An advertisement of node 1, 192.0.2.1, with the next counter.
  VerifiedAdvert advert(unsigned advbase, unsigned advskew, unsigned demote = 0) {
    VerifiedAdvert ad;
    ad.advbase = static_cast<std::uint8_t>(advbase);
    ad.advskew = static_cast<std::uint8_t>(advskew);
    ad.demote = static_cast<std::uint8_t>(demote);
    ad.counter = auth::make_counter(++counter, NodeId(1));
    ad.source = Ipv4Address::from_u32(0xc0000201);
    return ad;
  }
  const std::string& hear(unsigned advbase, unsigned advskew, unsigned demote = 0) {
    return feed(advert(advbase, advskew, demote));
  }
  const std::string& hear_from(std::uint8_t node, unsigned advbase, unsigned advskew) {
    VerifiedAdvert ad = advert(advbase, advskew);
    ad.source = Ipv4Address::from_u32(0xc0000200U | node);
    ad.counter = auth::make_counter(counter, NodeId(node));
    return feed(ad);
  }

  const std::string& due(election::Timer timer) {
    if (s.timer(timer) != election::kNever) now = std::max(now, s.timer(timer));
    return feed(election::TimerDue{timer});
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
  void add(const election::Raise& raise) {
    actions += '!';
    notice = raise.notice;
  }
};

}  // namespace koi::test
