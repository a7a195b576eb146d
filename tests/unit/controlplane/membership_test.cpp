#include "controlplane/membership.h"

#include <string>

#include <gtest/gtest.h>

#include "controlplane/membership_frames.h"
#include "tests/support/lab_config.h"
#include "tests/unit/controlplane/frame_hex.h"

/// The reports byte for byte as Scapy builds them, and when they are sent.
namespace koi::controlplane::membership_test {
namespace {

using test::hex;
using test::ip4;
using test::ip6;
using wire::GroupRecord;

constexpr Instant kStart{1000s};

Interface interface(std::uint16_t vlan = 0) {
  return {.port = PortIndex(3),
          .vlan = VlanId(vlan),
          .mac = mac_from({2, 0, 0, 0, 0, 0x10}),
          .source = ip4("192.0.2.2"),
          .link_local = ip6("fe80::2"),
          .traffic = {}};
}

constexpr auto kIgmpCurrent =
    "01005e000016020000000010080046c0002800004000010241f7c0000202e000001694040000"
    "2200fbeb0000000102000000e0000012";
constexpr auto kIgmpChange =
    "01005e000016020000000010080046c0002800004000010241f7c0000202e000001694040000"
    "2200f9eb0000000104000000e0000012";
constexpr auto kIgmpOld =
    "01005e000012020000000010080046c000200000400001024203c0000202e000001294040000"
    "160009ede0000012";
constexpr auto kIgmpLeave =
    "01005e000016020000000010080046c0002800004000010241f7c0000202e000001694040000"
    "2200faeb0000000103000000e0000012";
constexpr auto kIgmpOldLeave =
    "01005e000002020000000010080046c000200000400001024213c0000202e000000294040000"
    "170008ede0000012";
constexpr auto kMldCurrent =
    "33330000001602000000001086dd6c00000000380001"
    "fe800000000000000000000000000002ff0200000000000000000000000000163a00050200000100"
    "8f0071cd0000000202000000ff02000000000000000000000000001202000000"
    "ff0200000000000000000001ff000010";
constexpr auto kMldChange =
    "33330000001602000000001086dd6c00000000380001"
    "fe800000000000000000000000000002ff0200000000000000000000000000163a00050200000100"
    "8f006dcd0000000204000000ff02000000000000000000000000001204000000"
    "ff0200000000000000000001ff000010";
constexpr auto kMldLeave =
    "33330000001602000000001086dd6c00000000380001"
    "fe800000000000000000000000000002ff0200000000000000000000000000163a00050200000100"
    "8f006fcd0000000203000000ff02000000000000000000000000001203000000"
    "ff0200000000000000000001ff000010";
constexpr auto kMldTagged =
    "3333000000160200000000108100c01486dd6c00000000240001"
    "fe800000000000000000000000000002ff0200000000000000000000000000163a00050200000100"
    "8f006ff70000000104000000ff020000000000000000000000000012";
constexpr auto kMldOld =
    "33330000001202000000001086dd6c00000000200001"
    "fe800000000000000000000000000002ff0200000000000000000000000000123a00050200000100"
    "8300800000000000ff020000000000000000000000000012";

constexpr auto kMldDone =
    "33330000000202000000001086dd6c00000000200001"
    "fe800000000000000000000000000002ff0200000000000000000000000000023a00050200000100"
    "84007f1000000000ff020000000000000000000000000012";

// C13.6 kept, C13.9 kept
TEST(MembershipFrames, Igmp) {
  const TransmitFrame frame = igmp_v3_report(interface(), GroupRecord::current, ip4("224.0.0.18"));
  EXPECT_EQ(hex(frame), kIgmpCurrent);
  EXPECT_EQ(frame.kind, FrameKind::own);
  EXPECT_EQ(frame.family, Family::ipv4);
  EXPECT_EQ(frame.port, PortIndex(3));
  EXPECT_EQ(hex(igmp_v3_report(interface(), GroupRecord::change, ip4("224.0.0.18"))), kIgmpChange);
  EXPECT_EQ(hex(igmp_v2_report(interface(), ip4("224.0.0.18"))), kIgmpOld);
}

// C13.12 kept, C13.9 kept
TEST(MembershipFrames, Leaving) {
  EXPECT_EQ(hex(igmp_v3_report(interface(), GroupRecord::leave, ip4("224.0.0.18"))), kIgmpLeave);
  EXPECT_EQ(hex(igmp_v2_leave(interface(), ip4("224.0.0.18"))), kIgmpOldLeave);
  const std::vector<Ipv6Address> groups = {ip6("ff02::12"), ip6("ff02::1:ff00:10")};
  EXPECT_EQ(hex(mld_v2_report(interface(), GroupRecord::leave, groups)), kMldLeave);
  const TransmitFrame done = mld_v1_done(interface(), groups[0]);
  EXPECT_EQ(hex(done), kMldDone);
  EXPECT_EQ(done.kind, FrameKind::own);
}

// C13.7 kept, C13.9 kept
TEST(MembershipFrames, Mld) {
  const std::vector<Ipv6Address> groups = {ip6("ff02::12"), ip6("ff02::1:ff00:10")};
  const TransmitFrame frame = mld_v2_report(interface(), GroupRecord::current, groups);
  EXPECT_EQ(hex(frame), kMldCurrent);
  EXPECT_EQ(frame.kind, FrameKind::own);
  EXPECT_EQ(frame.family, Family::ipv6);
  EXPECT_EQ(frame.port, PortIndex(3));
  EXPECT_EQ(hex(mld_v2_report(interface(), GroupRecord::change, groups)), kMldChange);
  EXPECT_EQ(hex(mld_v2_report(interface(20), GroupRecord::change, std::span(groups).first(1))),
            kMldTagged);
  EXPECT_EQ(hex(mld_v1_report(interface(), groups[0])), kMldOld);
}

// C13.7 kept
TEST(MembershipGroups, SolicitedNodeGroupsOnce) {
  EXPECT_EQ(groups_to_join(Family::ipv4, {}), std::vector<IpAddress>{ip4("224.0.0.18")});
  const std::vector<Ipv6Address> addresses = {ip6("fe80::12:3456"), ip6("2001:db8::10"),
                                              ip6("2001:db8::12:3456")};
  const std::vector<IpAddress> expected = {ip6("ff02::12"), ip6("ff02::1:ff00:10"),
                                           ip6("ff02::1:ff12:3456")};
  EXPECT_EQ(groups_to_join(Family::ipv6, addresses), expected);
}

Membership igmp() {
  return Membership(interface(), Family::ipv4, groups_to_join(Family::ipv4, {}));
}

QueryHeard query(Duration max_response, bool older = false, IpAddress group = {}) {
  return {.port = PortIndex(3),
          .vlan = VlanId(0),
          .family = Family::ipv4,
          .older_version = older,
          .group = group,
          .max_response = max_response};
}

/// Runs due() every 100 ms and writes down when it reported (seconds since kStart) and what: of
/// version 3 current (=), changed (+) or left (-), of version 2 joined (2) or left (x).
std::string reports(Membership& membership, Instant from, Duration for_how_long) {
  std::string log;
  for (Instant now = from; now < from + for_how_long; now += 100ms) {
    const bool said = membership.next_deadline() <= now;
    const auto frames = membership.due(now, 64);
    EXPECT_EQ(said, !frames.empty());
    for (const TransmitFrame& frame : frames) {
      EXPECT_EQ(frame.not_after, now + 1s);
      const auto tenths = (now - kStart) / 100ms;
      log += std::to_string(tenths / 10) + "." + std::to_string(tenths % 10);
      const std::string bytes = hex(frame);
      log += bytes == kIgmpCurrent    ? "= "
             : bytes == kIgmpChange   ? "+ "
             : bytes == kIgmpLeave    ? "- "
             : bytes == kIgmpOldLeave ? "x "
                                      : "2 ";
    }
  }
  return log;
}

// C13.8 kept
TEST(Membership, JoinsTwiceThenEveryMinute) {
  Membership m = igmp();
  EXPECT_EQ(reports(m, kStart - 10s, 10s), "");
  m.link_up(kStart);
  EXPECT_EQ(reports(m, kStart, 130s), "0.0+ 1.0+ 61.0= 121.0= ");
  m.link_down();
  EXPECT_EQ(m.next_deadline(), Instant::max());
  m.on_query(query(1s), kStart + 130s, 0);
  EXPECT_EQ(reports(m, kStart + 130s, 100s), "");
  m.link_up(kStart + 230s);
  EXPECT_EQ(reports(m, kStart + 230s, 5s), "230.0+ 231.0+ ");
}

// C13.8 kept
TEST(Membership, AnswersAQueryWithinItsTime) {
  for (const std::uint32_t random : {0U, 0x8000U, 0xffffU, 0xffff0000U}) {
    Membership m = igmp();
    m.link_up(kStart);
    EXPECT_EQ(reports(m, kStart, 10s), "0.0+ 1.0+ ");
    m.on_query(query(8s), kStart + 10s, random);
    const Duration delay = m.next_deadline() - (kStart + 10s);
    EXPECT_GE(delay, 0s);
    EXPECT_LT(delay, 8s);
    if (random == 0x8000U) {
      EXPECT_EQ(delay, 4s);
      EXPECT_EQ(reports(m, kStart + 10s, 70s), "14.0= 74.0= ");
    }
    if (random == 0xffff0000U) {
      EXPECT_EQ(delay, 0s);
    }
  }
}

TEST(Membership, AnEarlierAnswerWillDo) {
  Membership m = igmp();
  m.link_up(kStart);
  reports(m, kStart, 10s);
  m.on_query(query(4s), kStart + 10s, 0x8000);
  m.on_query(query(10s), kStart + 11s, 0x8000);
  EXPECT_EQ(m.next_deadline(), kStart + 12s);
  m.on_query(query(3600s), kStart + 11s, 0);
  EXPECT_EQ(m.next_deadline(), kStart + 11s);
  reports(m, kStart + 11s, 100ms);
  m.on_query(query(3600s), kStart + 12s, 0xffff);  // RFC 3376 allows 53 minutes: not to us
  EXPECT_LE(m.next_deadline(), kStart + 22s);
}

TEST(Membership, OtherGroupsAreNotAnswered) {
  Membership m = igmp();
  m.link_up(kStart);
  reports(m, kStart, 10s);
  const Instant before = m.next_deadline();
  m.on_query(query(1s, false, ip4("224.0.0.19")), kStart + 10s, 0);
  EXPECT_EQ(m.next_deadline(), before);
  m.on_query(query(1s, false, ip4("224.0.0.18")), kStart + 10s, 0);
  EXPECT_EQ(reports(m, kStart + 10s, 1s), "10.0= ");
}

// C13.8 kept
TEST(Membership, AnOlderQuerierIsSpokenToInItsVersion) {
  Membership m = igmp();
  m.link_up(kStart);
  reports(m, kStart, 10s);
  m.on_query(query(0s, true), kStart + 10s, 0);
  EXPECT_EQ(reports(m, kStart + 10s, 450s),
            "10.0"
            "2 70.0"
            "2 130.0"
            "2 190.0"
            "2 250.0"
            "2 310.0"
            "2 370.0"
            "2 430.0= ");
}

// C13.12 kept
TEST(Membership, LeavesAsOftenAsToldAndIsOver) {
  Membership m = igmp();
  m.link_up(kStart);
  reports(m, kStart, 10s);
  Membership left = m.leaving(nullptr, kStart + 10s, 2);
  EXPECT_FALSE(left.is_over());
  EXPECT_EQ(reports(left, kStart + 10s, 500ms), "10.0- ");
  left.on_query(query(0s), kStart + 10500ms, 0);  // by then another one may want it
  EXPECT_EQ(reports(left, kStart + 10500ms, 200s), "11.0- ");
  EXPECT_TRUE(left.is_over());
  Membership once = m.leaving(nullptr, kStart + 10s, 1);
  EXPECT_EQ(reports(once, kStart + 10s, 200s), "10.0- ");
  EXPECT_TRUE(once.is_over());
  // An older querier's version goes on, in what is left and in what comes in its place.
  m.on_query(query(0s, true), kStart + 10s, 0);
  Membership old = m.leaving(nullptr, kStart + 11s, 2);
  EXPECT_EQ(reports(old, kStart + 11s, 5s), "11.0x 12.0x ");
  Membership next = igmp();
  next.follow(m);
  next.link_up(kStart + 11s);
  EXPECT_EQ(reports(next, kStart + 11s, 1s),
            "11.0"
            "2 ");
}

// C13.12 kept
TEST(Membership, WhatIsKeptIsNotLeft) {
  const auto mld = [](std::vector<Ipv6Address> addresses) {
    return Membership(interface(), Family::ipv6, groups_to_join(Family::ipv6, addresses));
  };
  const Membership before = mld({ip6("2001:db8::10"), ip6("2001:db8::20"), ip6("fe80::2")});
  const Membership fewer = mld({ip6("fe80::2"), ip6("2001:db8:1::20")});  // shares ::20's group
  Membership left = before.leaving(&fewer, kStart, 1);
  const auto frames = left.due(kStart, 64);
  ASSERT_EQ(frames.size(), 1U);
  const std::vector<Ipv6Address> gone = {ip6("ff02::1:ff00:10")};
  EXPECT_EQ(hex(frames[0]), hex(mld_v2_report(interface(), GroupRecord::leave, gone)));
  EXPECT_TRUE(before.leaving(&before, kStart, 2).is_over());
}

TEST(Membership, ManyGroupsInFramesOfNine) {
  std::vector<Ipv6Address> addresses;
  for (unsigned i = 0; i < 4080; ++i) {
    Ipv6Address a = ip6("2001:db8::");
    a.bytes[14] = static_cast<std::byte>(i >> 8);
    a.bytes[15] = static_cast<std::byte>(i & 0xff);
    addresses.push_back(a);
  }
  Membership m(interface(20), Family::ipv6, groups_to_join(Family::ipv6, addresses));
  m.link_up(kStart);
  std::size_t frames = 0;
  std::size_t groups = 0;
  for (int call = 0; call < 100; ++call) {
    for (const TransmitFrame& frame : m.due(kStart, 16)) {
      EXPECT_LE(frame.length, TransmitFrame::kMaxBytes);
      groups += std::to_integer<unsigned>(frame.bytes[18 + 40 + 8 + 7]);
      ++frames;
    }
    if (m.next_deadline() > kStart) break;
    EXPECT_EQ(frames, 16U * static_cast<unsigned>(call + 1));  // never more at once than told
  }
  EXPECT_EQ(groups, 4081U);
  EXPECT_EQ(frames, 454U);
  EXPECT_EQ(m.next_deadline(), kStart + 1s);
  // A version 1 querier hears of one group a frame.
  QueryHeard old = query(0s, true, Ipv6Address{});
  old.family = Family::ipv6;
  m.on_query(old, kStart, 0);
  EXPECT_EQ(m.due(kStart, 5000).size(), 4081U);
}

}  // namespace
}  // namespace koi::controlplane::membership_test
