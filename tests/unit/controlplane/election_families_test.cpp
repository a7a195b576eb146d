#include <algorithm>
#include <deque>
#include <random>
#include <string>
#include <vector>

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
TEST(ElectionFamilies, KoiTheHigherNodeIdStaysAmongEqualTimers) {
  for (const Family family : kFamilies) {
    for (const std::uint8_t node : {std::uint8_t{1}, std::uint8_t{3}}) {
      for (const std::uint8_t address : {std::uint8_t{1}, std::uint8_t{3}}) {
        SlotRig rig = dual_master();  // node 2, addresses .2 and ::2
        VerifiedAdvert ad = from(rig, family, address);
        ad.counter = auth::make_counter(rig.counter, NodeId(node));
        EXPECT_EQ(rig.feed(ad), node > 2 ? "B" : "ag");
        EXPECT_FALSE(rig.s.stepping_down);  // C8.6
      }
    }
  }
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

/// MASTERs with equal timers at the moment a partition heals: any order of IPv4 addresses, of IPv6
/// ones and of node-ids. Frames of one family and sender keep their order.
class Healing {
 public:
  Healing(std::mt19937& random, std::size_t boxes) : random_(random) {
    std::vector<std::uint8_t> ids[3];
    for (auto& of_one_kind : ids) {
      for (std::size_t i = 0; i < boxes; ++i)
        of_one_kind.push_back(static_cast<std::uint8_t>(i + 1));
      std::shuffle(of_one_kind.begin(), of_one_kind.end(), random_);
    }
    for (std::size_t i = 0; i < boxes; ++i) {
      SlotRig& box = box_.emplace_back(dual());
      box.p.node = NodeId(ids[0][i]);
      box.p.source = SlotRig::address(ids[1][i]);
      box.p.source6 = SlotRig::address6(ids[2][i]);
      box.become_master();
    }
    way_.resize(boxes * boxes * 2);
  }

  /// The first advertisements of all may get lost, an answer to them not. Returns how many are
  /// MASTER when everything on the way has arrived.
  std::size_t masters_left(bool lossy) {
    for (std::size_t i = 0; i < box_.size(); ++i) send(i, lossy);
    while (deliver_one()) {
    }
    return static_cast<std::size_t>(std::count_if(
        box_.begin(), box_.end(), [](const SlotRig& b) { return b.s.role == Role::master; }));
  }

 private:
  void send(std::size_t i, bool lossy) {
    for (const Family family : kFamilies) {
      VerifiedAdvert ad;
      ad.family = family;
      ad.advbase = 1;
      ad.advskew = 100;
      ad.counter = auth::make_counter(++sequence_, box_[i].p.node);
      ad.source = family == Family::ipv4 ? box_[i].p.source : IpAddress(box_[i].p.source6);
      for (std::size_t to = 0; to < box_.size(); ++to) {
        if (to != i && !(lossy && random_() % 4 == 0)) way(i, to, family).push_back(ad);
      }
    }
  }
  bool deliver_one() {
    for (std::size_t start = random_() % way_.size(), n = 0; n < way_.size(); ++n) {
      const std::size_t at = (start + n) % way_.size();
      if (way_[at].empty()) continue;
      const std::size_t to = at / 2 % box_.size();
      const std::string actions = box_[to].feed(way_[at].front());
      way_[at].pop_front();
      if (actions.find('a') != std::string::npos) send(to, false);
      return true;
    }
    return false;
  }
  std::deque<VerifiedAdvert>& way(std::size_t from, std::size_t to, Family family) {
    return way_[(from * box_.size() + to) * 2 + index_of(family)];
  }

  std::mt19937& random_;
  std::vector<SlotRig> box_;
  std::vector<std::deque<VerifiedAdvert>> way_;
  std::uint64_t sequence_ = 100;
};

// C8.5 kept
TEST(ElectionFamilies, KoiOneStaysInWhateverFamilyAndOrderTheyHear) {
  std::mt19937 random(7);
  for (int i = 0; i < static_cast<int>(50'000 / test::kStride); ++i) {
    const bool lossy = random() % 2 == 0;
    const std::size_t left = Healing(random, 2 + random() % 3).masters_left(lossy);
    ASSERT_GE(left, 1U) << i;
    if (!lossy) {
      ASSERT_EQ(left, 1U) << i;
    }
  }
}

}  // namespace
}  // namespace koi::election::election_families_test
