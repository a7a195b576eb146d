#include <gtest/gtest.h>

#include "controlplane/loop.h"
#include "tests/support/frame_fields.h"
#include "tests/support/loop_rig.h"

/// A group with addresses of both families, or of IPv6 alone, or of a balanced group: what the loop
/// sends for it, and which deadline it heeds.
namespace koi::controlplane::loop_families_test {
namespace {

using election::Cause;
using test::LoopRig;
using test::of_kind;

constexpr SlotIndex kSlot = LoopRig::kSlot;
const MacAddress kVirtualMac = mac_from({0x00, 0x00, 0x5e, 0x00, 0x01, 0x01});

/// BACKUP, and then MASTER by its timers. Returns what it sends in that turn.
std::vector<TransmitFrame> promoted(LoopRig& rig) {
  rig.become_backup();
  rig.clock.advance(rig.parameters.master_down() + 1us);
  rig.listen();
  rig.turn_after(1us);
  return rig.adopt(0);
}

// C3.10 kept, C3.1 kept, C3.2 kept
TEST(LoopFamilies, AnAdvertisementGoesOutInEachFamily) {
  LoopRig rig(test::dual_stack_box(2));
  const auto ads = of_kind(FrameKind::advertisement, promoted(rig));
  ASSERT_EQ(ads.size(), 2U);
  EXPECT_EQ(ads[0].family, Family::ipv4);
  EXPECT_EQ(ads[0].length, 70U);
  EXPECT_EQ(test::ip_destination(ads[0]), IpAddress(test::ip4("224.0.0.18")));
  EXPECT_EQ(ads[1].family, Family::ipv6);
  EXPECT_EQ(ads[1].length, 90U);
  EXPECT_EQ(test::ip_destination(ads[1]), IpAddress(test::ip6("ff02::12")));
  for (const TransmitFrame& ad : ads) {
    EXPECT_EQ(test::from_mac(ad), kVirtualMac);
    EXPECT_EQ(ad.term.value(), rig.term());
    EXPECT_EQ(ad.lease, 2850ms);
    EXPECT_TRUE(ad.last_copy);  // of its family: each has a deadline of its own
  }
}

// C6.1 kept
TEST(LoopFamilies, EachFamilysAdvertisementHasACounterOfItsOwn) {
  LoopRig rig(test::dual_stack_box(2));
  const auto ads = of_kind(FrameKind::advertisement, promoted(rig));
  ASSERT_EQ(ads.size(), 2U);
  EXPECT_GT(test::counter_of(ads[1]), test::counter_of(ads[0]));
  EXPECT_EQ(rig.board->own_counter.load(), test::counter_of(ads[1]));
}

// C9.7 kept
TEST(LoopFamilies, ABowOutGoesOutOnceInEachFamily) {
  LoopRig rig(test::dual_stack_box(2));
  rig.become_master();
  rig.command(SetDemotion{0, 1});
  rig.turn();
  EXPECT_TRUE(rig.adopt(0).empty());  // silent first
  std::vector<TransmitFrame> frames;
  for (int i = 0; i < 3; ++i) {
    rig.turn_after(200us);
    for (const TransmitFrame& frame : rig.adopt(0)) frames.push_back(frame);
  }
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_FALSE(test::is_ipv6(frames[0]));
  EXPECT_TRUE(test::is_ipv6(frames[1]));
  for (const TransmitFrame& frame : frames) {
    EXPECT_EQ(frame.kind, FrameKind::bow_out);
    EXPECT_EQ(frame.term, Term{});
    EXPECT_EQ(test::advbase_of(frame), 255U);
    EXPECT_EQ(test::advskew_of(frame), 255U);
  }
}

// C10.3 kept, C10.4 kept
TEST(LoopFamilies, AddressesOfBothFamiliesAreAnnounced) {
  LoopRig rig(test::dual_stack_box(2));
  const auto announced = of_kind(FrameKind::announcement, promoted(rig));
  ASSERT_EQ(announced.size(), 2U);
  EXPECT_TRUE(test::is_arp(announced[0]));
  EXPECT_EQ(test::arp_target(announced[0]), IpAddress(test::ip4("192.0.2.10")));
  EXPECT_TRUE(test::is_ipv6(announced[1]));
  EXPECT_EQ(test::nd_target(announced[1]), IpAddress(test::ip6("2001:db8::10")));
  EXPECT_EQ(test::to_mac(announced[1]), mac_from({0x33, 0x33, 0, 0, 0, 1}));
  for (const TransmitFrame& frame : announced) EXPECT_EQ(test::from_mac(frame), kVirtualMac);
}

// ---- deadlines ----------------------------------------------------------------------------------

// C7.9 kept
TEST(LoopFamilies, TheFamilyWhoseLeaseEndsFirstSendsItToBackup) {
  for (const Family shorter : election::kFamilies) {
    LoopRig rig(test::dual_stack_box(2));
    rig.become_master(900ms);
    rig.grant(300ms, kSlot, shorter);
    rig.turn_after(299ms);
    EXPECT_NE(rig.term(), 0U);
    rig.turn_after(2ms);
    EXPECT_EQ(rig.term(), 0U);
    const auto changes = rig.changes();
    ASSERT_EQ(changes.size(), 1U);
    EXPECT_EQ(changes[0].cause, Cause::lease_expired);
  }
}

// C7.9 refused
TEST(LoopFamilies, OneFamilyTakenAloneIsNoLease) {
  for (const Family sent : election::kFamilies) {
    LoopRig rig(test::dual_stack_box(2));
    promoted(rig);
    rig.grant(2850ms, kSlot, sent);
    rig.turn_after(900us);
    EXPECT_NE(rig.term(), 0U);
    rig.turn_after(200us);  // the other one had 1 ms from the decision (L4)
    EXPECT_EQ(rig.term(), 0U);
  }
}

TEST(LoopFamilies, AFamilyTheGroupDoesNotHaveHasNoDeadline) {
  LoopRig rig;
  rig.become_master(2850ms);
  rig.grant(1ms, kSlot, Family::ipv6);
  rig.turn_after(500ms);
  EXPECT_NE(rig.term(), 0U);
}

TEST(LoopFamilies, LaterFramesMayBeSentUntilTheEarlierDeadline) {
  LoopRig rig(test::dual_stack_box(2));
  rig.become_master(2850ms);
  rig.grant(2000ms, kSlot, Family::ipv6);
  const Instant end = rig.clock.time + 2000ms;
  rig.turn_after(1001ms);
  const auto ads = of_kind(FrameKind::advertisement, rig.adopt(0));
  ASSERT_EQ(ads.size(), 2U);
  for (const TransmitFrame& ad : ads) {
    EXPECT_LE(ad.not_after, end);
    EXPECT_GT(ad.not_after, end - 1ms);
  }
}

// C9.6 kept
TEST(LoopFamilies, StepDownMayEndWithTheFirstLeaseThatIsOver) {
  LoopRig rig(test::dual_stack_box(2), 1, 2);  // worker 1 adopts nothing
  rig.become_master(2850ms);
  rig.grant(500ms, kSlot, Family::ipv6);
  rig.command(SetDemotion{0, 1});
  rig.turn();
  rig.turn_after(499ms);
  EXPECT_TRUE(rig.adopt(0).empty());
  rig.turn_after(2ms);  // without an IPv6 lease nobody answers for IPv4 either (L1)
  EXPECT_EQ(rig.adopt(0).size(), 2U);
}

// A refusal in one family is a refusal of the advertisement: tried again, in both.
TEST(LoopFamilies, ARefusalInOneFamilyIsTriedAgainAndTheLeaseEndsInTime) {
  LoopRig rig(test::dual_stack_box(2));
  promoted(rig);
  std::size_t tried = 0;
  for (int i = 0; i < 12; ++i) {
    if (rig.term() != 0) rig.grant(2850ms, kSlot, Family::ipv4);
    rig.up[0].try_send(TransmitRefused{kSlot, Family::ipv6, Term(rig.term())});
    rig.turn_after(100us);
    tried += of_kind(FrameKind::advertisement, rig.adopt(0)).size();
  }
  EXPECT_GE(tried, 4U);
  EXPECT_EQ(rig.term(), 0U);
  EXPECT_EQ(rig.changes().back().cause, Cause::lease_expired);
}

// ---- IPv6 alone ---------------------------------------------------------------------------------

config::Config ipv6_box() {
  config::Config config = test::dual_stack_box(2);
  config.ports[0].addresses.erase(config.ports[0].addresses.begin());
  config.groups[0].addresses.erase(config.groups[0].addresses.begin());
  return config;
}

// C3.7 kept, C3.10 kept
TEST(LoopFamilies, AnIpv6GroupSpeaksIpv6Alone) {
  LoopRig rig(ipv6_box());
  const auto frames = promoted(rig);
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(frames[0].kind, FrameKind::advertisement);
  EXPECT_EQ(frames[1].kind, FrameKind::announcement);
  EXPECT_TRUE(test::is_ipv6(frames[0]) && test::is_ipv6(frames[1]));
  // Modified EUI-64 of 02:00:00:00:00:01.
  EXPECT_EQ(test::ip6_at(frames[0], 22), test::ip6("fe80::ff:fe00:1"));
  rig.grant(2850ms, kSlot, Family::ipv6);
  rig.turn_after(500ms);
  EXPECT_NE(rig.term(), 0U);  // no IPv4 deadline is waited for
  rig.turn_after(2400ms);
  EXPECT_EQ(rig.term(), 0U);
}

// ---- a balanced group ---------------------------------------------------------------------------

config::Config balanced_box() {
  config::Config config = test::dual_stack_box(2);
  config::Balance balance;
  balance.members = {{Vhid(1), 0}, {Vhid(2), 0}};
  config.groups[0].balance = balance;
  return config;
}

// C10.8 kept
TEST(LoopFamilies, ABalancedGroupAdvertisesEachMemberAndAnnouncesNothing) {
  LoopRig rig(balanced_box());
  const auto first = promoted(rig);
  ASSERT_EQ(first.size(), 4U);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(first[i].kind, FrameKind::advertisement);
    EXPECT_EQ(test::byte_at(first[i], 11), i / 2 + 1);  // from its own virtual MAC
  }
  rig.grant_all(2850ms);
}

// C10.8 refused
TEST(LoopFamilies, NothingMakesABalancedGroupAnnounce) {
  LoopRig rig(balanced_box());
  rig.become_master(100s);
  rig.up[0].try_send(Conflict{.slot = kSlot, .kind = ConflictKind::address_claim});
  rig.hear(rig.advert(1, 200));  // a worse one
  std::vector<TransmitFrame> frames;
  for (int i = 0; i < 70; ++i) {  // refresh, two more advertisements, 1 s and 5 s after
    rig.turn_after(1s);
    rig.grant_all(100s);
    for (const TransmitFrame& frame : rig.adopt(0)) frames.push_back(frame);
  }
  EXPECT_GT(of_kind(FrameKind::advertisement, frames).size(), 200U);
  EXPECT_TRUE(of_kind(FrameKind::announcement, frames).empty());
}

}  // namespace
}  // namespace koi::controlplane::loop_families_test
