#include <gtest/gtest.h>

#include "controlplane/loop.h"
#include "tests/support/frame_fields.h"
#include "tests/support/loop_rig.h"

/// What the loop notices of its own box, as the service thread gets it.
namespace koi::controlplane::loop_self_test {
namespace {

using test::LoopRig;
using test::of_kind;

constexpr SlotIndex kSlot = LoopRig::kSlot;
constexpr Duration kTurn = 200us;

void poll(LoopRig& rig, std::size_t worker = 0) {
  rig.words(worker).polled.store(rig.clock.time.time_since_epoch().count());
}

/// Turns in time, the first `workers` workers poll.
std::vector<SelfNoticed> run(LoopRig& rig, Duration time, std::size_t workers) {
  for (const Instant end = rig.clock.time + time; rig.clock.time < end;) {
    for (std::size_t w = 0; w < workers; ++w) poll(rig, w);
    rig.turn_after(kTurn);
  }
  return rig.reports.take<SelfNoticed>();
}

// C6.4 refused
TEST(LoopSelf, WhatItSentBeforeItsStartIsItsOwn) {  // T12: however late it comes back
  const LoopRig rig;
  const NodeId kOwn = test::lan_box(2).node_id;
  const std::uint64_t highest = rig.board->own_counter.load();
  EXPECT_EQ(auth::node_of(highest), kOwn);
  auth::ReplayGuard guard;
  for (const std::uint64_t sequence : {std::uint64_t{1}, LoopRig::kFirstSequence}) {
    EXPECT_EQ(guard.check(auth::make_counter(sequence, kOwn), Family::ipv4, kOwn, highest),
              auth::ReplayGuard::Result::own);
  }
}

// C18.9 kept
TEST(LoopSelf, ThreeLateTurnsAreReportedOnceAndTheirEndAsWell) {
  LoopRig rig;
  rig.clock.advance(100s);
  EXPECT_TRUE(run(rig, 10ms, 1).empty());
  for (int late = 0; late < 2; ++late) {
    poll(rig);
    rig.turn_after(51ms);
    EXPECT_TRUE(run(rig, 10ms, 1).empty());
  }
  rig.turn_after(51ms);
  const auto begun = run(rig, 9s, 1);
  ASSERT_EQ(begun.size(), 1U);
  EXPECT_EQ(begun[0].cause, SelfCause::late_control);
  EXPECT_TRUE(begun[0].on);
  const auto over = run(rig, 2s, 1);
  ASSERT_EQ(over.size(), 1U);
  EXPECT_EQ(over[0].cause, SelfCause::late_control);
  EXPECT_FALSE(over[0].on);
  EXPECT_TRUE(run(rig, 2s, 1).empty());
}

// C18.9 kept
TEST(LoopSelf, AStalledWorkerIsReportedByItsNumber) {
  LoopRig rig(test::lan_box(2), 3, 2);
  rig.clock.advance(100s);
  EXPECT_TRUE(run(rig, 50ms, 2).empty());
  const auto begun = run(rig, 20ms, 1);  // worker 1 does not
  ASSERT_EQ(begun.size(), 1U);
  EXPECT_EQ(begun[0].cause, SelfCause::stalled_worker);
  EXPECT_EQ(begun[0].index, 1U);
  EXPECT_TRUE(begun[0].on);
  EXPECT_TRUE(run(rig, 900ms, 2).empty());
  const auto over = run(rig, 200ms, 2);
  ASSERT_EQ(over.size(), 1U);
  EXPECT_EQ(over[0].index, 1U);
  EXPECT_FALSE(over[0].on);
}

TEST(LoopSelf, AReportThatFoundNoRoomIsRepeated) {
  LoopRig rig;
  rig.clock.advance(100s);
  run(rig, 10ms, 1);
  rig.reports.capacity = 0;
  run(rig, 50ms, 0);
  rig.reports.capacity = 100;
  const auto begun = run(rig, 1ms, 0);
  ASSERT_EQ(begun.size(), 1U);
  EXPECT_TRUE(begun[0].on);
}

// ---- send errors --------------------------------------------------------------------------------

/// MASTER of the second slot as well, each with the lease of a long reign.
config::Config two_groups() {
  config::Config config = test::lan_box(2);
  config.groups.push_back(config.groups[0]);
  config.groups[1].vhid = Vhid(2);
  config.groups[1].addresses = {test::ip4("192.0.2.11")};
  return config;
}

void advertise_next(LoopRig& rig) {
  rig.turn_after(1001ms);
  EXPECT_EQ(of_kind(FrameKind::advertisement, rig.adopt(0)).size(), 2U);
}
void refuse(LoopRig& rig, SlotIndex slot) {
  rig.up[0].try_send(TransmitRefused{slot, Family::ipv4, Term(rig.term(slot))});
}

// C9.12 kept
TEST(LoopSelf, ThreeRefusedAdvertisementsInARowAreReportedAndThreeTakenOnesEndIt) {
  LoopRig rig(two_groups());
  const SlotIndex second(1);
  rig.become_master(100s);
  for (int i = 0; i < 3; ++i) {
    advertise_next(rig);
    rig.grant(100s, kSlot);
    EXPECT_TRUE(rig.reports.take<SelfNoticed>().empty()) << i;
    refuse(rig, second);
    rig.turn();
    if (i == 2) break;
    // It is tried again 200 us later; that one is taken to be refused only when the driver says so.
    rig.turn_after(300us);
    rig.adopt(0);
    refuse(rig, second);
    rig.turn();
    if (++i == 2) break;
    rig.turn_after(300us);
    rig.adopt(0);
    refuse(rig, second);
    rig.turn();
    break;
  }
  const auto begun = rig.reports.take<SelfNoticed>();
  ASSERT_EQ(begun.size(), 1U);
  EXPECT_EQ(begun[0].cause, SelfCause::send_errors);
  EXPECT_EQ(begun[0].index, second.value());
  EXPECT_TRUE(begun[0].on);
}

}  // namespace
}  // namespace koi::controlplane::loop_self_test
