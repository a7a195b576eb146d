#include "controlplane/segments.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "tests/support/frame_fields.h"
#include "tests/support/lab_config.h"

namespace koi::controlplane::segments_test {
namespace {

constexpr PortIndex kPort{0};
constexpr PortIndex kOtherPort{1};
constexpr VlanId kUntagged{0};
const MacAddress kPortMac = mac_from({2, 0, 0, 0, 0, 1});
const MacAddress kPeerMac = mac_from({0x52, 0x54, 0, 0, 0, 3});

/// 192.0.2.2 and fe80::2, with a shared address of each family.
PlacePlan place(PortIndex port = kPort) {
  PlacePlan made;
  made.interface.port = port;
  made.interface.mac = kPortMac;
  made.interface.source = test::ip4("192.0.2.2");
  made.interface.link_local = test::ip6("fe80::2");
  made.listens = family_bit(Family::ipv4) | family_bit(Family::ipv6);
  made.answered = {test::ip6("fe80::2"), test::ip6("2001:db8::10")};
  return made;
}

/// All that it sends within a time, turn by turn.
std::vector<TransmitFrame> frames(Segments& segments, Instant& now, Duration time) {
  std::vector<TransmitFrame> all;
  for (const Instant end = now + time; now < end; now += 1ms) {
    for (const TransmitFrame& frame : segments.due(now)) all.push_back(frame);
  }
  return all;
}

/// IGMPv3 to 224.0.0.22 with a router alert (24 bytes of IPv4): the group is at 14 + 24 + 8 + 4.
bool joins(const TransmitFrame& frame, Ipv4Address group) {
  return !test::is_ipv6(frame) && test::ip_destination(frame) == test::ip4("224.0.0.22") &&
         test::ip4_at(frame, 50) == group;
}
/// MLDv2 to ff02::16 behind 8 bytes of hop-by-hop options: records of 20 bytes from 14 + 40 + 8 +
/// 8, the group 4 bytes into each.
bool joins(const TransmitFrame& frame, const Ipv6Address& group) {
  if (!test::is_ipv6(frame) || test::ip_destination(frame) != test::ip6("ff02::16")) return false;
  for (std::size_t at = 74; at + 16 <= frame.length; at += 20) {
    if (test::ip6_at(frame, at) == group) return true;
  }
  return false;
}
template <class Address>
bool joined(const std::vector<TransmitFrame>& sent, const Address& group) {
  return std::any_of(sent.begin(), sent.end(),
                     [&](const TransmitFrame& frame) { return joins(frame, group); });
}

// C13.6 kept, C13.7 kept, C13.9 kept
TEST(Segments, JoinsBothFamiliesWhenTheLinkComesUp) {
  Instant now{100s};
  Segments segments({place()}, 7);
  EXPECT_TRUE(segments.due(now).empty());  // not before
  segments.link(kPort, true, now);
  const auto sent = frames(segments, now, 500ms);
  EXPECT_TRUE(joined(sent, test::ip4("224.0.0.18")));
  EXPECT_TRUE(joined(sent, test::ip6("ff02::12")));
  EXPECT_TRUE(joined(sent, test::ip6("ff02::1:ff00:2")));   // fe80::2
  EXPECT_TRUE(joined(sent, test::ip6("ff02::1:ff00:10")));  // 2001:db8::10, in BACKUP too
  for (const TransmitFrame& frame : sent) {
    EXPECT_EQ(frame.kind, FrameKind::own);
    EXPECT_EQ(frame.port, kPort);
    EXPECT_EQ(test::from_mac(frame), kPortMac);
    EXPECT_GT(frame.not_after, now - 500ms);
  }
}

// Without multicast advertisements nobody needs CARP's groups; solicitations still come.
TEST(Segments, WithoutMulticastCarpsGroupsAreLeftOut) {
  Instant now{100s};
  PlacePlan unicast = place();
  unicast.listens = 0;
  Segments segments({unicast}, 7);
  segments.link(kPort, true, now);
  const auto sent = frames(segments, now, 3s);
  EXPECT_FALSE(joined(sent, test::ip4("224.0.0.18")));
  EXPECT_FALSE(joined(sent, test::ip6("ff02::12")));
  EXPECT_TRUE(joined(sent, test::ip6("ff02::1:ff00:10")));
}

TEST(Segments, EachFamilyIsListenedToByItself) {
  Instant now{100s};
  PlacePlan only6 = place();
  only6.listens = family_bit(Family::ipv6);
  Segments segments({only6}, 7);
  segments.link(kPort, true, now);
  const auto sent = frames(segments, now, 3s);
  EXPECT_FALSE(joined(sent, test::ip4("224.0.0.18")));
  EXPECT_TRUE(joined(sent, test::ip6("ff02::12")));
}

TEST(Segments, AFamilyWithoutASourceSaysNothing) {
  Instant now{100s};
  PlacePlan v4 = place();
  v4.interface.link_local = {};
  v4.answered.clear();
  Segments segments({v4}, 7);
  segments.link(kPort, true, now);
  const auto sent = frames(segments, now, 3s);
  ASSERT_FALSE(sent.empty());
  for (const TransmitFrame& frame : sent) EXPECT_FALSE(test::is_ipv6(frame));
}

// ---- what a reload takes away -------------------------------------------------------------------

/// What is left, each once: the group of every record of type 3 (RFC 3376 §4.2.12), with the VLAN.
std::string left(const std::vector<TransmitFrame>& sent) {
  std::vector<std::string> all;
  for (const TransmitFrame& frame : sent) {
    const bool tagged = test::byte_at(frame, 12) == 0x81;
    const std::size_t ip = tagged ? 18 : 14;
    const std::string vlan = tagged ? "." + std::to_string(test::byte_at(frame, 15)) : "";
    const bool six = test::byte_at(frame, ip) >> 4 == 6;
    const std::size_t message = ip + (six ? 48 : 24);
    const unsigned type = test::byte_at(frame, message);
    if (type != (six ? 143 : 0x22)) continue;
    for (std::size_t at = message + 8; at < frame.length; at += six ? 20 : 8) {
      if (test::byte_at(frame, at) != 3) continue;
      IpAddress group = test::ip4_at(frame, at + 4);
      if (six) group = test::ip6_at(frame, at + 4);
      all.push_back(group.to_string() + vlan);
    }
  }
  std::sort(all.begin(), all.end());
  std::string text;
  for (const std::string& one : all) text += one + " ";
  return text;
}

// C13.12 kept
TEST(Segments, WhatNobodyNeedsAnyMoreIsLeftTwice) {
  Instant now{100s};
  PlacePlan tagged = place();
  tagged.interface.vlan = VlanId(20);
  Segments segments({place(), tagged}, 7);
  segments.link(kPort, true, now);
  EXPECT_EQ(left(frames(segments, now, 5s)), "");
  PlacePlan fewer = place();
  fewer.answered = {test::ip6("fe80::2"), test::ip6("2001:db8::20")};
  segments.follow({fewer, tagged}, now);
  const auto sent = frames(segments, now, 500ms);
  EXPECT_EQ(left(sent), "ff02::1:ff00:10 ");
  EXPECT_TRUE(joined(sent, test::ip6("ff02::1:ff00:20")));
  EXPECT_EQ(left(frames(segments, now, 300s)), "ff02::1:ff00:10 ");
  // The VLAN goes: all of it is left there, and nothing elsewhere.
  segments.follow({fewer}, now);
  EXPECT_FALSE(segments.has_left());
  EXPECT_EQ(left(frames(segments, now, 500ms)),
            "224.0.0.18.20 ff02::12.20 ff02::1:ff00:10.20 ff02::1:ff00:2.20 ");
  EXPECT_FALSE(segments.has_left());
  EXPECT_NE(left(frames(segments, now, 1s)), "");
  EXPECT_TRUE(segments.has_left());
  // Unicast alone now: CARP's groups go.
  fewer.listens = 0;
  segments.follow({fewer}, now);
  EXPECT_EQ(left(frames(segments, now, 500ms)), "224.0.0.18 ff02::12 ");
}

TEST(Segments, WhatIsWantedAgainIsNotLeftASecondTime) {
  Instant now{100s};
  PlacePlan only4 = place();
  only4.listens = family_bit(Family::ipv4);
  Segments segments({place()}, 7);
  segments.link(kPort, true, now);
  frames(segments, now, 5s);
  segments.follow({only4}, now);
  EXPECT_EQ(left(frames(segments, now, 500ms)), "ff02::12 ");
  segments.follow({place()}, now);
  EXPECT_TRUE(segments.has_left());
  const auto sent = frames(segments, now, 5s);
  EXPECT_EQ(left(sent), "");
  EXPECT_TRUE(joined(sent, test::ip6("ff02::12")));
  // What another reload in between does not want either is not forgotten over it.
  segments.follow({only4}, now);
  frames(segments, now, 500ms);
  only4.peers = {test::ip4("192.0.2.3")};
  segments.follow({only4}, now);
  EXPECT_FALSE(segments.has_left());
  EXPECT_NE(left(frames(segments, now, 5s)), "");
}

TEST(Segments, AReloadDoesNotForgetTheQueriersVersion) {
  Instant now{100s};
  Segments segments({place()}, 7);
  segments.link(kPort, true, now);
  frames(segments, now, 5s);
  segments.on(QueryHeard{.port = kPort, .family = Family::ipv6, .older_version = true}, now);
  frames(segments, now, 1s);
  PlacePlan other = place();
  other.answered = {test::ip6("fe80::2"), test::ip6("2001:db8::20")};
  segments.follow({other}, now);
  std::vector<IpAddress> to;  // MLDv1: a Done to all routers, a report to the group itself
  for (const TransmitFrame& frame : segments.due(now)) to.push_back(test::ip_destination(frame));
  const std::vector<IpAddress> expected = {test::ip6("ff02::2"), test::ip6("ff02::12"),
                                           test::ip6("ff02::1:ff00:2"),
                                           test::ip6("ff02::1:ff00:20")};
  EXPECT_EQ(to, expected);
}

TEST(Segments, WithoutLinkNothingIsLeft) {
  Instant now{100s};
  Segments segments({place(), place(kOtherPort)}, 7);
  segments.link(kPort, true, now);
  frames(segments, now, 5s);
  segments.follow({}, now);
  segments.link(kPort, false, now);
  EXPECT_TRUE(segments.has_left());
  segments.link(kPort, true, now);
  EXPECT_EQ(left(frames(segments, now, 5s)), "");
}

// C13.12 kept
TEST(Segments, AtTheEndAllIsLeftOnce) {
  Instant now{100s};
  Segments segments({place(), place(kOtherPort)}, 7);
  segments.link(kPort, true, now);
  frames(segments, now, 5s);
  EXPECT_TRUE(segments.has_left());
  segments.end(now);
  EXPECT_FALSE(segments.has_left());
  EXPECT_EQ(left(segments.due(now)), "224.0.0.18 ff02::12 ff02::1:ff00:10 ff02::1:ff00:2 ");
  EXPECT_TRUE(segments.has_left());
  segments.end(now);
  segments.follow({place()}, now);  // of a reload that was under way
  segments.link(kOtherPort, true, now);
  EXPECT_TRUE(frames(segments, now, 100s).empty());
}

// C13.8 kept
TEST(Segments, AQueryIsAnsweredOnItsOwnSegmentInItsOwnFamily) {
  PlacePlan tagged = place();
  tagged.interface.vlan = VlanId(20);
  const std::vector<PlacePlan> places = {place(), tagged, place(kOtherPort)};
  Instant now{100s};
  Segments segments(places, 7);
  segments.link(kPort, true, now);
  segments.link(kOtherPort, true, now);
  frames(segments, now, 5s);
  segments.on(
      QueryHeard{.port = kPort, .vlan = kUntagged, .family = Family::ipv4, .max_response = 1s},
      now);
  const auto sent = frames(segments, now, 1s + 1ms);
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_TRUE(joins(sent[0], test::ip4("224.0.0.18")));
  EXPECT_EQ(sent[0].port, kPort);  // untagged: the tag would have moved the group
}

// RFC 3376 §5.2: two boxes with other seeds do not answer in the same moment.
TEST(Segments, AnswersAreSpread) {
  std::vector<Duration> delays;
  for (const std::uint32_t seed : {1U, 0x9e3779b9U, 0x3c6ef372U, 77U}) {
    Instant now{100s};
    Segments segments({place()}, seed);
    segments.link(kPort, true, now);
    frames(segments, now, 5s);
    const Instant asked = now;
    segments.on(QueryHeard{.port = kPort, .family = Family::ipv4, .max_response = 10s}, now);
    while (segments.due(now).empty()) now += 1ms;
    delays.push_back(now - asked);
  }
  std::sort(delays.begin(), delays.end());
  EXPECT_EQ(std::unique(delays.begin(), delays.end()), delays.end());
}

TEST(Segments, WhileTheLinkIsDownNothingIsSent) {
  Instant now{100s};
  PlacePlan with_peer = place();
  with_peer.peers = {test::ip4("192.0.2.3")};
  Segments segments({with_peer}, 7);
  segments.link(kPort, true, now);
  EXPECT_FALSE(frames(segments, now, 10ms).empty());
  segments.link(kPort, false, now);
  EXPECT_TRUE(frames(segments, now, 120s).empty());
  segments.link(kPort, true, now);
  EXPECT_FALSE(frames(segments, now, 10ms).empty());
}

TEST(Segments, APortsLinkIsItsOwn) {
  Instant now{100s};
  Segments segments({place(), place(kOtherPort)}, 7);
  segments.link(kOtherPort, true, now);
  for (const TransmitFrame& frame : frames(segments, now, 3s)) EXPECT_EQ(frame.port, kOtherPort);
}

// C13.5 kept
TEST(Segments, PeersAreAskedForAndRemembered) {
  Instant now{100s};
  PlacePlan with_peers = place();
  with_peers.peers = {test::ip4("192.0.2.3"), test::ip6("fe80::3")};
  Segments segments({with_peers}, 7);
  EXPECT_FALSE(segments.mac_of(kPort, kUntagged, test::ip4("192.0.2.3")));
  segments.link(kPort, true, now);
  const auto sent = frames(segments, now, 10ms);
  const auto arp = std::find_if(sent.begin(), sent.end(), test::is_arp);
  ASSERT_NE(arp, sent.end());
  EXPECT_EQ(test::arp_target(*arp), IpAddress(test::ip4("192.0.2.3")));
  segments.on(NeighborHeard{kPort, kUntagged, test::ip4("192.0.2.3"), kPeerMac}, now);
  EXPECT_EQ(segments.mac_of(kPort, kUntagged, test::ip4("192.0.2.3")), kPeerMac);
  EXPECT_FALSE(segments.mac_of(kPort, VlanId(20), test::ip4("192.0.2.3")));
  EXPECT_FALSE(segments.mac_of(kOtherPort, kUntagged, test::ip4("192.0.2.3")));
}

// ---- probes -------------------------------------------------------------------------------------

TEST(Segments, AProbeAsksEverybodyThereIsASourceFor) {
  const Instant now{100s};
  PlacePlan v4 = place(kOtherPort);
  v4.interface.link_local = {};
  Segments segments({place(), v4}, 7);
  const std::vector<IpAddress> whom = {test::ip4("192.0.2.254"), test::ip6("fe80::1")};
  const auto both = segments.probe(kPort, kUntagged, whom, now);
  ASSERT_EQ(both.size(), 2U);
  EXPECT_EQ(test::arp_target(both[0]), whom[0]);
  EXPECT_EQ(test::to_mac(both[0]), kBroadcastMac);
  EXPECT_EQ(test::nd_target(both[1]), whom[1]);
  EXPECT_EQ(test::to_mac(both[1]), mac_from({0x33, 0x33, 0xff, 0, 0, 1}));
  EXPECT_GT(both[1].not_after, now);
  EXPECT_EQ(segments.probe(kOtherPort, kUntagged, whom, now).size(), 1U);
  EXPECT_TRUE(segments.probe(kPort, VlanId(20), whom, now).empty());  // no such segment
}

TEST(Segments, AProbeIsBounded) {
  Segments segments({place()}, 7);
  const std::vector<IpAddress> many(100, test::ip4("192.0.2.254"));
  EXPECT_EQ(segments.probe(kPort, kUntagged, many, Instant{100s}).size(), Segments::kFramesPerTurn);
}

// ---- how much -----------------------------------------------------------------------------------

TEST(Segments, NoTurnSendsMoreThanItsShareAndNothingIsLost) {
  std::vector<PlacePlan> places;
  constexpr unsigned kPlaces = 100;
  for (unsigned p = 0; p < kPlaces; ++p) {
    PlacePlan one = place();
    one.interface.vlan = VlanId(static_cast<std::uint16_t>(p));
    one.peers = {test::ip4("192.0.2.3")};
    places.push_back(one);
  }
  Segments segments(places, 7);
  const Instant now{100s};
  segments.link(kPort, true, now);
  std::size_t all = 0;
  std::size_t questions = 0;
  for (;;) {
    const auto sent = segments.due(now);
    EXPECT_LE(sent.size(), Segments::kFramesPerTurn);
    if (sent.empty()) break;
    all += sent.size();
    for (const TransmitFrame& frame : sent) {
      const std::size_t at = test::byte_at(frame, 12) == 0x81 ? 16 : 12;  // 802.1Q or not
      questions += test::byte_at(frame, at) == 0x08 && test::byte_at(frame, at + 1) == 0x06;
    }
  }
  EXPECT_EQ(questions, kPlaces);
  EXPECT_EQ(all, 3 * kPlaces);  // and one report in each family
}

}  // namespace
}  // namespace koi::controlplane::segments_test
