#include <gtest/gtest.h>

#include "controlplane/election/step.h"
#include "tests/support/slot_rig.h"

/// What koi boxes do among themselves, and what they leave alone beside others (design.md, "The
/// election is a function").
namespace koi::election::election_dialect_test {
namespace {

using test::SlotRig;

SlotRig koi_backup() {
  SlotRig rig;
  rig.become_backup();
  return rig;
}
SlotRig koi_master() {
  SlotRig rig;
  rig.become_master();
  return rig;
}
SlotRig ucarp(bool master) {
  SlotRig rig;
  rig.p.dialect = config::Dialect::ucarp;
  if (master) {
    rig.become_master();
  } else {
    rig.become_backup();
  }
  return rig;
}

// ---- dialect koi: ties --------------------------------------------------------------------------

// C8.4 kept, C8.4 refused
TEST(ElectionKoi, EqualTimersTheHigherAddressStays) {
  EXPECT_EQ(koi_master().hear_from(1, 1, 100), "ag");  // we are .2
  EXPECT_EQ(koi_master().hear_from(3, 1, 100), "B");
}

TEST(ElectionKoi, AddressesAreComparedUnsignedInNetworkOrder) {
  SlotRig rig = koi_master();
  rig.p.source = Ipv4Address::from_u32(0x09000001);  // 9.0.0.1 against 192.0.2.1
  EXPECT_EQ(rig.hear(1, 100), "B");
  SlotRig other = koi_master();
  other.p.source = Ipv4Address::from_u32(0xc0000301);  // 192.0.3.1 against 192.0.2.255
  EXPECT_EQ(other.hear_from(255, 1, 100), "ag");
}

// C8.4 kept, C8.4 refused
TEST(ElectionKoi, OfTwoEqualMastersExactlyOneStays) {
  for (unsigned i = 1; i < 255; ++i) {
    SlotRig low, high;
    low.p.source = Ipv4Address::from_u32(i);
    high.p.source = Ipv4Address::from_u32(i << 24);
    low.become_master();
    high.become_master();
    VerifiedAdvert to_low = low.advert(1, 100), to_high = high.advert(1, 100);
    to_low.source = high.p.source;
    to_high.source = low.p.source;
    EXPECT_EQ(low.feed(to_low), "B") << i;
    EXPECT_EQ(high.feed(to_high), "ag") << i;
  }
}

// Two boxes with one source address, by mistake: still exactly one stays.
TEST(ElectionKoi, EqualAddressesTheHigherNodeIdStays) {
  SlotRig low = koi_master();  // node 2
  VerifiedAdvert ad = low.advert(1, 100);
  ad.source = low.p.source;
  ad.counter = auth::make_counter(7, NodeId(3));
  EXPECT_EQ(low.feed(ad), "B");
  SlotRig high = koi_master();
  ad.counter = auth::make_counter(7, NodeId(1));
  EXPECT_EQ(high.feed(ad), "ag");
}

TEST(ElectionKoi, DemotionDecidesBeforeTimers) {
  SlotRig rig = koi_master();
  rig.feed(DemotionChanged{2});
  rig.due(Timer::master_down_ipv4);  // a lone demoted box still answers
  ASSERT_EQ(rig.s.role, Role::master);
  EXPECT_EQ(rig.hear(1, 0, 3), "ag");   // better timers, more demoted
  EXPECT_EQ(rig.hear(200, 0, 1), "B");  // worse timers, less demoted
}

// ---- dialect koi: bow-out and takeover ----------------------------------------------------------

// C9.8 kept, C9.9 kept
TEST(ElectionKoi, BowOutOfTheLastMasterIsObeyedAfterTheDelay) {
  SlotRig rig = koi_backup();
  rig.hear(1, 0);
  EXPECT_EQ(rig.hear(255, 255), "");
  EXPECT_EQ(rig.left(Timer::takeover), 500us);  // advskew 100
  EXPECT_EQ(rig.due(Timer::takeover), "Mag");
  EXPECT_EQ(rig.s.cause, Cause::bow_out);
}

// C9.8 kept
TEST(ElectionKoi, BowOutIsObeyedAtEveryAdvbase) {
  // By the timers alone a bow-out says nothing to a box with advbase 0 or 86 and above.
  for (unsigned advbase = 0; advbase < 255; ++advbase) {
    SlotRig rig;
    rig.p.advbase = static_cast<std::uint8_t>(advbase);
    rig.become_backup();
    rig.hear(advbase, 0);
    rig.hear(255, 255);
    EXPECT_EQ(rig.due(Timer::takeover), "Mag") << advbase;
  }
}

// C9.8 refused
TEST(ElectionKoi, BowOutOfAnybodyElseIsRefused) {
  SlotRig rig = koi_backup();
  rig.hear_from(1, 1, 0);
  EXPECT_EQ(rig.hear_from(3, 255, 255), "!");
  EXPECT_EQ(rig.notice, Notice::bow_out_refused);
  EXPECT_FALSE(rig.armed(Timer::takeover));
}

// C9.9 kept
TEST(ElectionKoi, BowOutDoesNotRearmTheMasterDownTimer) {
  SlotRig rig = koi_backup();
  rig.hear(1, 0);
  const Instant due = rig.s.timer(Timer::master_down_ipv4);
  rig.now += 1s;
  rig.hear(255, 255);
  EXPECT_EQ(rig.s.timer(Timer::master_down_ipv4), due);
}

// C8.12 kept
TEST(ElectionKoi, BetterAdvertisementCancelsTheTakeover) {
  SlotRig rig = koi_backup();
  rig.hear_from(1, 1, 0);
  rig.hear_from(1, 255, 255);
  EXPECT_EQ(rig.hear_from(3, 1, 50), "");
  EXPECT_FALSE(rig.armed(Timer::takeover));
  EXPECT_EQ(rig.left(Timer::master_down_ipv4), rig.p.master_down());
}

// C9.9 kept
TEST(ElectionKoi, TheFirstReasonToTakeOverCounts) {
  SlotRig rig = koi_backup();
  rig.hear(1, 0);
  rig.hear(255, 255);
  const Instant due = rig.s.timer(Timer::takeover);
  rig.now += 100us;
  rig.hear(255, 255);
  rig.hear(1, 0, 7);
  EXPECT_EQ(rig.s.timer(Timer::takeover), due);
}

// C8.10 kept, C9.9 kept
TEST(ElectionKoi, RaisedDemotionIsTakenOverAfterTheDelay) {
  SlotRig rig = koi_backup();
  EXPECT_EQ(rig.hear(1, 0, 1), "");
  EXPECT_EQ(rig.left(Timer::takeover), 500us);
  EXPECT_EQ(rig.due(Timer::takeover), "Mag");
  EXPECT_EQ(rig.s.cause, Cause::peer_demoted);
}

// C8.10 refused
TEST(ElectionKoi, EqualDemotionIsNoReason) {
  SlotRig rig = koi_backup();
  rig.feed(DemotionChanged{3});
  EXPECT_EQ(rig.hear(1, 0, 3), "");
  EXPECT_FALSE(rig.armed(Timer::takeover));
}

// C9.4 kept, C9.5 kept
TEST(ElectionKoi, DemotionStepsDownOnceAndThenOnlyShows) {
  SlotRig rig = koi_master();
  EXPECT_EQ(rig.feed(DemotionChanged{1}), "B");
  EXPECT_EQ(rig.s.cause, Cause::demoted);
  EXPECT_TRUE(rig.s.stepping_down);
  rig.feed(WorkersSilent{});
  EXPECT_EQ(rig.due(Timer::master_down_ipv4), "Mag");  // alone: it answers again
  EXPECT_EQ(rig.feed(DemotionChanged{2}), "a");        // the others decide by it: at once
  EXPECT_EQ(rig.feed(DemotionChanged{0}), "ag");       // the third one: announced again
  EXPECT_EQ(rig.s.role, Role::master);
  EXPECT_EQ(effective_advskew(rig.p, rig.s), 100);
}

// C13.3 refused
TEST(ElectionKoi, DuplicateIsRaisedAndChangesNothing) {
  SlotRig rig = koi_backup();
  const VerifiedAdvert ad = rig.advert(1, 0);
  rig.feed(ad);
  rig.now += 1s;
  const State before = rig.s;
  EXPECT_EQ(rig.feed(ad), "!");
  EXPECT_EQ(rig.notice, Notice::duplicate_advertisement);
  EXPECT_EQ(rig.s.timers, before.timers);
  EXPECT_EQ(rig.s.last_heard, before.last_heard);
}

TEST(ElectionKoi, WorseMasterMakesUsAdvertiseAtOnceAndRearmsOurTimer) {
  SlotRig rig = koi_master();
  rig.now += 500ms;
  EXPECT_EQ(rig.hear(1, 101), "ag");
  EXPECT_EQ(rig.left(Timer::advertisement), send_interval(1, 100));
}

// ---- dialect ucarp ------------------------------------------------------------------------------

// C8.3 kept
TEST(ElectionUcarp, EqualAdvertisementSendsTheMasterToBackup) {
  EXPECT_EQ(ucarp(true).hear_from(1, 1, 100), "B");
  EXPECT_EQ(ucarp(true).hear_from(3, 1, 100), "B");
}

// protocol.md §7: UCarp announces again, and advertises at its next tick only.
// C8.3 refused
TEST(ElectionUcarp, WorseMasterIsAnsweredByAnAnnouncementAlone) {
  EXPECT_EQ(ucarp(true).hear(1, 101), "g");
}

// C8.3 kept
TEST(ElectionUcarp, ByteFourIsPadding) {
  EXPECT_EQ(ucarp(true).hear(1, 0, 200), "B");
  SlotRig rig = ucarp(false);
  rig.hear(1, 0, 200);
  EXPECT_FALSE(rig.armed(Timer::takeover));
}

// C9.3 kept
TEST(ElectionUcarp, DemotedMeansAdvskew240) {
  SlotRig rig = ucarp(true);
  EXPECT_EQ(rig.feed(DemotionChanged{1}), "B");
  EXPECT_EQ(effective_advskew(rig.p, rig.s), 240);
  rig.due(Timer::master_down_ipv4);
  EXPECT_EQ(rig.left(Timer::advertisement), send_interval(1, 240));
  EXPECT_EQ(rig.hear(1, 239), "B");
}

// C9.3 kept
TEST(ElectionUcarp, DemotedButConfiguredWorseStaysAsItIs) {
  SlotRig rig = ucarp(false);
  rig.p.advskew = 250;
  rig.feed(DemotionChanged{1});
  EXPECT_EQ(effective_advskew(rig.p, rig.s), 250);
}

// C8.11 kept
TEST(ElectionUcarp, BowOutIsObeyedFromAnybodyByTheTimersAlone) {
  SlotRig rig = ucarp(false);
  EXPECT_EQ(rig.hear_from(7, 255, 255), "");
  EXPECT_EQ(rig.left(Timer::takeover), 0us);
  EXPECT_EQ(rig.due(Timer::takeover), "Mag");
  EXPECT_EQ(rig.s.cause, Cause::bow_out);
}

// C8.11 kept, C8.11 refused
TEST(ElectionUcarp, AnnouncedIntervalBeyondOurPatienceIsTakenOver) {
  SlotRig rig = ucarp(false);  // 3 s + 100/256 s
  rig.hear(3, 100);
  EXPECT_FALSE(rig.armed(Timer::takeover));
  rig.hear(3, 101);
  EXPECT_TRUE(rig.armed(Timer::takeover));
}

TEST(ElectionUcarp, RepeatedAdvertisementsAreNoDuplicates) {
  SlotRig rig = ucarp(false);
  VerifiedAdvert ad = rig.advert(1, 0);
  rig.feed(ad);
  rig.now += 1s;
  EXPECT_EQ(rig.feed(ad), "");
  EXPECT_EQ(rig.left(Timer::master_down_ipv4), rig.p.master_down());
}

// C6.9 kept
TEST(ElectionUcarp, OddCountersAreRaisedAndObeyed) {
  SlotRig rig = ucarp(true);
  VerifiedAdvert ad = rig.advert(1, 0);
  ad.counter_went_back = true;
  EXPECT_EQ(rig.feed(ad), "!B");
  EXPECT_EQ(rig.notice, Notice::counter_went_back);
  SlotRig other = ucarp(true);
  ad = other.advert(1, 0);
  ad.same_parameters = false;
  EXPECT_EQ(other.feed(ad), "!B");
  EXPECT_EQ(other.notice, Notice::parameters_changed);
}

// C7.5 kept
TEST(ElectionUcarp, EitherFamilysTimerPromotes) {
  SlotRig rig;
  rig.p.dialect = config::Dialect::ucarp;
  rig.p.families = 3;
  rig.become_backup();
  rig.now += 2s;
  VerifiedAdvert ad = rig.advert(1, 0);
  ad.family = Family::ipv6;
  rig.feed(ad);
  EXPECT_EQ(rig.due(Timer::master_down_ipv4), "Mag");
}

}  // namespace
}  // namespace koi::election::election_dialect_test
