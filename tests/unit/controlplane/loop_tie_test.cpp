#include <gtest/gtest.h>

#include "controlplane/election/tie.h"
#include "controlplane/loop.h"
#include "tests/support/frame_fields.h"
#include "tests/support/loop_rig.h"

/// Groups that are tied: they rise and fall in one turn.
namespace koi::controlplane::loop_tie_test {
namespace {

using election::Cause;
using election::Role;
using test::LoopRig;
using test::of_kind;

constexpr SlotIndex kLan{0};
constexpr SlotIndex kWan{1};
constexpr Duration kTurn = 200us;

config::Config tied_box() {
  config::Config config = test::two_port_box(2);
  config.groups[0].tie = {"wan-gateway"};
  return config;
}

/// The last one heard of each group's MASTER: `later` after it for the second group.
void hear_both(LoopRig& rig, Duration later) {
  rig.hear(rig.advert(1, 0, 1, kLan));
  rig.turn();
  rig.clock.advance(later);
  rig.hear(rig.advert(1, 0, 1, kWan));
  rig.turn();
  rig.forget();
}

/// The workers poll and control turns, over and over. Returns the turns' changes, with their times.
std::vector<RoleChange> run(LoopRig& rig, Duration time) {
  std::vector<RoleChange> all;
  for (const Instant end = rig.clock.time + time; rig.clock.time < end;) {
    rig.listen();
    rig.turn_after(kTurn);
    rig.grant_all(2850ms);
    for (const RoleChange& change : rig.changes()) all.push_back(change);
  }
  return all;
}

// C18.1 kept
TEST(LoopTie, BothRiseInOneTurnWhenTheirTimersFallDueWithinTwoMilliseconds) {
  for (const Duration apart : {Duration(0us), Duration(900us), Duration(1700us)}) {
    LoopRig rig(tied_box());
    rig.become_backup();
    hear_both(rig, apart);
    const Instant second_due = rig.clock.time + 3s;
    rig.clock.time = second_due - apart - 1ms;
    const auto changes = run(rig, 4ms);
    ASSERT_EQ(changes.size(), 2U) << apart.count();
    for (const RoleChange& change : changes) {
      EXPECT_EQ(change.to, Role::master);
      EXPECT_EQ(change.cause, Cause::master_down);
      EXPECT_EQ(change.at, changes[0].at);
      EXPECT_GE(change.at, second_due);
      EXPECT_LE(change.at, second_due + 2 * kTurn);
    }
    // And in one view: a worker that adopts it answers for both or for none.
    const auto views = rig.down[0].take<AdoptView>();
    ASSERT_EQ(views.size(), 1U);
    EXPECT_EQ(views[0].view->terms[0].value(), rig.term(kLan));
    EXPECT_EQ(views[0].view->terms[1].value(), rig.term(kWan));
  }
}

// C18.1 refused
TEST(LoopTie, NobodyIsPromotedBecauseOfTheTieWhileItsOwnMasterIsHeard) {
  LoopRig rig(tied_box());
  rig.become_backup();
  hear_both(rig, 0us);
  const Instant due = rig.clock.time + 3s;
  rig.clock.time = due - 1ms;
  rig.hear(rig.advert(1, 0, 1, kWan));
  auto changes = run(rig, 2700us);
  EXPECT_TRUE(changes.empty());  // one is due, and waits
  changes = run(rig, 1ms);
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].slot, kLan);
  EXPECT_GE(changes[0].at, due + 2ms);
  EXPECT_LE(changes[0].at, due + 2ms + 2 * kTurn);
  for (int i = 0; i < 5; ++i) {
    rig.hear(rig.advert(1, 0, 1, kWan));
    EXPECT_TRUE(run(rig, 500ms).empty());
  }
  EXPECT_EQ(rig.term(kWan), 0U);
}

TEST(LoopTie, AGroupThatIsNotTiedWaitsForNobody) {
  LoopRig rig(test::two_port_box(2));
  rig.become_backup();
  hear_both(rig, 1ms);
  const Instant first_due = rig.clock.time - 1ms + 3s;
  rig.clock.time = first_due - 400us;
  const auto changes = run(rig, 3ms);
  ASSERT_EQ(changes.size(), 2U);
  EXPECT_LE(changes[0].at, first_due + 2 * kTurn);
  EXPECT_NE(changes[0].at, changes[1].at);
}

// L9 is each slot's own: who has not listened is not promoted, tied or not.
TEST(LoopTie, L9NoTiedPromotionUntilItsOwnReceiversHaveListened) {
  config::Config config = tied_box();
  LoopRig rig(make_plan(config, {test::port_facts(1), test::port_facts(2)}), NodeId(2), 2);
  rig.become_backup();
  rig.clock.advance(rig.parameters.master_down() + 1us);
  rig.listened(0, rig.clock.time);
  rig.turn_after(1us);
  EXPECT_EQ(rig.term(kLan), 0U);  // it waits for the other's receiver, as long as for a timer
  rig.turn_after(election::kTieWait);
  rig.grant_all(2850ms);
  EXPECT_NE(rig.term(kLan), 0U);
  EXPECT_EQ(rig.term(kWan), 0U);
  rig.turn_after(5ms);
  EXPECT_EQ(rig.term(kWan), 0U);
  rig.listened(1, rig.clock.time);
  rig.turn_after(1us);
  EXPECT_NE(rig.term(kWan), 0U);
}

// ---- falling ------------------------------------------------------------------------------------

/// Both MASTER, the rings empty.
void become_masters(LoopRig& rig) {
  rig.become_master();
  ASSERT_NE(rig.term(kLan), 0U);
  ASSERT_NE(rig.term(kWan), 0U);
}

// C18.2 kept
TEST(LoopTie, LeavingMasterTakesTheOtherAlongSilentFirstAndThenWithABowOut) {
  LoopRig rig(tied_box());
  become_masters(rig);
  rig.hear(rig.advert(0, 0, 1, kLan));  // better
  rig.turn();
  EXPECT_EQ(rig.term(kLan), 0U);
  EXPECT_EQ(rig.term(kWan), 0U);
  const auto changes = rig.changes();
  ASSERT_EQ(changes.size(), 2U);
  EXPECT_EQ(changes[0].cause, Cause::better_advertisement);
  EXPECT_EQ(changes[1].slot, kWan);
  EXPECT_EQ(changes[1].cause, Cause::tied);
  const auto messages = rig.take(0);
  ASSERT_EQ(messages.size(), 1U);  // one view, and nothing is sent yet
  const View* view = std::get<AdoptView>(messages[0]).view;
  EXPECT_EQ(view->terms[0], Term{});
  EXPECT_EQ(view->terms[1], Term{});
  rig.turn_after(kTurn);
  EXPECT_TRUE(rig.take(0).empty());  // not adopted
  rig.words(0).adopted.store(view->number.value());
  rig.turn_after(kTurn);
  const auto frames = rig.adopt(0);
  ASSERT_EQ(frames.size(), 1U);  // who heard the better one sends nothing (C8.6)
  EXPECT_EQ(frames[0].kind, FrameKind::bow_out);
  EXPECT_EQ(frames[0].slot, kWan);
}

// C18.2 kept
TEST(LoopTie, WhateverMadeOneLeaveTheOtherFollowsInThatTurn) {
  using Leave = void (*)(LoopRig&);
  const std::pair<Leave, Cause> ways[] = {
      {[](LoopRig& rig) {
         rig.command(SetLink{PortIndex(0), false});
       },
       Cause::link_down},
      {[](LoopRig& rig) {
         rig.command(SetDemotion{0, 1});
       },
       Cause::demoted},
      {[](LoopRig& rig) {
         rig.grant(100us, kLan);
         rig.clock.advance(200us);
       },
       Cause::lease_expired},
      {[](LoopRig& rig) {
         const VerifiedAdvert lost = rig.advert(0, 0, 1, kLan);
         rig.board->slot(kLan).heard[0].store(Stamp(lost.heard_number, rig.clock.time).word());
         rig.up[0].try_send(UpRingOverflow{});
       },
       Cause::frames_lost},
  };
  for (const auto& [leave, cause] : ways) {
    LoopRig rig(tied_box());
    become_masters(rig);
    leave(rig);
    rig.turn();
    const auto changes = rig.changes();
    ASSERT_EQ(changes.size(), 2U) << election::to_string(cause);
    EXPECT_EQ(changes[0].slot, kLan);
    EXPECT_EQ(changes[0].cause, cause);
    EXPECT_EQ(changes[1].slot, kWan);
    EXPECT_EQ(changes[1].cause, Cause::tied);
    EXPECT_EQ(rig.term(kWan), 0U);
  }
}

// C18.2 refused
TEST(LoopTie, OnlyTheTiedFollow) {
  LoopRig rig(test::two_port_box(2));
  become_masters(rig);
  rig.command(SetDemotion{0, 1});
  rig.turn();
  EXPECT_EQ(rig.changes().size(), 1U);
  EXPECT_NE(rig.term(kWan), 0U);
}

// C18.1 kept, C18.2 kept
TEST(LoopTie, TiesGoThroughOthersAndBothWays) {
  config::Config config = test::two_port_box(2);
  for (const unsigned vhid : {3U, 4U}) {
    config::Group group = test::lan_group();
    group.name = "group-" + std::to_string(vhid);
    group.vhid = Vhid(static_cast<std::uint8_t>(vhid));
    group.addresses = {Ipv4Address::from_u32(0xc0000200U | (20U + vhid))};
    config.groups.push_back(group);
  }
  config.groups[0].tie = {"group-3"};  // lan - 3 - wan; 4 alone
  config.groups[1].tie = {"group-3"};
  for (std::uint16_t leader = 0; leader < 3; ++leader) {
    LoopRig rig(config);
    rig.become_master();
    rig.command(SetDemotion{leader, 1});
    rig.turn();
    const auto changes = rig.changes();
    ASSERT_EQ(changes.size(), 3U) << leader;
    EXPECT_EQ(changes[0].cause, Cause::demoted);
    EXPECT_EQ(changes[1].cause, Cause::tied);
    EXPECT_EQ(changes[2].cause, Cause::tied);
    EXPECT_NE(rig.term(SlotIndex(3)), 0U);
    rig.adopt(0);
    rig.turn_after(kTurn);
    EXPECT_EQ(of_kind(FrameKind::bow_out, rig.adopt(0)).size(), 3U);
  }
}

// C18.1 kept
TEST(LoopTie, TheMembersOfABalancedGroupAreTiedWithTheOthers) {
  config::Config config = tied_box();
  config::Balance balance;
  balance.members = {{Vhid(1), 0}, {Vhid(7), 0}};
  config.groups[0].balance = balance;
  LoopRig rig(config);
  rig.become_master();
  rig.hear(rig.advert(0, 0, 1, SlotIndex(1)));
  rig.turn();
  EXPECT_EQ(rig.changes().size(), 3U);
}

}  // namespace
}  // namespace koi::controlplane::loop_tie_test
