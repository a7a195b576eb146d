#include <deque>
#include <random>

#include <gtest/gtest.h>

#include "controlplane/election/step.h"
#include "tests/support/sample.h"
#include "tests/support/slot_rig.h"

/// A group of both families: a timer of its own for each, one role (design.md, "The election is a
/// function"; protocol.md §6).
namespace koi::election::election_families_test {
namespace {

using test::SlotRig;

SlotRig dual() {
  SlotRig rig;
  rig.p.families = family_bit(Family::ipv4) | family_bit(Family::ipv6);
  return rig;
}
SlotRig dual_backup() {
  SlotRig rig = dual();
  rig.become_backup();
  return rig;
}
SlotRig dual_master() {
  SlotRig rig = dual();
  rig.become_master();
  return rig;
}
VerifiedAdvert from(SlotRig& rig, Family family, std::uint8_t node, unsigned advskew = 100) {
  VerifiedAdvert ad = family == Family::ipv4 ? rig.advert(1, advskew) : rig.advert6(1, advskew);
  ad.counter = auth::make_counter(rig.counter, NodeId(node));
  ad.source = family == Family::ipv4 ? IpAddress(SlotRig::address(node))
                                     : IpAddress(SlotRig::address6(node));
  return ad;
}

// ---- timers -------------------------------------------------------------------------------------

// C7.4 kept
TEST(ElectionFamilies, EachTimerIsRearmedByItsOwnFamilyOnly) {
  SlotRig rig = dual_backup();
  rig.now += 1s;
  rig.hear6(1, 0);
  EXPECT_EQ(rig.left(Timer::master_down_ipv6), rig.p.master_down());
  EXPECT_EQ(rig.left(Timer::master_down_ipv4), rig.p.master_down() - Duration(1s));
}

// C7.6 refused
TEST(ElectionFamilies, KoiOneQuietFamilyChangesNoRole) {
  SlotRig rig = dual_backup();
  for (int i = 0; i < 100; ++i) {
    rig.now += 1s;
    if (rig.s.timer(Timer::master_down_ipv4) <= rig.now) rig.due(Timer::master_down_ipv4);
    rig.hear6(1, 0);
    EXPECT_EQ(rig.s.role, Role::backup);
  }
  EXPECT_EQ(rig.notice, Notice::family_quiet);
}

// C7.6 kept
TEST(ElectionFamilies, KoiTakesOverAMasterDownAfterTheLastOfEitherFamily) {
  for (const Duration apart : {Duration(1ns), Duration(3us), Duration(1s), Duration(3s)}) {
    SlotRig rig = dual_backup();
    rig.hear(1, 0);
    rig.now += apart;
    rig.hear6(1, 0);
    const Instant last = rig.now;
    EXPECT_EQ(rig.due(Timer::master_down_ipv4), apart > Duration(900ms) ? "!" : "");
    EXPECT_EQ(rig.s.timer(Timer::master_down_ipv4), last + rig.p.master_down());
    EXPECT_EQ(rig.due(Timer::master_down_ipv6), "Mag");
    EXPECT_EQ(rig.now, last + rig.p.master_down());
  }
}

// C7.6 kept
TEST(ElectionFamilies, KoiBothQuietSinceTheSameMomentPromotes) {
  SlotRig rig = dual_backup();
  EXPECT_EQ(rig.due(Timer::master_down_ipv6), "Mag");
}

// C7.5 kept
TEST(ElectionFamilies, ForeignDialectsPromoteOnEitherTimer) {
  for (const auto dialect :
       {config::Dialect::openbsd, config::Dialect::freebsd, config::Dialect::ucarp}) {
    SlotRig rig = dual();
    rig.p.dialect = dialect;
    rig.become_backup();
    rig.now += 2s;
    rig.hear6(1, 0);
    EXPECT_EQ(rig.due(Timer::master_down_ipv4), "Mag");
  }
}

TEST(ElectionFamilies, AFamilyThatTheGroupDoesNotHaveSaysNothing) {
  SlotRig rig;  // IPv4 alone
  rig.become_backup();
  const State before = rig.s;
  EXPECT_EQ(rig.hear6(1, 0), "");
  EXPECT_EQ(rig.s.timers, before.timers);
  EXPECT_EQ(rig.s.last_heard, before.last_heard);
  EXPECT_FALSE(rig.s.master_known);
  rig.due(Timer::master_down_ipv4);
  EXPECT_EQ(rig.hear6(1, 0), "");
  EXPECT_EQ(rig.s.role, Role::master);
}

TEST(ElectionFamilies, OneFamilyMayOvertakeTheOther) {
  SlotRig rig = dual_backup();
  const VerifiedAdvert first = rig.advert(1, 0);
  EXPECT_EQ(rig.hear6(1, 0), "");
  EXPECT_EQ(rig.feed(first), "");   // a lower counter, of the other family
  EXPECT_EQ(rig.feed(first), "!");  // a second time: a duplicate
}

// ---- who the master is --------------------------------------------------------------------------

TEST(ElectionFamilies, StatusPrefersTheMastersIpv4Address) {
  SlotRig rig = dual_backup();
  rig.hear6(1, 0);
  EXPECT_EQ(rig.s.master.address, IpAddress(SlotRig::address6(1)));
  rig.hear(1, 0);
  EXPECT_EQ(rig.s.master.address, IpAddress(SlotRig::address(1)));
  rig.hear6(1, 0);
  EXPECT_EQ(rig.s.master.address, IpAddress(SlotRig::address(1)));
  rig.now += rig.p.master_down();
  rig.hear6(1, 0);  // not heard over IPv4 any more
  EXPECT_EQ(rig.s.master.address, IpAddress(SlotRig::address6(1)));
}

// C9.8 kept, C9.8 refused
TEST(ElectionFamilies, KoiBowOutCountsFromTheMasterOfItsFamily) {
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    for (const std::uint8_t node : {std::uint8_t{1}, std::uint8_t{3}}) {
      SlotRig rig = dual_backup();
      rig.feed(from(rig, Family::ipv4, 1, 0));
      rig.feed(from(rig, Family::ipv6, 1, 0));
      VerifiedAdvert bow_out = from(rig, family, node);
      bow_out.advbase = bow_out.advskew = 255;
      EXPECT_EQ(rig.feed(bow_out), node == 1 ? "" : "!");
      EXPECT_EQ(rig.armed(Timer::takeover), node == 1);
    }
  }
}

// C9.8 refused
TEST(ElectionFamilies, KoiBowOutOfAFamilyNeverHeardIsRefused) {
  SlotRig rig = dual_backup();
  rig.hear(1, 0);
  EXPECT_EQ(rig.hear6(255, 255), "!");
  EXPECT_EQ(rig.notice, Notice::bow_out_refused);
}

// ---- equal timers -------------------------------------------------------------------------------

// C8.5 kept, C8.5 refused
TEST(ElectionFamilies, KoiIpv4AddressesDecideAmongEqualTimers) {
  SlotRig rig = dual_master();  // .2
  rig.p.source6 = SlotRig::address6(1);
  EXPECT_EQ(rig.feed(from(rig, Family::ipv4, 1)), "ag");
  rig.now += rig.p.master_down() - Duration(1ns);
  EXPECT_EQ(rig.feed(from(rig, Family::ipv6, 1)), "");  // heard over IPv4: undecided
  EXPECT_EQ(rig.s.role, Role::master);
}

// C8.5 kept
TEST(ElectionFamilies, KoiIpv6DecidesWhereItsNodeIsNotHeardOverIpv4) {
  SlotRig rig = dual_master();
  rig.feed(from(rig, Family::ipv4, 1));
  EXPECT_EQ(rig.feed(from(rig, Family::ipv6, 3)), "B");  // another node's IPv4 does not count
  EXPECT_EQ(rig.s.cause, Cause::better_advertisement);
  EXPECT_EQ(rig.feed(WorkersSilent{}), "o");

  SlotRig other = dual_master();
  other.p.source6 = SlotRig::address6(4);
  other.feed(from(other, Family::ipv4, 1));
  other.now += other.p.master_down();
  EXPECT_EQ(other.feed(from(other, Family::ipv6, 1)), "ag");  // the third one: announced again
}

TEST(ElectionFamilies, KoiGroupOfIpv6AloneComparesIpv6) {
  for (const std::uint8_t node : {std::uint8_t{1}, std::uint8_t{3}}) {
    SlotRig rig;
    rig.p.families = family_bit(Family::ipv6);
    rig.become_backup();
    rig.due(Timer::master_down_ipv6);
    EXPECT_EQ(rig.feed(from(rig, Family::ipv6, node)), node == 1 ? "ag" : "B");
    EXPECT_FALSE(rig.s.stepping_down);
  }
}

TEST(ElectionFamilies, UnequalTimersDecideInEitherFamily) {
  EXPECT_EQ(dual_master().hear6(1, 99), "B");
  EXPECT_EQ(dual_master().hear6(1, 101), "ag");
}

/// Two MASTERs with equal timers whose IPv4 addresses are ordered one way and whose IPv6 ones the
/// other, at the moment a partition heals. Frames of one family keep their order, any may be lost.
class Healing {
 public:
  explicit Healing(std::mt19937& random) : random_(random) {
    for (std::size_t i = 0; i < 2; ++i) {
      box_[i].p.node = NodeId(static_cast<std::uint16_t>(i + 1));
      box_[i].p.source = SlotRig::address(static_cast<std::uint8_t>(i + 1));
      box_[i].p.source6 = SlotRig::address6(static_cast<std::uint8_t>(2 - i));
      box_[i].become_master();
    }
  }

  /// Returns iff a box is MASTER or about to be, when everything on the way has arrived.
  bool somebody_stays(bool lossy) {
    for (std::size_t i = 0; i < 2; ++i) send(i, 1, 100, lossy);
    while (deliver_one()) {
    }
    for (const SlotRig& box : box_) {
      if (box.s.role == Role::master || box.armed(Timer::takeover)) return true;
    }
    return false;
  }
  int masters() const {
    return (box_[0].s.role == Role::master ? 1 : 0) + (box_[1].s.role == Role::master ? 1 : 0);
  }

 private:
  void send(std::size_t i, unsigned advbase, unsigned advskew, bool lossy) {
    for (const Family family : kFamilies) {
      VerifiedAdvert ad;
      ad.family = family;
      ad.advbase = static_cast<std::uint8_t>(advbase);
      ad.advskew = static_cast<std::uint8_t>(advskew);
      ad.counter = auth::make_counter(++sequence_, box_[i].p.node);
      ad.source = family == Family::ipv4 ? box_[i].p.source : IpAddress(box_[i].p.source6);
      if (!lossy || random_() % 4 != 0) way_[1 - i][index_of(family)].push_back(ad);
    }
  }
  bool deliver_one() {
    for (std::size_t start = random_() % 4, n = 0; n < 4; ++n) {
      const std::size_t to = (start + n) % 4 / 2;
      auto& queue = way_[to][(start + n) % 2];
      if (queue.empty()) continue;
      act(to, box_[to].feed(queue.front()));
      queue.pop_front();
      return true;
    }
    return false;
  }
  void act(std::size_t i, const std::string& actions) {
    for (const char c : std::string(actions)) {
      if (c == 'a') send(i, 1, 100, false);
    }
    if (box_[i].s.stepping_down && box_[i].feed(WorkersSilent{}) == "o") send(i, 255, 255, false);
  }

  std::mt19937& random_;
  SlotRig box_[2] = {dual(), dual()};
  std::deque<VerifiedAdvert> way_[2][2];  // [to][family]
  std::uint64_t sequence_ = 100;
};

// C8.5 kept
TEST(ElectionFamilies, KoiTwoCriteriaNeverMakeBothStepDown) {
  std::mt19937 random(7);
  for (int i = 0; i < static_cast<int>(100'000 / test::kStride); ++i) {
    Healing pair(random);
    const bool lossy = random() % 2 == 0;
    ASSERT_TRUE(pair.somebody_stays(lossy)) << i;
    if (!lossy) {
      ASSERT_LE(pair.masters(), 1) << i;
    }
  }
}

}  // namespace
}  // namespace koi::election::election_families_test
