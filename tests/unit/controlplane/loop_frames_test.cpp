#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "controlplane/loop.h"
#include "tests/support/loop_rig.h"
#include "tests/unit/controlplane/frame_hex.h"

/// Which frames the control loop sends for a group, and which it never does.
namespace koi::controlplane::loop_frames_test {
namespace {

using test::hex;
using test::LoopRig;

/// What was sent for a slot: a letter and the family of each frame, a (advertisement), o (bow-out),
/// g (announcement).
std::string sent(const std::vector<TransmitFrame>& frames, SlotIndex slot) {
  std::string log;
  for (const TransmitFrame& frame : frames) {
    if (frame.slot != slot) continue;
    const char kind = frame.kind == FrameKind::advertisement ? 'a'
                      : frame.kind == FrameKind::bow_out     ? 'o'
                                                             : 'g';
    log += std::string(1, kind) + (frame.family == Family::ipv4 ? "4 " : "6 ");
  }
  return log;
}

/// Promotes every slot by its master-down timer and returns what they sent at once.
std::vector<TransmitFrame> rise(LoopRig& rig) {
  rig.become_backup();
  rig.clock.advance(4s);
  rig.listen();
  rig.turn_after(1us);
  return rig.adopt(0);
}

/// A lease in both families for the next `length`.
void grant(LoopRig& rig, SlotIndex slot, Duration length) {
  for (auto& deadline : rig.board->slot(slot).deadline) {
    deadline.store(Stamp(rig.term(slot), rig.clock.time + length).word());
  }
}

// C3.10 kept, C9.7 kept
TEST(LoopFrames, OneAdvertisementInEachFamilyOfTheGroup) {
  const std::vector<IpAddress> four = {test::ip4("192.0.2.10"), test::ip4("192.0.2.11")};
  const std::vector<IpAddress> six = {test::ip6("2001:db8::10"), test::ip6("2001:db8::11")};
  const auto at_once_and_at_the_end = [](std::vector<IpAddress> addresses) {
    config::Config config = test::lan_box(2);
    config.groups[0].addresses = std::move(addresses);
    config.groups[0].announce_refresh = 0s;
    LoopRig rig(config);
    std::string log = sent(rise(rig), LoopRig::kSlot);
    grant(rig, LoopRig::kSlot, 2850ms);
    rig.turn_after(1001ms);
    log += "| " + sent(rig.adopt(0), LoopRig::kSlot);
    rig.command(ShutDown{});
    rig.turn();
    rig.adopt(0);
    rig.turn();
    return log + "| " + sent(rig.adopt(0), LoopRig::kSlot);
  };
  EXPECT_EQ(at_once_and_at_the_end(four), "a4 g4 g4 | a4 | o4 ");
  EXPECT_EQ(at_once_and_at_the_end(six), "a6 g6 g6 | a6 | o6 ");
  EXPECT_EQ(at_once_and_at_the_end({six[0], four[0]}), "a4 a6 g6 g4 | a4 a6 | o4 o6 ");
}

// Beside it, a group that is not balanced announces each time: when it rises, after two more
// advertisements, when a worse MASTER is heard, when somebody claims its address, at its refresh.
// C10.8 kept, C10.8 refused
TEST(LoopFrames, ABalancedGroupIsNeverAnnounced) {
  config::Config config = test::lan_box(2);
  config.groups[0].balance.emplace();
  config.groups[0].balance->members = {{Vhid(9), 0}};
  config.groups.push_back(test::lan_group());
  config.groups[1].addresses = {test::ip4("192.0.2.20")};
  for (config::Group& group : config.groups) group.announce_refresh = 10s;
  LoopRig rig(config);
  const SlotIndex balanced(0);
  const SlotIndex alone(1);
  std::vector<TransmitFrame> frames = rise(rig);
  EXPECT_EQ(sent(frames, balanced), "a4 ");
  EXPECT_EQ(sent(frames, alone), "a4 g4 ");
  for (int second = 0; second < 12; ++second) {
    for (const SlotIndex slot : {balanced, alone}) grant(rig, slot, 2850ms);
    if (second == 5) {
      for (const SlotIndex slot : {balanced, alone}) {
        VerifiedAdvert worse = rig.advert(1, 200);
        worse.slot = slot;
        rig.hear(worse);
        rig.up[0].try_send(Conflict{.slot = slot, .kind = ConflictKind::address_claim});
      }
    }
    rig.turn_after(1001ms);
    for (const TransmitFrame& frame : rig.adopt(0)) frames.push_back(frame);
  }
  ASSERT_NE(rig.term(balanced), 0U);
  EXPECT_EQ(sent(frames, balanced).find('g'), std::string::npos) << sent(frames, balanced);
  const std::string log = sent(frames, alone);
  EXPECT_GE(std::count(log.begin(), log.end(), 'g'), 5) << log;
}

// C13.7 kept, C13.9 kept
TEST(LoopFrames, ABackupJoinsItsGroupsFromThePortsOwnMac) {
  config::Config config = test::lan_box(2);
  config.groups[0].addresses.push_back(test::ip6("2001:db8::10"));
  LoopRig rig(config);
  rig.become_backup();
  EXPECT_EQ(rig.term(), 0U);
  ASSERT_EQ(rig.own_frames.size(), 2U);
  // To 224.0.0.22 and ff02::16 from the port's MAC; the derived address's group and the shared
  // one's.
  const std::string igmp = hex(rig.own_frames[0]);
  EXPECT_EQ(igmp.substr(0, 24), "01005e000016020000000001");
  EXPECT_TRUE(igmp.ends_with("e0000012")) << igmp;
  const std::string mld = hex(rig.own_frames[1]);
  EXPECT_EQ(mld.substr(0, 24), "333300000016020000000001");
  for (const char* group : {"ff020000000000000000000000000012", "ff0200000000000000000001ff000001",
                            "ff0200000000000000000001ff000010"}) {
    EXPECT_NE(mld.find(group), std::string::npos) << group << " in " << mld;
  }
}

}  // namespace
}  // namespace koi::controlplane::loop_frames_test
