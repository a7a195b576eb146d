// ControlLoop: another plan for a loop that runs.
#include <gtest/gtest.h>

#include "tests/support/loop_rig.h"

namespace koi::controlplane::loop_reload_test {
namespace {

using election::Cause;
using election::Role;
using test::LoopRig;

config::Group second_group() {
  config::Group group = test::lan_group();
  group.name = "second";
  group.vhid = Vhid(2);
  group.addresses = {test::ip4("192.0.2.20")};
  return group;
}

config::Config two_groups() {
  config::Config config = test::lan_box(2);
  config.groups.push_back(second_group());
  return config;
}

/// What the service thread does: the groups that stay keep their numbers.
class Reloading {
 public:
  Reloading(LoopRig& rig, const config::Config& wanted, const Numbering& numbering) : rig_(rig) {
    next.plan = make_plan(wanted, {test::port_facts()}, numbering);
    rig.counters.slots.resize(next.plan.slots.size());
    for (auto& slot : rig.counters.slots) next.counters.push_back(&slot);
    topology = next.plan.topology;
    rig.command(TakePlan{&next});
  }

  /// The reports of one kind so far; the others stay out of sight.
  template <class R>
  std::size_t count() const {
    std::size_t found = 0;
    for (const Report& report : rig_.reports.messages) found += std::holds_alternative<R>(report);
    return found;
  }

  NextPlan next;
  std::shared_ptr<const Topology> topology;

 private:
  LoopRig& rig_;
};

Numbering kept(std::size_t used, std::initializer_list<std::pair<const char*, std::uint16_t>> g) {
  Numbering numbering;
  numbering.used = used;
  for (const auto& [name, first] : g) numbering.kept[name] = {SlotIndex(first), 1};
  return numbering;
}

const Topology* adopted_topology(LoopRig& rig) {
  const Topology* newest = nullptr;
  for (const DownMessage& message : rig.down[0].messages) {
    if (const auto* view = std::get_if<AdoptView>(&message)) newest = view->view->topology.get();
  }
  return newest;
}

// C20.1 kept
TEST(Reload, AMasterThatStaysKeepsItsReignAndLease) {
  LoopRig rig;
  rig.become_master();
  const std::uint64_t term = rig.term();
  config::Config wanted = test::lan_box(2);
  wanted.groups[0].announce_refresh = 30s;
  Reloading reload(rig, wanted, kept(1, {{"lan-gateway", 0}}));
  rig.turn();
  EXPECT_EQ(reload.count<PlanTaken>(), 1U);
  EXPECT_EQ(reload.count<RoleChange>(), 0U);
  EXPECT_EQ(adopted_topology(rig), reload.topology.get());
  EXPECT_EQ(rig.term(), term);
  EXPECT_EQ(reload.count<PlanReleased>(), 0U);  // a worker has the old one yet
  rig.adopt_all();
  rig.turn_after(100us);
  rig.turn_after(100us);
  EXPECT_EQ(reload.count<PlanReleased>(), 1U);
  EXPECT_EQ(rig.term(), term);
}

TEST(Reload, AdvskewIsOnTheWireAtOnce) {
  LoopRig rig;
  rig.become_master();
  config::Config wanted = test::lan_box(2);
  wanted.groups[0].advskew = 77;
  const Reloading reload(rig, wanted, kept(1, {{"lan-gateway", 0}}));
  rig.turn();
  rig.turn_after(100us);
  const std::vector<TransmitFrame> frames = rig.adopt(0);
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].kind, FrameKind::advertisement);
  constexpr std::size_t kAdvskew = 14 + 20 + 2;  // protocol.md §1
  EXPECT_EQ(frames[0].bytes[kAdvskew], std::byte{77});
  EXPECT_EQ(frames[0].term, Term(rig.term()));
}

TEST(Reload, ABackupKeepsItsTimer) {
  LoopRig rig;
  rig.become_backup();
  rig.hear(rig.advert(1, 0));
  rig.turn();
  const Instant heard = rig.clock.time;
  const Reloading reload(rig, test::lan_box(2), kept(1, {{"lan-gateway", 0}}));
  rig.clock.advance(2s);
  rig.turn();
  rig.adopt_all();
  rig.clock.time = heard + rig.parameters.master_down() - 1ms;
  rig.listen();
  rig.turn_after(1us);
  EXPECT_EQ(rig.term(), 0U);
  rig.clock.time = heard + rig.parameters.master_down() + 1ms;
  rig.listen();
  rig.turn_after(1us);
  EXPECT_NE(rig.term(), 0U);
}

// C20.2 kept
TEST(Reload, AGroupThatGoesIsSilentFirstThenBowsOutThenTheNextPlanIsTaken) {
  LoopRig rig(two_groups());
  rig.become_master();
  const std::uint64_t stays = rig.term();
  ASSERT_NE(rig.term(SlotIndex(1)), 0U);
  Reloading reload(rig, test::lan_box(2), kept(2, {{"lan-gateway", 0}}));
  EXPECT_TRUE(reload.next.plan.slots[1].gone);
  rig.turn();
  EXPECT_EQ(rig.term(SlotIndex(1)), 0U);     // L2
  EXPECT_EQ(reload.count<PlanTaken>(), 0U);  // L10: workers do not know it yet
  const auto changes = rig.changes();
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].cause, Cause::reload);
  EXPECT_EQ(rig.adopt(0).size(), 0U);
  rig.turn_after(100us);
  EXPECT_EQ(reload.count<PlanTaken>(), 1U);
  const std::vector<TransmitFrame> frames = rig.adopt(0);
  const auto bow_out = std::find_if(frames.begin(), frames.end(), [](const TransmitFrame& frame) {
    return frame.kind == FrameKind::bow_out && frame.slot == SlotIndex(1);
  });
  EXPECT_NE(bow_out, frames.end());
  EXPECT_EQ(rig.term(), stays);
  // What a worker still sends up of it decides nothing and lies open for nobody.
  const VerifiedAdvert late = rig.advert(1, 0, 1, SlotIndex(1));
  rig.hear(late);
  rig.clock.advance(10s);
  rig.grant_all(10s);
  rig.listen();
  rig.turn_after(1us);
  EXPECT_EQ(rig.term(SlotIndex(1)), 0U);
  EXPECT_EQ(rig.acknowledged(0, SlotIndex(1)), late.heard_number);
}

TEST(Reload, AGroupThatGoesDoesNotTakeThoseThatItWasTiedTo) {
  config::Config tied = two_groups();
  tied.groups[0].tie = {"second"};
  LoopRig rig(tied);
  rig.become_backup();
  for (int i = 0; i < 20 && rig.term() == 0; ++i) {  // a tie's promotions go through a timer
    rig.clock.advance(1s);
    rig.listen();
    rig.turn_after(1us);
    rig.grant_all(2850ms);
    rig.adopt_all();
  }
  ASSERT_NE(rig.term(), 0U);
  ASSERT_NE(rig.term(SlotIndex(1)), 0U);
  rig.forget();
  const std::uint64_t term = rig.term();
  const Reloading reload(rig, test::lan_box(2), kept(2, {{"lan-gateway", 0}}));
  rig.turn();
  EXPECT_EQ(rig.term(SlotIndex(1)), 0U);
  EXPECT_EQ(rig.term(), term);
}

TEST(Reload, AGroupThatComesStartsWhereTheLinkIs) {
  LoopRig rig;
  rig.become_master();
  const Reloading reload(rig, two_groups(), kept(1, {{"lan-gateway", 0}}));
  rig.turn();
  const auto changes = rig.changes();
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].slot, SlotIndex(1));
  EXPECT_EQ(changes[0].to, Role::backup);
  EXPECT_EQ(changes[0].cause, Cause::link_up);
}

// C20.3 kept
TEST(Reload, AGroupThatIsAnotherOneOnTheWireHasAnotherNumber) {
  LoopRig rig;
  rig.become_master();
  config::Config wanted = test::lan_box(2);
  wanted.groups[0].vhid = Vhid(9);
  Reloading reload(rig, wanted, kept(1, {}));
  rig.turn();
  rig.adopt_all();
  rig.turn_after(100us);
  EXPECT_EQ(reload.count<PlanTaken>(), 1U);
  EXPECT_EQ(rig.term(), 0U);
  EXPECT_EQ(reload.topology->find_slot(PortIndex(0), VlanId(0), Vhid(1)), nullptr);
  const SlotView* slot = reload.topology->find_slot(PortIndex(0), VlanId(0), Vhid(9));
  ASSERT_NE(slot, nullptr);
  EXPECT_EQ(reload.topology->index_of(*slot), SlotIndex(1));
}

TEST(Reload, ANewAddressIsAnnounced) {
  LoopRig rig;
  rig.become_master();
  config::Config wanted = test::lan_box(2);
  wanted.groups[0].addresses.emplace_back(test::ip4("192.0.2.11"));
  const Reloading reload(rig, wanted, kept(1, {{"lan-gateway", 0}}));
  rig.turn();
  std::size_t announced = 0;
  for (int i = 0; i < 10; ++i) {
    for (const TransmitFrame& frame : rig.adopt(0)) {
      announced += frame.kind == FrameKind::announcement;
    }
    rig.grant(2850ms);
    rig.turn_after(1ms);
  }
  EXPECT_EQ(announced, 2U);
}

TEST(Reload, WithNoRoomForItsReportItWaits) {
  LoopRig rig;
  rig.become_master();
  rig.reports.capacity = 0;
  const Reloading reload(rig, two_groups(), kept(1, {{"lan-gateway", 0}}));
  rig.turn();
  EXPECT_NE(adopted_topology(rig), reload.topology.get());
  rig.reports.capacity = 100;
  rig.turn_after(100us);
  EXPECT_EQ(adopted_topology(rig), reload.topology.get());
}

/// Box 2 gets a group that preempts, and hears a worse MASTER of it at once.
std::vector<RoleChange> brought(std::vector<std::uint8_t> demotions) {
  LoopRig rig;
  rig.become_backup();
  config::Config wanted = two_groups();
  wanted.groups[1].preempt = true;
  Reloading reload(rig, wanted, kept(1, {{"lan-gateway", 0}}));
  reload.next.demotions = std::move(demotions);
  rig.turn();
  rig.adopt_all();
  rig.listen();
  rig.turn_after(100us);
  rig.hear(rig.advert(1, 200, 1, SlotIndex(1)));
  for (int turns = 0; turns < 3; ++turns) {
    rig.listen();
    rig.turn_after(100us);
  }
  return rig.changes();
}

// C20.2 kept: maintenance, or a sync-wait, counts from the first moment, as at a start.
TEST(Reload, AGroupThatComesHasItsDemotionBeforeTheLink) {
  const auto at_once = brought({});
  ASSERT_EQ(at_once.size(), 2U);  // BACKUP, MASTER
  EXPECT_EQ(at_once[1].cause, Cause::preempt);
  const auto demoted = brought({0, 1});
  ASSERT_EQ(demoted.size(), 1U);
  EXPECT_EQ(demoted[0].to, Role::backup);
}

// C20.1 kept
TEST(Reload, TheNextPlansDemotionsDoNotTouchWhatStays) {
  LoopRig rig;
  rig.become_master();
  const std::uint64_t term = rig.term();
  Reloading reload(rig, two_groups(), kept(1, {{"lan-gateway", 0}}));
  reload.next.demotions = {1, 1};
  rig.turn();
  rig.adopt_all();
  rig.turn_after(100us);
  EXPECT_EQ(rig.term(), term);
}

}  // namespace
}  // namespace koi::controlplane::loop_reload_test
