#include <functional>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "tests/support/slot_rig.h"

/// Every notice and every cause of a role change has a circumstance that produces it: what an
/// operator can be told is what can happen (style.md 12).
namespace koi::election::election_complete_test {
namespace {

using test::SlotRig;

SlotRig backup() {
  SlotRig rig;
  rig.become_backup();
  return rig;
}
SlotRig master() {
  SlotRig rig;
  rig.become_master();
  return rig;
}

const std::map<Notice, std::function<SlotRig()>> kNoticeCircumstances = {
    {Notice::duplicate_advertisement,
     [] {
       SlotRig rig = backup();
       const VerifiedAdvert ad = rig.advert(1, 50);
       rig.feed(ad);
       rig.feed(ad);
       return rig;
     }},
    {Notice::bow_out_refused,
     [] {
       SlotRig rig = backup();
       rig.hear(255, 255);  // nobody was heard as master
       return rig;
     }},
    {Notice::advbase_differs,
     [] {
       SlotRig rig = backup();
       rig.hear(0, 200);
       return rig;
     }},
    {Notice::counter_went_back,
     [] {
       SlotRig rig = backup();
       rig.p.dialect = config::Dialect::ucarp;
       VerifiedAdvert ad = rig.advert(1, 50);
       ad.counter_went_back = true;
       rig.feed(ad);
       return rig;
     }},
    {Notice::parameters_changed,
     [] {
       SlotRig rig = backup();
       rig.p.dialect = config::Dialect::ucarp;
       VerifiedAdvert ad = rig.advert(1, 50);
       ad.same_parameters = false;
       rig.feed(ad);
       return rig;
     }},
    {Notice::family_quiet,
     [] {
       SlotRig rig;
       rig.p.families = family_bit(Family::ipv4) | family_bit(Family::ipv6);
       rig.become_backup();
       const Instant end = rig.now + 2 * rig.p.master_down();
       while (rig.now < end && rig.notice != Notice::family_quiet) {
         rig.hear(1, 50);  // over IPv4 only
         rig.now += 500ms;
         const Timer timer = Timer::master_down_ipv6;
         if (rig.s.timer(timer) <= rig.now) rig.feed(TimerDue{timer});
       }
       return rig;
     }},
    {Notice::deaf,
     [] {
       SlotRig rig = backup();
       rig.p.takeover_when_deaf = false;
       for (int i = 0; i < 3 && rig.notice != Notice::deaf; ++i) {
         rig.now = rig.s.timer(Timer::master_down_ipv4);
         rig.feed(TimerDue{Timer::master_down_ipv4, true});
       }
       return rig;
     }},
    {Notice::address_claimed, [] { return SlotRig(backup()); }},
    {Notice::virtual_mac_used, [] { return SlotRig(backup()); }},
    {Notice::vrrp_heard, [] { return SlotRig(backup()); }},
    {Notice::digest_differs, [] { return SlotRig(backup()); }},
    {Notice::forgery_suspected, [] { return SlotRig(backup()); }},
    {Notice::trailer_refused, [] { return SlotRig(backup()); }},
    {Notice::clock_differs, [] { return SlotRig(backup()); }},
};

TEST(ElectionComplete, EveryNoticeHasACircumstance) {
  for (std::size_t n = 0; n < kNoticeNames.size(); ++n) {
    const auto notice = static_cast<Notice>(n);
    const auto found = kNoticeCircumstances.find(notice);
    ASSERT_NE(found, kNoticeCircumstances.end()) << kNoticeNames[n] << " has none";
    SlotRig rig = found->second();
    for (std::size_t k = 0; k < kConflictKinds; ++k) {
      const auto kind = static_cast<ConflictKind>(k);
      if (notice_of(kind) == notice) rig.feed(ConflictSeen{kind});
    }
    EXPECT_EQ(rig.notice, notice) << kNoticeNames[n];
  }
}

/// Brings about a change of role for this cause.
const std::map<Cause, std::function<SlotRig()>> kCauseCircumstances = {
    {Cause::start, [] { return SlotRig(); }},
    {Cause::link_up, [] { return backup(); }},
    {Cause::link_down,
     [] {
       SlotRig rig = backup();
       rig.feed(LinkDown{});
       return rig;
     }},
    {Cause::master_down, [] { return master(); }},
    {Cause::bow_out,
     [] {
       SlotRig rig = backup();
       rig.hear(1, 50);
       rig.hear(255, 255);
       rig.due(Timer::takeover);
       return rig;
     }},
    {Cause::preempt,
     [] {
       SlotRig rig;
       rig.p.preempt = true;
       rig.become_backup();
       rig.hear(1, 200);
       return rig;
     }},
    {Cause::peer_demoted,
     [] {
       SlotRig rig = backup();
       rig.hear(1, 50, 1);
       rig.due(Timer::takeover);
       return rig;
     }},
    {Cause::better_advertisement,
     [] {
       SlotRig rig = master();
       rig.hear(1, 0);
       return rig;
     }},
    {Cause::lease_expired,
     [] {
       SlotRig rig = master();
       rig.feed(LeaseExpired{});
       return rig;
     }},
    {Cause::frames_lost,
     [] {
       SlotRig rig = master();
       rig.feed(FramesLost{});
       return rig;
     }},
    {Cause::demoted,
     [] {
       SlotRig rig = master();
       rig.feed(DemotionChanged{1});
       return rig;
     }},
    {Cause::shutdown,
     [] {
       SlotRig rig = master();
       rig.feed(StepDown{Cause::shutdown});
       return rig;
     }},
    {Cause::deaf,
     [] {
       SlotRig rig = backup();
       for (int i = 0; i < 3 && rig.s.role != Role::master; ++i) {
         rig.now = rig.s.timer(Timer::master_down_ipv4);
         rig.feed(TimerDue{Timer::master_down_ipv4, true});
       }
       return rig;
     }},
    {Cause::reload,
     [] {
       SlotRig rig = master();
       rig.feed(StepDown{Cause::reload});
       return rig;
     }},
    {Cause::tied,
     [] {
       SlotRig rig = master();
       rig.feed(StepDown{Cause::tied});
       return rig;
     }},
};

TEST(ElectionComplete, EveryCauseHasACircumstance) {
  for (std::size_t c = 0; c < kCauses; ++c) {
    const auto found = kCauseCircumstances.find(static_cast<Cause>(c));
    ASSERT_NE(found, kCauseCircumstances.end()) << kCauseNames[c] << " has none";
    EXPECT_EQ(found->second().s.cause, static_cast<Cause>(c)) << kCauseNames[c];
  }
}

}  // namespace
}  // namespace koi::election::election_complete_test
