#include <gtest/gtest.h>

#include "controlplane/loop.h"
#include "tests/support/frame_fields.h"
#include "tests/support/loop_rig.h"

/// Copies of an advertisement to unicast peers, and where their MACs come from.
namespace koi::controlplane::loop_unicast_test {
namespace {

using test::LoopRig;
using test::of_kind;

const MacAddress kFirstMac = mac_from({0x52, 0x54, 0, 0, 0, 3});
const MacAddress kOtherMac = mac_from({0x52, 0x54, 0, 0, 0, 4});

IpAddress peer4(unsigned last) { return Ipv4Address::from_u32(0xc0000200U | last); }
IpAddress peer6(const char* text) { return test::ip6(text); }

config::Config with_peers(config::Config config, std::vector<IpAddress> peers, bool multicast) {
  config.groups[0].peers = std::move(peers);
  config.groups[0].multicast = multicast;
  return config;
}

NeighborHeard heard(const IpAddress& address, const MacAddress& mac) {
  return {.port = PortIndex(0), .vlan = VlanId(0), .address = address, .mac = mac};
}

std::vector<TransmitFrame> advertisements(LoopRig& rig) {
  return of_kind(FrameKind::advertisement, rig.adopt(0));
}

/// Those of the promotion.
std::vector<TransmitFrame> first_advertisements(LoopRig& rig) {
  rig.become_backup();
  rig.clock.advance(rig.parameters.master_down() + 1us);
  rig.listen();
  rig.turn_after(1us);
  return advertisements(rig);
}

/// The next ones, with the lease kept up.
std::vector<TransmitFrame> next_advertisements(LoopRig& rig) {
  rig.grant_all(2850ms);
  rig.turn_after(1001ms);
  return advertisements(rig);
}

// C13.2 kept, C13.4 kept
TEST(LoopUnicast, TheGroupAndEachPeerGetACopyAndOnlyTheLastCounts) {
  for (unsigned peers = 0; peers <= 16; ++peers) {
    std::vector<IpAddress> addresses;
    for (unsigned p = 0; p < peers; ++p) addresses.push_back(peer4(100 + p));
    LoopRig rig(with_peers(test::lan_box(2), addresses, true));
    rig.become_backup();
    for (unsigned p = 0; p < peers; ++p) {
      const auto last = static_cast<std::uint8_t>(p);
      rig.up[0].try_send(heard(peer4(100 + p), mac_from({0x52, 0x54, 0, 0, 1, last})));
    }
    const auto ads = first_advertisements(rig);
    ASSERT_EQ(ads.size(), peers + 1);
    EXPECT_EQ(test::ip_destination(ads[0]), IpAddress(test::ip4("224.0.0.18")));
    for (unsigned i = 0; i <= peers; ++i) {
      EXPECT_EQ(ads[i].last_copy, i == peers) << i << " of " << peers;
      EXPECT_EQ(test::counter_of(ads[i]), test::counter_of(ads[0]));
      EXPECT_EQ(test::from_mac(ads[i]), mac_from({0, 0, 0x5e, 0, 1, 1}));  // C3.4
      if (i == 0) continue;
      EXPECT_EQ(test::ip_destination(ads[i]), peer4(100 + i - 1));
      EXPECT_EQ(test::byte_at(ads[i], 5), i - 1);
    }
  }
}

// C13.1 kept
TEST(LoopUnicast, WithoutMulticastTheGroupGetsNone) {
  LoopRig rig(with_peers(test::lan_box(2), {peer4(3)}, false));
  rig.become_backup();
  rig.up[0].try_send(heard(peer4(3), kFirstMac));
  auto ads = first_advertisements(rig);
  ASSERT_EQ(ads.size(), 1U);
  EXPECT_EQ(test::ip_destination(ads[0]), peer4(3));
  EXPECT_TRUE(ads[0].last_copy);
  rig.grant_all(2850ms);
  rig.command(SetDemotion{0, 1});  // and no bow-out either
  rig.turn();
  rig.adopt(0);
  rig.turn_after(200us);
  ads = rig.adopt(0);
  ASSERT_EQ(ads.size(), 1U);
  EXPECT_EQ(ads[0].kind, FrameKind::bow_out);
  EXPECT_EQ(test::to_mac(ads[0]), kFirstMac);
  EXPECT_EQ(test::advbase_of(ads[0]), 255U);
}

// C13.4 kept
TEST(LoopUnicast, APeerWhoseMacIsNotKnownHasACopyOfNothingThatCounts) {
  LoopRig rig(with_peers(test::lan_box(2), {peer4(3), peer4(4)}, false));
  rig.become_backup();
  rig.up[0].try_send(heard(peer4(3), kFirstMac));
  const auto ads = first_advertisements(rig);
  ASSERT_EQ(ads.size(), 2U);
  EXPECT_EQ(ads[0].length, 70U);
  EXPECT_FALSE(ads[0].last_copy);
  EXPECT_EQ(ads[1].length, 0U);  // the worker takes it for sent, so the lease is earned
  EXPECT_TRUE(ads[1].last_copy);
  EXPECT_EQ(ads[1].kind, FrameKind::advertisement);
  EXPECT_EQ(ads[1].term.value(), rig.term());
  EXPECT_EQ(ads[1].lease, 2850ms);
}

TEST(LoopUnicast, ABowOutToAnUnknownPeerIsABowOut) {
  LoopRig rig(with_peers(test::lan_box(2), {peer4(3)}, false));
  rig.become_master();
  rig.command(SetDemotion{0, 1});
  rig.turn();
  rig.adopt(0);
  rig.turn_after(200us);
  const auto frames = rig.adopt(0);
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].kind, FrameKind::bow_out);
  EXPECT_EQ(frames[0].length, 0U);
}

// C13.5 kept
TEST(LoopUnicast, AMacThatIsHeardIsUsedFromTheNextCopyOnAndKept) {
  LoopRig rig(with_peers(test::lan_box(2), {peer4(3)}, true));
  auto ads = first_advertisements(rig);
  ASSERT_EQ(ads.size(), 2U);
  EXPECT_EQ(ads[1].length, 0U);
  rig.up[0].try_send(heard(peer4(3), kFirstMac));
  ads = next_advertisements(rig);
  ASSERT_EQ(ads.size(), 2U);
  EXPECT_EQ(test::to_mac(ads[1]), kFirstMac);
  rig.up[0].try_send(heard(peer4(9), kOtherMac));  // a stranger
  EXPECT_EQ(test::to_mac(next_advertisements(rig).at(1)), kFirstMac);
  for (int i = 0; i < 200; ++i) {  // minutes of silence: every question stays unanswered
    EXPECT_EQ(test::to_mac(next_advertisements(rig).at(1)), kFirstMac);
  }
  rig.up[0].try_send(heard(peer4(3), kOtherMac));
  EXPECT_EQ(test::to_mac(next_advertisements(rig).at(1)), kOtherMac);
}

TEST(LoopUnicast, AMacOutlivesTheLinkAndTheReign) {
  LoopRig rig(with_peers(test::lan_box(2), {peer4(3)}, true));
  rig.become_backup();
  rig.up[0].try_send(heard(peer4(3), kFirstMac));
  rig.become_master();
  rig.command(SetLink{PortIndex(0), false});
  rig.turn();
  rig.forget();
  const auto ads = first_advertisements(rig);
  ASSERT_EQ(ads.size(), 2U);
  EXPECT_EQ(test::to_mac(ads[1]), kFirstMac);
}

// C13.5 kept, C13.9 kept
TEST(LoopUnicast, PeersAreAskedForFromThePortItself) {
  LoopRig rig(with_peers(test::dual_stack_box(2), {peer4(3), peer6("2001:db8::3")}, false));
  rig.link_up();
  rig.turn();
  rig.adopt(0);
  bool arp = false;
  bool nd = false;
  for (const TransmitFrame& frame : rig.own_frames) {
    EXPECT_EQ(test::from_mac(frame), mac_from({2, 0, 0, 0, 0, 1}));
    EXPECT_EQ(frame.term, Term{});
    arp = arp || (test::is_arp(frame) && test::arp_target(frame) == peer4(3));
    nd = nd || (frame.length == 86 && test::nd_target(frame) == peer6("2001:db8::3"));
  }
  EXPECT_TRUE(arp && nd);
}

// C13.2 kept, C13.4 kept
TEST(LoopUnicast, EachFamilyHasItsOwnCopiesAndItsOwnLast) {
  LoopRig rig(
      with_peers(test::dual_stack_box(2), {peer4(3), peer6("2001:db8::3"), peer4(4)}, true));
  rig.become_backup();
  rig.up[0].try_send(heard(peer4(3), kFirstMac));
  rig.up[0].try_send(heard(peer4(4), kFirstMac));
  rig.up[0].try_send(heard(peer6("2001:db8::3"), kOtherMac));
  const auto ads = first_advertisements(rig);
  ASSERT_EQ(ads.size(), 5U);
  const bool last[] = {false, false, true, false, true};
  for (std::size_t i = 0; i < ads.size(); ++i) {
    EXPECT_EQ(ads[i].family, i < 3 ? Family::ipv4 : Family::ipv6);
    EXPECT_EQ(ads[i].last_copy, last[i]) << i;
  }
  EXPECT_EQ(test::ip_destination(ads[4]), peer6("2001:db8::3"));
  EXPECT_EQ(test::ip6_at(ads[4], 22), test::ip6("2001:db8::2"));  // of the peer's scope (C3.7)
  EXPECT_EQ(test::to_mac(ads[4]), kOtherMac);
}

// C13.3 kept
TEST(LoopUnicast, TheSecondCopyOfAnAdvertisementChangesNothing) {
  LoopRig rig(with_peers(test::lan_box(2), {peer4(1)}, true));
  rig.become_backup();
  const VerifiedAdvert ad = rig.advert(1, 0);
  rig.hear(ad);
  rig.turn();
  rig.clock.advance(2s);
  VerifiedAdvert copy = ad;
  copy.heard_number = ad.heard_number + 1;
  rig.hear(copy);
  rig.turn();
  EXPECT_EQ(rig.acknowledged(), copy.heard_number);
  const auto notices = rig.reports.take<NoticeRaised>();
  ASSERT_EQ(notices.size(), 1U);
  EXPECT_EQ(notices[0].notice, election::Notice::duplicate_advertisement);
  rig.clock.advance(rig.parameters.master_down() - 2s + 1us);
  rig.listen();
  rig.turn_after(1us);
  EXPECT_NE(rig.term(), 0U);  // the timer runs from the first one
}

}  // namespace
}  // namespace koi::controlplane::loop_unicast_test
