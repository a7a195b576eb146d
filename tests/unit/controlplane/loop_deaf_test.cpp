#include <gtest/gtest.h>

#include "controlplane/loop.h"
#include "tests/support/frame_fields.h"
#include "tests/support/loop_rig.h"

/// A BACKUP whose port hears nothing at all asks around before it takes over (CARP.md, Deaf box).
namespace koi::controlplane::loop_deaf_test {
namespace {

using election::Cause;
using election::Notice;
using test::LoopRig;

constexpr Duration kTurn = 200us;
constexpr Duration kProbe = 100ms;  // min(send interval, 100 ms), advbase 1

/// With a unicast peer 192.0.2.3 and a tracked gateway 192.0.2.254.
config::Config deaf_box(bool takeover = true) {
  config::Config config = test::lan_box(2);
  config.groups[0].takeover_when_deaf = takeover;
  config.groups[0].peers = {test::ip4("192.0.2.3")};
  config::Track track;
  track.kind = config::Track::Kind::ping;
  track.address = test::ip4("192.0.2.254");
  config.groups[0].track = {track};
  return config;
}

struct DeafRig : LoopRig {
  explicit DeafRig(const config::Config& config) : LoopRig(config, 1, 1, 1'000'000'000, true) {}

  /// The worker counts what it receives before control hears of it.
  void hear_counted(const VerifiedAdvert& ad) {
    receive_frame();
    hear(ad);
  }
  void run(Duration time) {
    for (const Instant end = clock.time + time; clock.time < end;) {
      listen();
      turn_after(kTurn);
      grant_all(2850ms);
      adopt(0);
    }
  }
  /// The MASTER is heard for the last time, and nobody else ever again. Returns when the box asks
  /// around, which is 1 ms ahead; the takeover is due kProbe later.
  Instant fall_silent() {
    become_backup();
    for (int i = 0; i < 3; ++i) {
      hear_counted(advert(1, 0));
      turn();
      last = clock.time;
      run(1s);
    }
    const Instant due = last + parameters.master_down() - kProbe;
    run(due - clock.time - 1ms);
    forget();
    own_frames.clear();
    return due;
  }
  /// Whom ARP requests ask for.
  std::vector<IpAddress> asked() {
    std::vector<IpAddress> all;
    for (const TransmitFrame& frame : own_frames) {
      if (test::is_arp(frame)) all.push_back(test::arp_target(frame));
    }
    return all;
  }
  Instant last{};
};

bool contains(const std::vector<IpAddress>& all, const char* address) {
  return std::find(all.begin(), all.end(), IpAddress(test::ip4(address))) != all.end();
}

// C17.1 kept
TEST(LoopDeaf, ADeafBoxAsksItsPeersWhatItTracksAndTheLastMaster) {
  DeafRig rig(deaf_box());
  rig.fall_silent();
  rig.run(1500us);
  EXPECT_EQ(rig.term(), 0U);
  const auto asked = rig.asked();
  EXPECT_TRUE(contains(asked, "192.0.2.3"));
  EXPECT_TRUE(contains(asked, "192.0.2.254"));
  EXPECT_TRUE(contains(asked, "192.0.2.1"));  // the last master
  for (const TransmitFrame& frame : rig.own_frames) {
    EXPECT_EQ(frame.kind, FrameKind::own);
    EXPECT_EQ(test::from_mac(frame), mac_from({2, 0, 0, 0, 0, 1}));
    EXPECT_EQ(test::to_mac(frame), kBroadcastMac);
    EXPECT_GT(frame.not_after, rig.clock.time);
    EXPECT_EQ(frame.term, Term{});
  }
}

// C17.1 refused
TEST(LoopDeaf, NobodyTakesOverBeforeItHasProbed) {
  DeafRig rig(deaf_box());
  const Instant due = rig.fall_silent();
  rig.run(due + kProbe - rig.clock.time - kTurn);
  EXPECT_EQ(rig.term(), 0U);
  EXPECT_TRUE(rig.changes().empty());
}

// C17.2 kept
TEST(LoopDeaf, AFrameHeardMeanwhileMakesItAnOrdinaryTakeover) {
  DeafRig rig(deaf_box(false));
  rig.fall_silent();
  rig.run(50ms);
  rig.receive_frame();  // the gateway's answer
  rig.run(kProbe);
  const auto changes = rig.changes();
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].cause, Cause::master_down);
  EXPECT_NE(rig.term(), 0U);
}

// C17.3 kept
TEST(LoopDeaf, StillDeafItTakesOverByDefault) {
  DeafRig rig(deaf_box());
  const Instant due = rig.fall_silent();
  rig.run(kProbe + 3ms);
  const auto changes = rig.changes();
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].cause, Cause::deaf);
  EXPECT_GE(changes[0].at, due + kProbe);
  EXPECT_LE(changes[0].at, due + kProbe + 5 * kTurn);
}

// C17.3 refused
TEST(LoopDeaf, WithoutTakeoverWhenDeafItStaysAndWaitsAndSaysSo) {
  DeafRig rig(deaf_box(false));
  rig.fall_silent();
  // Something else was the last that a notice could have been about.
  Conflict other;
  other.kind = ConflictKind::vrrp;
  other.source = test::ip4("192.0.2.99");
  rig.up[0].try_send(other);
  rig.turn();
  rig.reports.take<NoticeRaised>();
  rig.run(kProbe + 3ms);
  EXPECT_EQ(rig.term(), 0U);
  const auto notices = rig.reports.take<NoticeRaised>();
  ASSERT_EQ(notices.size(), 1U);
  EXPECT_EQ(notices[0].notice, Notice::deaf);
  EXPECT_EQ(notices[0].source, IpAddress(test::ip4("192.0.2.1")));  // whose silence it is
  rig.own_frames.clear();
  rig.run(rig.parameters.master_down() - 10ms);
  EXPECT_TRUE(rig.reports.take<NoticeRaised>().empty());
  rig.run(kProbe + 20ms);
  EXPECT_EQ(rig.reports.take<NoticeRaised>().size(), 1U);
  EXPECT_FALSE(rig.asked().empty());
  EXPECT_EQ(rig.term(), 0U);
}

// C17.1 kept
TEST(LoopDeaf, WhoHearsAnythingIsNotDeaf) {
  DeafRig rig(deaf_box());
  const Instant due = rig.fall_silent();
  rig.run(kProbe);
  rig.receive_frame();  // 1 ms before: some client
  rig.run(2ms);
  const auto changes = rig.changes();
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].cause, Cause::master_down);
  EXPECT_LE(changes[0].at, due + kProbe + 3 * kTurn);
}

// With advbase 0 the master-down time is short, and the frames are close.
TEST(LoopDeaf, TheLastFrameOfAFastMasterDoesNotHideDeafness) {
  config::Config config = deaf_box();
  config.groups[0].advbase = 0;
  config.groups[0].lowest_advskew = 0;
  config.groups[0].advskew = 1;
  DeafRig rig(config);
  rig.become_backup();
  for (int i = 0; i < 50; ++i) {
    rig.hear_counted(rig.advert(0, 0));
    rig.run(3800us);
  }
  rig.changes();
  rig.run(10ms);
  rig.own_frames.clear();
  rig.run(20ms);
  const auto changes = rig.changes();
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].cause, Cause::deaf);
}

TEST(LoopDeaf, APortThatHearsDoesNotHelpAnother) {
  config::Config config = test::two_port_box(2);
  DeafRig rig(config);
  rig.become_backup();
  for (int i = 0; i < 30; ++i) {
    rig.receive_frame(PortIndex(1));
    rig.run(105ms);
  }
  const auto changes = rig.changes();
  ASSERT_EQ(changes.size(), 2U);
  for (const RoleChange& change : changes) {
    EXPECT_EQ(change.cause, change.slot == SlotIndex(1) ? Cause::master_down : Cause::deaf);
  }
  EXPECT_NE(changes[0].slot, changes[1].slot);
}

}  // namespace
}  // namespace koi::controlplane::loop_deaf_test
