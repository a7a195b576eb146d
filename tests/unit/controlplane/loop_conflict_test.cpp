#include <gtest/gtest.h>

#include "controlplane/loop.h"
#include "tests/support/frame_fields.h"
#include "tests/support/loop_rig.h"

/// Somebody else uses what is ours: said, defended, and never a reason to change a role.
namespace koi::controlplane::loop_conflict_test {
namespace {

using election::Notice;
using test::LoopRig;
using test::of_kind;

constexpr SlotIndex kSlot = LoopRig::kSlot;
const MacAddress kForeignMac = mac_from({0x52, 0x54, 0, 0, 0, 9});
constexpr std::pair<ConflictKind, Notice> kKinds[] = {
    {ConflictKind::address_claim, Notice::address_claimed},
    {ConflictKind::virtual_mac, Notice::virtual_mac_used},
    {ConflictKind::vrrp, Notice::vrrp_heard},
    {ConflictKind::digest, Notice::digest_differs},
    {ConflictKind::replay, Notice::forgery_suspected},
    {ConflictKind::trailer, Notice::trailer_refused},
    {ConflictKind::clock, Notice::clock_differs}};

Conflict conflict(ConflictKind kind) {
  return {.slot = kSlot, .kind = kind, .source = test::ip4("192.0.2.10"), .mac = kForeignMac};
}

std::size_t announcements(LoopRig& rig) {
  return of_kind(FrameKind::announcement, rig.adopt(0)).size();
}

/// MASTER whose announcements at promotion are over, its lease long.
void settled_master(LoopRig& rig) {
  rig.become_master(100s);
  for (int i = 0; i < 4; ++i) rig.turn_after(1001ms);
  rig.forget();
}

// C16.1 kept, C16.2 kept, C16.3 kept, C16.4 kept, C16.5 kept
TEST(LoopConflict, EachKindIsSaidWithItsSourceAndMacInEveryRole) {
  for (const bool master : {false, true}) {
    for (const auto& [kind, notice] : kKinds) {
      LoopRig rig;
      if (master) {
        settled_master(rig);
      } else {
        rig.become_backup();
      }
      rig.up[0].try_send(conflict(kind));
      rig.turn();
      const auto notices = rig.reports.take<NoticeRaised>();
      ASSERT_EQ(notices.size(), 1U);
      EXPECT_EQ(notices[0].slot, kSlot);
      EXPECT_EQ(notices[0].notice, notice);
      EXPECT_EQ(notices[0].source, IpAddress(test::ip4("192.0.2.10")));
      EXPECT_EQ(notices[0].mac, kForeignMac);
      EXPECT_EQ(rig.counters.slots[0].notices[static_cast<std::size_t>(notice)].get(), 1U);
    }
  }
}

// C16.6 kept
TEST(LoopConflict, AMasterDefendsAddressAndVirtualMacByAnnouncing) {
  for (const ConflictKind kind : {ConflictKind::address_claim, ConflictKind::virtual_mac}) {
    LoopRig rig;
    settled_master(rig);
    rig.up[0].try_send(conflict(kind));
    rig.turn_after(200us);
    const auto frames = rig.adopt(0);
    ASSERT_EQ(frames.size(), 1U);
    EXPECT_EQ(frames[0].kind, FrameKind::announcement);
    EXPECT_EQ(frames[0].term.value(), rig.term());
    EXPECT_EQ(test::arp_target(frames[0]), IpAddress(test::ip4("192.0.2.10")));
  }
}

TEST(LoopConflict, AnotherProtocolOrKeyIsNotAnsweredWithAnnouncements) {
  for (const ConflictKind kind : {ConflictKind::vrrp, ConflictKind::digest, ConflictKind::replay}) {
    LoopRig rig;
    settled_master(rig);
    rig.up[0].try_send(conflict(kind));
    rig.turn_after(200us);
    EXPECT_EQ(announcements(rig), 0U);
  }
}

// C16.6 refused
TEST(LoopConflict, NoSecondDefenceWithinTenSeconds) {
  config::Config config = test::lan_box(2);
  config.groups[0].announce_refresh = Duration(0);
  LoopRig rig(config);
  settled_master(rig);
  rig.up[0].try_send(conflict(ConflictKind::address_claim));
  rig.turn_after(200us);
  EXPECT_EQ(announcements(rig), 1U);
  std::size_t later = 0;
  for (int i = 0; i < 99; ++i) {  // 9.9 s of it
    rig.up[0].try_send(conflict(ConflictKind::address_claim));
    rig.up[0].try_send(conflict(ConflictKind::virtual_mac));
    rig.turn_after(100ms);
    later += announcements(rig);
  }
  EXPECT_EQ(later, 0U);
  rig.clock.advance(100ms);
  rig.up[0].try_send(conflict(ConflictKind::virtual_mac));
  rig.turn();
  EXPECT_EQ(announcements(rig), 1U);
}

TEST(LoopConflict, ABackupDefendsNothing) {
  LoopRig rig;
  rig.become_backup();
  for (const auto& [kind, notice] : kKinds) rig.up[0].try_send(conflict(kind));
  rig.turn_after(200us);
  EXPECT_TRUE(rig.adopt(0).empty());
}

// C16.7 kept, C16.7 refused
TEST(LoopConflict, NoConflictChangesARoleTimerOrLease) {
  for (const auto& [kind, notice] : kKinds) {
    LoopRig master;
    settled_master(master);
    const std::uint64_t term = master.term();
    const std::uint64_t deadline = master.board->slot(kSlot).deadline[0].load();
    LoopRig backup;
    backup.become_backup();
    for (int i = 0; i < 299; ++i) {
      for (LoopRig* rig : {&master, &backup}) {
        rig->up[0].try_send(conflict(kind));
        rig->listen();
        rig->turn_after(10ms);
        EXPECT_TRUE(rig->changes().empty());
      }
    }
    EXPECT_EQ(master.term(), term);
    EXPECT_EQ(master.board->slot(kSlot).deadline[0].load(), deadline);
    for (int i = 0; i < 4; ++i) {
      backup.listen();
      backup.turn_after(5ms);
    }
    EXPECT_NE(backup.term(), 0U);  // when its timer says so, not later
  }
}

}  // namespace
}  // namespace koi::controlplane::loop_conflict_test
