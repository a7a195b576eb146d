#include "controlplane/announce.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "tests/support/lab_config.h"
#include "tests/unit/controlplane/frame_hex.h"

/// Frames byte for byte. The oracles are not ours: the CARP headers are the golden vectors A and C
/// of protocol.md §4, everything before them, the ARP frames and the Neighbor Advertisements were
/// built with Scapy.
namespace koi::controlplane::announce_test {
namespace {

using test::hex;
using test::ip4;
using test::ip6;

constexpr std::uint64_t kCounter = 0x0123456789abcdef;
// Ethernet and IPv4: to 01:00:5e:00:00:12 from 00:00:5e:00:01:01; 192.0.2.2 to 224.0.0.18, ToS
// 0xc0 (CS6), DF, TTL 255, protocol 112, 56 bytes in all, id as the digest begins.
constexpr std::string_view kEthernet = "01005e00001200005e000101";
constexpr std::string_view kTag = "8100c014";  // priority 6, VLAN 20
constexpr std::string_view kIpv4 = "080045c000383d2c4000ff709b54c0000202e0000012";
// fe80::2 to ff02::12, traffic class 0xc0, hop limit 255, next header 112, 36 bytes.
constexpr std::string_view kEthernet6 = "33330000001200005e000101";
constexpr std::string_view kIpv6 =
    "86dd6c000000002470ff"
    "fe800000000000000000000000000002ff020000000000000000000000000012";
constexpr std::string_view kVectorA =
    "210164070001e6a70123456789abcdef3d2cea66fce80320a8027400391063b414d100f4";
constexpr std::string_view kVectorC =
    "2101ff0700ff4aa90123456789abcdef3d2cea66fce80320a8027400391063b414d100f4";
// Scapy: to and from 02:00:00:00:00:03, 192.0.2.3, fe80::3, 2001:db8::3.
constexpr std::string_view kToPeer = "02000000000300005e000101";
constexpr std::string_view kIpv4ToPeer = "080045c000383d2c4000ff70b963c0000202c0000203";
constexpr std::string_view kIpv6ToPeer =
    "86dd6c000000002470ff"
    "fe800000000000000000000000000002fe800000000000000000000000000003";
constexpr std::string_view kIpv6ToGlobalPeer =
    "86dd6c000000002470ff"
    "20010db800000000000000000000000220010db8000000000000000000000003";
constexpr std::string_view kArpEthernet = "ffffffffffff00005e000101";
constexpr std::string_view kArp =
    "08060001080006040001"
    "00005e000101c000020a"
    "000000000000c000020a";
// Scapy: 2001:db8::10 to ff02::1, Router and Override, target link-layer option, checksum 1c0c.
constexpr std::string_view kNaEthernet = "33330000000100005e000101";
constexpr std::string_view kNa =
    "86dd6c00000000203aff"
    "20010db8000000000000000000000010ff020000000000000000000000000001"
    "88001c0ca000000020010db8000000000000000000000010020100005e000101";

std::string joined(std::initializer_list<std::string_view> parts) {
  std::string all;
  for (const std::string_view part : parts) all += part;
  return all;
}

/// vhid 1, key "secret"; signed over 192.0.2.10 alone, as the golden vectors are.
FrameMaker maker(std::uint16_t vlan = 0, std::vector<IpAddress> shared = {ip4("192.0.2.10")},
                 TrafficClass traffic = {}) {
  const std::vector<IpAddress> covered = {ip4("192.0.2.10")};
  return FrameMaker({.port = PortIndex(3),
                     .vlan = VlanId(vlan),
                     .vhid = Vhid(1),
                     .sends_from = virtual_mac(Vhid(1)),
                     .source = ip4("192.0.2.2"),
                     .source6 = ip6("fe80::2"),
                     .global_source6 = ip6("2001:db8::2"),
                     .shared = std::move(shared),
                     .traffic = traffic,
                     .pcp = 6},
                    auth::CarpAuth::prepare(test::secret("secret").bytes(), Vhid(1), covered));
}

const AdvertFields kFields{.advbase = 1, .advskew = 100, .demote = 0, .counter = kCounter};
constexpr MacAddress kPeerMac = mac_from({2, 0, 0, 0, 0, 3});

// C3.1 kept, C3.4 kept, C3.9 kept
TEST(Announce, AdvertisementIsGoldenVectorA) {
  const TransmitFrame frame = maker().advertisement(Family::ipv4, kFields);
  EXPECT_EQ(hex(frame), joined({kEthernet, kIpv4, kVectorA}));
  EXPECT_EQ(frame.length, 70);
  EXPECT_EQ(frame.kind, FrameKind::advertisement);
  EXPECT_EQ(frame.family, Family::ipv4);
  EXPECT_EQ(frame.port, PortIndex(3));
}

// C3.2 kept, C3.4 kept
TEST(Announce, AdvertisementOverIpv6) {
  const TransmitFrame frame = maker().advertisement(Family::ipv6, kFields);
  EXPECT_EQ(hex(frame), joined({kEthernet6, kIpv6, kVectorA}));
  EXPECT_EQ(frame.length, 90);
  EXPECT_EQ(frame.kind, FrameKind::advertisement);
  EXPECT_EQ(frame.family, Family::ipv6);
  EXPECT_EQ(frame.port, PortIndex(3));
}

// C14.1 kept, C14.4 kept
TEST(Announce, AdvertisementOnAVlanIsTagged) {
  EXPECT_EQ(hex(maker(20).advertisement(Family::ipv4, kFields)),
            joined({kEthernet, kTag, kIpv4, kVectorA}));
  EXPECT_EQ(hex(maker(20).advertisement(Family::ipv6, kFields)),
            joined({kEthernet6, kTag, kIpv6, kVectorA}));
}

// C9.7 kept
TEST(Announce, BowOutIsGoldenVectorC) {
  const TransmitFrame frame = maker().bow_out(Family::ipv4, 0, kCounter);
  EXPECT_EQ(hex(frame), joined({kEthernet, kIpv4, kVectorC}));
  EXPECT_EQ(frame.kind, FrameKind::bow_out);
  EXPECT_EQ(hex(maker(20).bow_out(Family::ipv4, 0, kCounter)),
            joined({kEthernet, kTag, kIpv4, kVectorC}));
  const TransmitFrame six = maker().bow_out(Family::ipv6, 0, kCounter);
  EXPECT_EQ(hex(six), joined({kEthernet6, kIpv6, kVectorC}));
  EXPECT_EQ(six.kind, FrameKind::bow_out);
  EXPECT_EQ(six.family, Family::ipv6);
}

// C2.8 kept, C5.9 kept
TEST(Announce, DemotionIsByteFourAndNotUnderTheDigest) {
  AdvertFields fields = kFields;
  fields.demote = 2;
  const TransmitFrame frame = maker().advertisement(Family::ipv4, fields);
  // Vector A with the demotion raised by 2, thus the checksum's high byte lowered by as much.
  EXPECT_EQ(hex(frame), joined({kEthernet, kIpv4, "210164070201e4a7", kVectorA.substr(16)}));
  EXPECT_EQ(maker().bow_out(Family::ipv4, 2, kCounter).bytes[38], std::byte{2});
}

// C3.4 kept, C13.2 kept
TEST(Announce, UnicastCopies) {
  const FrameMaker frames = maker();
  const IpAddress peer = ip4("192.0.2.3");
  const TransmitFrame copy = frames.advertisement_to(peer, kPeerMac, kFields);
  EXPECT_EQ(hex(copy), joined({kToPeer, kIpv4ToPeer, kVectorA}));
  EXPECT_EQ(copy.kind, FrameKind::advertisement);
  const TransmitFrame bow_out = frames.bow_out_to(peer, kPeerMac, 0, kCounter);
  EXPECT_EQ(hex(bow_out), joined({kToPeer, kIpv4ToPeer, kVectorC}));
  EXPECT_EQ(bow_out.kind, FrameKind::bow_out);
  const TransmitFrame six = frames.advertisement_to(ip6("fe80::3"), kPeerMac, kFields);
  EXPECT_EQ(hex(six), joined({kToPeer, kIpv6ToPeer, kVectorA}));
  EXPECT_EQ(six.family, Family::ipv6);
}

// C3.7 kept
TEST(Announce, UnicastCopyToAGlobalPeerComesFromAGlobalAddress) {
  EXPECT_EQ(hex(maker().advertisement_to(ip6("2001:db8::3"), kPeerMac, kFields)),
            joined({kToPeer, kIpv6ToGlobalPeer, kVectorA}));
}

TEST(Announce, UnicastCopyWithoutAMacIsEmpty) {
  const TransmitFrame copy = maker().advertisement_to(ip4("192.0.2.3"), std::nullopt, kFields);
  EXPECT_EQ(copy.length, 0);
  EXPECT_EQ(copy.kind, FrameKind::advertisement);
  EXPECT_EQ(copy.family, Family::ipv4);
  EXPECT_EQ(copy.port, PortIndex(3));
  const TransmitFrame six = maker().bow_out_to(ip6("fe80::3"), std::nullopt, 0, kCounter);
  EXPECT_EQ(six.length, 0);
  EXPECT_EQ(six.kind, FrameKind::bow_out);
  EXPECT_EQ(six.family, Family::ipv6);
}

/// protocol.md §14, key 00 01 … 1f, id 7, sequence 0x6800000080000001: Python's hmac over vector A
/// from 192.0.2.2, fe80::2 and 2001:db8::2, and over vector C.
constexpr std::string_view kTrailerHead = "010700006800000080000001";
constexpr std::string_view kMac4 = "9c7890c78a1716d4f7051e20f95234da";
constexpr std::string_view kMacBowOut = "c6528980ac09cd19ac2adae4bc6afce4";
constexpr std::string_view kMac6 = "ac7a7e43148eb8b1d600f496d015fe48";
constexpr std::string_view kMacGlobal = "35059bd169db08512c2564d29a2dc03e";
constexpr std::string_view kIpv4Longer = "080045c000543d2c4000ff709b38c0000202e0000012";
constexpr std::string_view kIpv4ToPeerLonger = "080045c000543d2c4000ff70b947c0000202c0000203";

// C19.1 kept, C19.2 kept, C19.10 kept
TEST(Announce, SignedTrailer) {
  std::vector<std::byte> key;
  for (unsigned i = 0; i < 32; ++i) key.push_back(static_cast<std::byte>(i));
  const FrameMaker frames = maker().signing({7, auth::TrailerAuth(key)});
  AdvertFields fields = kFields;
  fields.sequence = 0x6800000080000001;
  const auto longer = [](std::string_view ip) {  // 64 bytes of payload
    std::string text(ip);
    return text.replace(12, 4, "0040");
  };
  EXPECT_EQ(hex(frames.advertisement(Family::ipv4, fields)),
            joined({kEthernet, kIpv4Longer, kVectorA, kTrailerHead, kMac4}));
  EXPECT_EQ(hex(frames.advertisement(Family::ipv6, fields)),
            joined({kEthernet6, longer(kIpv6), kVectorA, kTrailerHead, kMac6}));
  EXPECT_EQ(hex(frames.advertisement_to(ip4("192.0.2.3"), kPeerMac, fields)),
            joined({kToPeer, kIpv4ToPeerLonger, kVectorA, kTrailerHead, kMac4}));
  EXPECT_EQ(hex(frames.advertisement_to(ip6("2001:db8::3"), kPeerMac, fields)),
            joined({kToPeer, longer(kIpv6ToGlobalPeer), kVectorA, kTrailerHead, kMacGlobal}));
  fields.advbase = fields.advskew = 255;
  EXPECT_EQ(hex(frames.advertisement(Family::ipv4, fields)),
            joined({kEthernet, kIpv4Longer, kVectorC, kTrailerHead, kMacBowOut}));
  EXPECT_EQ(frames.advertisement(Family::ipv4, fields).length, 98);
}

// C10.3 kept
TEST(Announce, GratuitousArp) {
  const TransmitFrame frame = maker().announcement(0);
  EXPECT_EQ(hex(frame), joined({kArpEthernet, kArp}));
  EXPECT_EQ(frame.length, 42);
  EXPECT_EQ(frame.kind, FrameKind::announcement);
  EXPECT_EQ(frame.port, PortIndex(3));
  EXPECT_EQ(hex(maker(20).announcement(0)), joined({kArpEthernet, kTag, kArp}));
}

// C10.4 kept
TEST(Announce, UnsolicitedNeighborAdvertisement) {
  const TransmitFrame frame = maker(0, {ip6("2001:db8::10")}).announcement(0);
  EXPECT_EQ(hex(frame), joined({kNaEthernet, kNa}));
  EXPECT_EQ(frame.length, 86);
  EXPECT_EQ(frame.kind, FrameKind::announcement);
  EXPECT_EQ(frame.family, Family::ipv6);
  EXPECT_EQ(hex(maker(20, {ip6("2001:db8::10")}).announcement(0)),
            joined({kNaEthernet, kTag, kNa}));
}

TEST(Announce, OneAnnouncementPerAddressInTheConfigurationsOrder) {
  const FrameMaker frames = maker(0, {ip4("192.0.2.10"), ip6("2001:db8::10"), ip4("192.0.2.9")});
  ASSERT_EQ(frames.addresses().size(), 3U);
  EXPECT_EQ(hex(frames.announcement(0)).substr(56, 8), "c000020a");
  EXPECT_EQ(hex(frames.announcement(1)), joined({kNaEthernet, kNa}));
  EXPECT_EQ(hex(frames.announcement(2)).substr(56, 8), "c0000209");
  EXPECT_EQ(hex(frames.announcement(2)).substr(76, 8), "c0000209");
}

// Scapy's headers for the other classes: ToS 0x10 and traffic class 0, 0xe0 in both.
// C3.8 kept
TEST(Announce, TrafficClassOfTheDialect) {
  using config::Dialect;
  const FrameMaker openbsd = maker(0, {}, traffic_class(Dialect::openbsd, {}));
  EXPECT_EQ(
      hex(openbsd.advertisement(Family::ipv4, kFields)),
      joined({kEthernet, "08004510", kIpv4.substr(8, 16), "9c04", kIpv4.substr(28), kVectorA}));
  EXPECT_EQ(hex(openbsd.advertisement(Family::ipv6, kFields)).substr(24, 12), "86dd60000000");
  const FrameMaker freebsd = maker(0, {}, traffic_class(Dialect::freebsd, {}));
  EXPECT_EQ(
      hex(freebsd.advertisement(Family::ipv4, kFields)),
      joined({kEthernet, "080045e0", kIpv4.substr(8, 16), "9b34", kIpv4.substr(28), kVectorA}));
  EXPECT_EQ(hex(freebsd.advertisement(Family::ipv6, kFields)).substr(24, 12), "86dd6e000000");
}

// C3.8 kept
TEST(TrafficClassOf, DialectsAndTheFilesOwn) {
  using config::Dialect;
  EXPECT_EQ(traffic_class(Dialect::koi, {}), (TrafficClass{0xc0, 0xc0}));
  EXPECT_EQ(traffic_class(Dialect::openbsd, {}), (TrafficClass{0x10, 0}));
  EXPECT_EQ(traffic_class(Dialect::ucarp, {}), (TrafficClass{0x10, 0}));
  EXPECT_EQ(traffic_class(Dialect::freebsd, {}), (TrafficClass{0xe0, 0xe0}));
  for (const Dialect d : {Dialect::koi, Dialect::openbsd, Dialect::freebsd, Dialect::ucarp}) {
    EXPECT_EQ(traffic_class(d, 46), (TrafficClass{0xb8, 0xb8}));  // EF
    EXPECT_EQ(traffic_class(d, 0), (TrafficClass{0, 0}));
  }
}

}  // namespace
}  // namespace koi::controlplane::announce_test
