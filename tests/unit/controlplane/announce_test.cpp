#include "controlplane/announce.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "tests/support/lab_config.h"

/// Frames byte for byte. The oracles are not ours: the CARP headers are the golden vectors A and C
/// of protocol.md §4, everything before them and the ARP frames were built with Scapy.
namespace koi::controlplane {
namespace {

using test::ip4;

constexpr std::uint64_t kCounter = 0x0123456789abcdef;
// Ethernet and IPv4: to 01:00:5e:00:00:12 from 00:00:5e:00:01:01; 192.0.2.2 to 224.0.0.18, ToS
// 0x10, DF, TTL 255, protocol 112, 56 bytes in all, id as the digest begins.
constexpr std::string_view kEthernet = "01005e00001200005e000101";
constexpr std::string_view kTag = "81000014";
constexpr std::string_view kIpv4 = "0800451000383d2c4000ff709c04c0000202e0000012";
constexpr std::string_view kVectorA =
    "210164070001e6a70123456789abcdef3d2cea66fce80320a8027400391063b414d100f4";
constexpr std::string_view kVectorC =
    "2101ff0700ff4aa90123456789abcdef3d2cea66fce80320a8027400391063b414d100f4";
constexpr std::string_view kArpEthernet = "ffffffffffff00005e000101";
constexpr std::string_view kArp =
    "08060001080006040001"
    "00005e000101c000020a"
    "000000000000c000020a";

std::string joined(std::initializer_list<std::string_view> parts) {
  std::string all;
  for (const std::string_view part : parts) all += part;
  return all;
}

std::string hex(const TransmitFrame& frame) {
  std::string out;
  for (std::size_t i = 0; i < frame.length; ++i) {
    constexpr char kDigits[] = "0123456789abcdef";
    const auto b = std::to_integer<unsigned>(frame.bytes[i]);
    out += kDigits[b >> 4];
    out += kDigits[b & 15];
  }
  return out;
}

FrameMaker maker(std::uint16_t vlan = 0, std::vector<Ipv4Address> shared = {ip4("192.0.2.10")}) {
  const std::vector<IpAddress> addresses(shared.begin(), shared.end());
  return FrameMaker(PortIndex(3), VlanId(vlan), Vhid(1), ip4("192.0.2.2"), shared,
                    auth::CarpAuth::prepare(test::secret("secret").bytes(), Vhid(1), addresses));
}

const AdvertFields kFields{.advbase = 1, .advskew = 100, .demote = 0, .counter = kCounter};

TEST(Announce, AdvertisementIsGoldenVectorA) {
  const TransmitFrame frame = maker().advertisement(kFields);
  EXPECT_EQ(hex(frame), joined({kEthernet, kIpv4, kVectorA}));
  EXPECT_EQ(frame.length, 70);
  EXPECT_EQ(frame.kind, FrameKind::advertisement);
  EXPECT_EQ(frame.family, Family::ipv4);
  EXPECT_EQ(frame.port, PortIndex(3));
}

TEST(Announce, AdvertisementOnAVlanIsTagged) {
  EXPECT_EQ(hex(maker(20).advertisement(kFields)), joined({kEthernet, kTag, kIpv4, kVectorA}));
}

TEST(Announce, BowOutIsGoldenVectorC) {
  const TransmitFrame frame = maker().bow_out(0, kCounter);
  EXPECT_EQ(hex(frame), joined({kEthernet, kIpv4, kVectorC}));
  EXPECT_EQ(frame.kind, FrameKind::bow_out);
  EXPECT_EQ(hex(maker(20).bow_out(0, kCounter)), joined({kEthernet, kTag, kIpv4, kVectorC}));
}

TEST(Announce, DemotionIsByteFourAndNotUnderTheDigest) {
  AdvertFields fields = kFields;
  fields.demote = 2;
  const TransmitFrame frame = maker().advertisement(fields);
  // Vector A with the demotion raised by 2, thus the checksum's high byte lowered by as much.
  EXPECT_EQ(hex(frame), joined({kEthernet, kIpv4, "210164070201e4a7", kVectorA.substr(16)}));
  EXPECT_EQ(maker().bow_out(2, kCounter).bytes[38], std::byte{2});
}

TEST(Announce, GratuitousArp) {
  const TransmitFrame frame = maker().gratuitous_arp(0);
  EXPECT_EQ(hex(frame), joined({kArpEthernet, kArp}));
  EXPECT_EQ(frame.length, 42);
  EXPECT_EQ(frame.kind, FrameKind::announcement);
  EXPECT_EQ(frame.port, PortIndex(3));
  EXPECT_EQ(hex(maker(20).gratuitous_arp(0)), joined({kArpEthernet, kTag, kArp}));
}

TEST(Announce, OneGratuitousArpPerAddressInTheConfigurationsOrder) {
  const FrameMaker frames = maker(0, {ip4("192.0.2.10"), ip4("192.0.2.9")});
  ASSERT_EQ(frames.addresses().size(), 2U);
  EXPECT_EQ(hex(frames.gratuitous_arp(0)).substr(56, 8), "c000020a");
  EXPECT_EQ(hex(frames.gratuitous_arp(1)).substr(56, 8), "c0000209");
  EXPECT_EQ(hex(frames.gratuitous_arp(1)).substr(76, 8), "c0000209");
}

}  // namespace
}  // namespace koi::controlplane
