#include <map>
#include <set>

#include <gtest/gtest.h>

#include "controlplane/loop.h"
#include "tests/support/frame_fields.h"
#include "tests/support/loop_rig.h"

/// Announcements are many, and leave in their time: paced, behind their advertisement, of their own
/// reign only.
namespace koi::controlplane::loop_pacing_test {
namespace {

using test::LoopRig;
using test::of_kind;

constexpr Duration kTurn = 200us;
constexpr unsigned kVhids = 255;
constexpr unsigned kAddresses = 16;

/// 10.<vhid>.0.<1..addresses>
config::Config big_box(unsigned vhids = kVhids, unsigned addresses = kAddresses) {
  config::Config config = test::lan_box(2);
  config.groups.clear();
  for (unsigned v = 1; v <= vhids; ++v) {
    config::Group group = test::lan_group();
    group.name = "group-" + std::to_string(v);
    group.vhid = Vhid(static_cast<std::uint8_t>(v));
    group.addresses.clear();
    for (unsigned a = 1; a <= addresses; ++a) {
      group.addresses.emplace_back(Ipv4Address::from_u32(0x0a000000U | v << 16 | a));
    }
    config.groups.push_back(group);
  }
  return config;
}

/// All of them MASTER, a turn's worth in each turn.
void promote(LoopRig& rig) {
  rig.become_backup();
  rig.clock.advance(rig.parameters.master_down() + 1us);
  rig.listen();
  for (unsigned i = 0; i < kVhids / 32 + 1; ++i) rig.turn_after(1us);
}

// C10.9 kept, C10.3 kept
TEST(LoopPacing, AllAddressesOf255VhidsAreAnnouncedWithinTwentyMilliseconds) {
  LoopRig rig(big_box());
  promote(rig);
  const Instant decided = rig.clock.time;
  std::set<std::pair<unsigned, IpAddress>> announced;
  std::size_t most = 0;
  std::size_t first = 0;
  for (; rig.clock.time - decided <= 20ms; rig.turn_after(kTurn)) {
    const auto frames = rig.adopt(0);
    rig.grant_all(2850ms);
    const auto now = of_kind(FrameKind::announcement, frames);
    if (rig.clock.time == decided) {
      first = now.size();
    } else {
      most = std::max(most, now.size());
    }
    for (const TransmitFrame& frame : now) {
      const IpAddress address = test::arp_target(frame);
      const auto vhid = test::byte_at(frame, 11);
      EXPECT_EQ(test::byte_at(frame, 39), vhid);  // 10.<vhid>.0.<n>, from its own virtual MAC
      EXPECT_TRUE(announced.insert({vhid, address}).second);
      EXPECT_GE(frame.not_after, rig.clock.time);
    }
  }
  EXPECT_EQ(announced.size(), kVhids * kAddresses);
  EXPECT_LE(first, 256U + 3);
  EXPECT_LE(most, 51U);  // one in 4 µs
}

// C10.9 refused
TEST(LoopPacing, NoMoreThanTheBucketHoldsGoAtOnce) {
  LoopRig rig(big_box());
  promote(rig);
  const auto frames = rig.adopt(0);
  EXPECT_EQ(of_kind(FrameKind::advertisement, frames).size(), kVhids);
  EXPECT_LE(of_kind(FrameKind::announcement, frames).size(), 256U + 3);  // and one in 4 µs
}

/// A worker that takes 40 frames in a turn.
// C10.9 kept
TEST(LoopPacing, EachGroupsAdvertisementLeavesWithinAMillisecondThoughAllRiseAtOnce) {
  LoopRig rig(big_box());
  rig.down[0].counts = true;
  rig.become_backup();
  rig.clock.advance(rig.parameters.master_down() + 1us);
  rig.listen();
  std::map<std::uint16_t, Instant> risen;
  std::set<std::uint16_t> advertised;
  std::size_t announced = 0;
  for (int i = 0; i < 200; ++i) {
    rig.turn_after(kTurn);
    for (std::uint16_t s = 0; s < kVhids; ++s) {
      if (rig.term(SlotIndex(s)) != 0) risen.insert({s, rig.clock.time});
    }
    EXPECT_LE(risen.size(), 32U * static_cast<unsigned>(i + 1));
    for (unsigned taken = 0; taken < 40; ++taken) {
      DownMessage message;
      if (!rig.down[0].try_receive(message)) break;
      const auto* frame = std::get_if<TransmitFrame>(&message);
      if (frame == nullptr) continue;
      if (frame->kind == FrameKind::announcement) ++announced;
      if (frame->kind != FrameKind::advertisement) continue;
      EXPECT_GE(frame->not_after, rig.clock.time);
      if (advertised.insert(frame->slot.value()).second) {
        EXPECT_LE(rig.clock.time - risen.at(frame->slot.value()), 2 * kTurn);
      }
      rig.grant(2850ms, frame->slot);
    }
  }
  EXPECT_EQ(advertised.size(), kVhids);
  EXPECT_EQ(announced, kVhids * kAddresses);
}

/// 100 us go by whenever a clock is read: a turn lets the others wait, but never all.
TEST(LoopPacing, ATurnThatTakesLongEndsSoonerAndTheNextOneGoesOn) {
  LoopRig rig(big_box(8));
  rig.become_backup();
  rig.clock.advance(rig.parameters.master_down() + 1us);
  rig.listen();
  rig.clock.before_read = [&] { rig.clock.advance(100us); };
  unsigned turns = 0;
  for (unsigned risen = 0; risen < 8; ++turns) {
    ASSERT_LE(turns, 8U);
    rig.turn();
    rig.grant_all(2850ms);
    rig.listen();
    unsigned now = 0;
    for (std::uint16_t s = 0; s < 8; ++s) now += rig.term(SlotIndex(s)) != 0 ? 1 : 0;
    ASSERT_GT(now, risen);
    risen = now;
  }
  EXPECT_GT(turns, 2U);
}

/// As a worker says that had more before it than it could handle in time.
// C10.9 kept
TEST(LoopPacing, OneThatFoundNoLeaseGoesAgainAMillisecondLaterButNotForEver) {
  LoopRig rig(big_box(1, 2));
  promote(rig);
  rig.grant_all(2850ms);
  auto announced = of_kind(FrameKind::announcement, rig.adopt(0));
  ASSERT_EQ(announced.size(), 2U);
  unsigned again = 0;
  for (; again < 200; ++again) {
    const TransmitFrame& second = announced.back();
    rig.up[0].try_send(AnnouncementRefused{second.slot, second.term, second.address, second.tries});
    rig.turn();
    const Instant refused = rig.clock.time;
    rig.turn_after(999us);
    EXPECT_TRUE(of_kind(FrameKind::announcement, rig.adopt(0)).empty());
    if (again == 100) break;
    EXPECT_EQ(rig.loop->next_due(), refused + 1ms);
    rig.turn_after(1us);
    rig.grant_all(2850ms);
    announced = of_kind(FrameKind::announcement, rig.adopt(0));
    ASSERT_EQ(announced.size(), 1U);
    EXPECT_EQ(test::arp_target(announced[0]), IpAddress(Ipv4Address::from_u32(0x0a010002U)));
    EXPECT_GT(announced[0].not_after, rig.clock.time);
  }
  rig.turn_after(10ms);
  EXPECT_TRUE(of_kind(FrameKind::announcement, rig.adopt(0)).empty());
}

// C10.2 refused
TEST(LoopPacing, OneThatFoundNoLeaseDoesNotOutliveItsReign) {
  LoopRig rig(big_box(1, 1));
  promote(rig);
  rig.grant_all(2850ms);
  const auto announced = of_kind(FrameKind::announcement, rig.adopt(0));
  ASSERT_EQ(announced.size(), 1U);
  const AnnouncementRefused refused{announced[0].slot, announced[0].term, 0, 0};
  rig.up[0].try_send(refused);
  rig.turn();
  rig.command(SetLink{PortIndex(0), false});
  rig.turn_after(2ms);
  EXPECT_TRUE(of_kind(FrameKind::announcement, rig.adopt(0)).empty());
  rig.up[0].try_send(refused);
  rig.turn();
  rig.turn_after(2ms);
  EXPECT_TRUE(of_kind(FrameKind::announcement, rig.adopt(0)).empty());
}

// C10.2 refused
TEST(LoopPacing, AnnouncementsOfAReignThatEndedAreNotSent) {
  LoopRig rig(big_box(64));
  promote(rig);
  rig.grant_all(2850ms);
  rig.adopt(0);
  rig.command(SetLink{PortIndex(0), false});
  for (int i = 0; i < 40; ++i) {
    rig.turn_after(kTurn);
    EXPECT_TRUE(rig.adopt(0).empty());
  }
}

// C10.2 kept
TEST(LoopPacing, TheNextReignAnnouncesAfreshAndOnlyUnderItsOwnTerm) {
  LoopRig rig(big_box(64));
  promote(rig);
  rig.grant_all(2850ms);
  rig.adopt(0);
  const std::uint64_t old_term = rig.term();
  rig.command(SetLink{PortIndex(0), false});
  rig.turn();
  promote(rig);
  ASSERT_GT(rig.term(), old_term);
  std::map<IpAddress, unsigned> announced;
  for (int i = 0; i < 40; ++i) {
    for (const TransmitFrame& frame : of_kind(FrameKind::announcement, rig.adopt(0))) {
      EXPECT_EQ(frame.term.value(), rig.term(frame.slot));
      ++announced[test::arp_target(frame)];
    }
    rig.grant_all(2850ms);
    rig.turn_after(kTurn);
  }
  EXPECT_EQ(announced.size(), 64U * kAddresses);
  for (const auto& [address, times] : announced) EXPECT_EQ(times, 1U);
}

// One group's end does not take the others' announcements along.
TEST(LoopPacing, WhatWaitsBehindAnEndedReignGoes) {
  LoopRig rig(big_box(64));
  promote(rig);
  rig.grant_all(2850ms);
  std::size_t sent = of_kind(FrameKind::announcement, rig.adopt(0)).size();
  const std::size_t ended = 20;  // its 16 wait: the first 256 were those of 0 to 15
  rig.command(SetDemotion{ended, 1});
  for (int i = 0; i < 40; ++i) {
    rig.turn_after(kTurn);
    for (const TransmitFrame& frame : of_kind(FrameKind::announcement, rig.adopt(0))) {
      EXPECT_NE(frame.slot.value(), ended);
      ++sent;
    }
  }
  EXPECT_EQ(sent, 63U * kAddresses);
}

// C10.1 kept
TEST(LoopPacing, EachAnnouncementIsBehindItsAdvertisement) {
  LoopRig rig(big_box(64));
  promote(rig);
  std::set<std::uint16_t> advertised;
  for (int i = 0; i < 40; ++i) {
    for (const TransmitFrame& frame : rig.adopt(0)) {
      if (frame.kind == FrameKind::advertisement) advertised.insert(frame.slot.value());
      if (frame.kind == FrameKind::announcement) {
        EXPECT_TRUE(advertised.contains(frame.slot.value()));
      }
    }
    rig.grant_all(2850ms);
    rig.turn_after(kTurn);
  }
  EXPECT_EQ(advertised.size(), 64U);
}

// C10.1 refused
TEST(LoopPacing, NoneIsAheadOfAnAdvertisementThatFoundNoRoom) {
  LoopRig rig(big_box(2));
  rig.become_backup();
  rig.clock.advance(rig.parameters.master_down() + 1us);
  rig.listen();
  rig.down[0].capacity = 2;  // the view and one advertisement
  rig.turn_after(1us);
  auto frames = rig.adopt(0);
  ASSERT_EQ(frames.size(), 1U);
  rig.grant(2850ms, frames[0].slot);
  rig.down[0].capacity = 4096;
  std::set<std::uint16_t> advertised = {frames[0].slot.value()};
  std::size_t announced = 0;
  for (int i = 0; i < 10; ++i) {
    rig.turn_after(100us);
    for (const TransmitFrame& frame : rig.adopt(0)) {
      if (frame.kind == FrameKind::advertisement) {
        advertised.insert(frame.slot.value());
        rig.grant(2850ms, frame.slot);
        continue;
      }
      EXPECT_TRUE(advertised.contains(frame.slot.value()));
      ++announced;
    }
  }
  EXPECT_EQ(advertised.size(), 2U);
  EXPECT_EQ(announced, 2U * kAddresses);
}

TEST(LoopPacing, AFullRingMakesThemWaitAndLosesNone) {
  LoopRig rig(big_box(64));
  promote(rig);
  std::map<IpAddress, unsigned> announced;
  for (int i = 0; i < 400; ++i) {
    // A worker that takes 7 messages now and then, from a ring of 80.
    rig.down[0].capacity = 80;
    rig.down[0].counts = true;
    rig.grant_all(2850ms);
    for (unsigned taken = 0; taken < 7; ++taken) {
      DownMessage message;
      if (!rig.down[0].try_receive(message)) break;
      const auto* frame = std::get_if<TransmitFrame>(&message);
      if (frame != nullptr && frame->kind == FrameKind::announcement) {
        ++announced[test::arp_target(*frame)];
      }
    }
    rig.turn_after(kTurn);
  }
  EXPECT_EQ(announced.size(), 64U * kAddresses);
  for (const auto& [address, times] : announced) EXPECT_EQ(times, 1U);
}

}  // namespace
}  // namespace koi::controlplane::loop_pacing_test
