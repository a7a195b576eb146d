// Hellos where a worker receives them: CARP.md §21.
#include <algorithm>

#include <gtest/gtest.h>

#include "tests/support/world.h"

namespace koi::dataplane::hello_receiver_test {
namespace {

using namespace test;  // NOLINT: the whole file is about its frames

const std::string kTrailerKey(32, 'k');
const std::string kNewKey(64, 'n');
const Ip kFromPeer{.ttl = 255, .protocol = 17, .source = kPeerIp};
const Signature kGood{.sequence = 77, .kind = 0xc3};

/// Vhid 1 with a trailer, vhid 5 with two members, vhid 9 without trailer; VLAN 20: vhid 7.
TopologyBuilder builder() {
  return TopologyBuilder()
      .port(kPortMac)
      .own(PortIndex(0), VlanId(0), kOwnIp)
      .own(PortIndex(0), kVlan, kTaggedOwnIp)
      .own6(PortIndex(0), VlanId(0), kOwnLinkLocal)
      .group({.addresses = {kSharedIp},
              .addresses6 = {kSharedIp6},
              .families = kBothFamilies,
              .trailer = TrailerRule::verified,
              .trailer_keys = {{1, kTrailerKey}, {2, kNewKey}}})
      .balanced({.addresses = {ipv4(192, 0, 2, 50)},
                 .trailer = TrailerRule::required,
                 .trailer_keys = {{1, kTrailerKey}}},
                {5, 6}, balance::Balancer::freebsd(2))
      .group({.vhid = Vhid(9), .addresses = {kForeignSharedIp}})
      .group({.vlan = kVlan,
              .vhid = Vhid(7),
              .addresses = {kTaggedSharedIp},
              .trailer = TrailerRule::required,
              .trailer_keys = {{1, kTrailerKey}}})
      .hellos();
}

class HelloReceiver : public ::testing::Test {
 protected:
  std::vector<HelloHeard> heard() const {
    std::vector<HelloHeard> all;
    for (const UpMessage& message : world.up.messages) {
      if (const auto* hello = std::get_if<HelloHeard>(&message)) all.push_back(*hello);
    }
    return all;
  }
  std::string hear(const Bytes& message, const Signature& signature = kGood) {
    return world.verdict_on(hello_frame(kFromPeer, message, signature));
  }
  static Bytes with(std::size_t at, std::uint8_t value) {
    Bytes message = hello_message();
    message[at] = std::byte{value};
    return message;
  }
  World world{builder().build()};
};

// C21.5 kept, C21.11 kept
TEST_F(HelloReceiver, OneThatIsRightGoesUp) {
  EXPECT_EQ(hear(with(14, 3)), "taken");
  ASSERT_EQ(heard().size(), 1U);
  const HelloHeard hello = heard()[0];
  EXPECT_EQ(hello.slot, SlotIndex(0));
  EXPECT_EQ(hello.node, kPeerNode);
  EXPECT_EQ(hello.demotion, 3);
  EXPECT_EQ(hello.masters, 0U);
  EXPECT_EQ(hello.backups, 1U);
  EXPECT_EQ(hello.sequence, 77U);
  EXPECT_EQ(hello.key_id, 1);
  EXPECT_EQ(hello.source, IpAddress(kPeerIp));
  EXPECT_EQ(hello.source_mac, kUnicastPeerMac);
  EXPECT_EQ(hello.differs, 0);
  EXPECT_EQ(wire::to_string(hello.version), "1.2");
  Signature second = kGood;
  second.key = kNewKey;
  second.key_id = 2;
  EXPECT_EQ(hear(hello_message(), second), "taken");
}

// C21.13 kept
TEST_F(HelloReceiver, WhatDiffersIsNamed) {
  EXPECT_EQ(hear(with(24, 1)), "taken");
  EXPECT_EQ(hear(with(11, 2)), "taken");
  EXPECT_EQ(hear(with(9, 11)), "taken");  // our own node-id
  ASSERT_EQ(heard().size(), 3U);
  EXPECT_EQ(heard()[0].differs, wire::mismatch_bit(wire::Mismatch::addresses));
  EXPECT_EQ(heard()[1].differs, wire::mismatch_bit(wire::Mismatch::advbase));
  EXPECT_EQ(heard()[2].differs, wire::mismatch_bit(wire::Mismatch::node_id));
}

// C21.1 refused, C21.5 refused, C21.7 refused, C21.11 refused
TEST_F(HelloReceiver, ForgeriesStayHere) {
  Signature other = kGood;
  other.key = std::string(32, 'x');
  EXPECT_EQ(hear(hello_message(), other), "hello_mac");
  Signature of_an_advertisement = kGood;
  of_an_advertisement.kind = 0xc2;
  EXPECT_EQ(hear(hello_message(), of_an_advertisement), "hello_mac");
  other = kGood;
  other.key_id = 3;
  EXPECT_EQ(hear(hello_message(), other), "hello_key");
  other = kGood;
  other.scheme = 2;
  EXPECT_EQ(hear(hello_message(), other), "hello_format");
  EXPECT_EQ(hear(with(4, 2)), "hello_format");
  EXPECT_EQ(hear(hello_message(9)), "hello_vhid");  // has no trailer
  EXPECT_EQ(hear(hello_message(6)), "hello_vhid");  // not the first member
  EXPECT_EQ(hear(hello_message(7)), "hello_vhid");  // on another VLAN
  Ip far = kFromPeer;
  far.ttl = 254;
  EXPECT_EQ(world.verdict_on(hello_frame(far, hello_message(), kGood)), "hello_ttl");
  // The same bytes from another address.
  Bytes moved = hello_frame(kFromPeer, hello_message(), kGood);
  moved[29] = std::byte{99};
  set_checksum(moved, 24, 34);
  EXPECT_EQ(world.verdict_on(moved), "ipv4_checksum");
  EXPECT_TRUE(world.up.messages.empty());
}

// C21.5 refused
TEST_F(HelloReceiver, EachBitOfItIsSigned) {
  const Bytes good = hello_frame(kFromPeer, hello_message(), kGood);
  constexpr std::size_t kData = 14 + 20 + 8;
  ASSERT_EQ(good.size(), kData + 64 + 28);
  for (std::size_t at = kData; at < good.size(); ++at) {
    Bytes forged = good;
    forged[at] ^= std::byte{0x10};
    world.poll(10ms);
    EXPECT_NE(world.verdict_on(forged), "taken") << at - kData;
  }
  EXPECT_TRUE(world.up.messages.empty());
}

// C21.4 kept, C21.11 refused
TEST_F(HelloReceiver, Lengths) {
  for (std::size_t n = 0; n <= 140; ++n) {
    world.poll(10ms);
    Bytes message = hello_message();
    message.resize(std::max<std::size_t>(n, 8), std::byte{0xee});
    EXPECT_EQ(hear(message), n < 64 || n > 128 ? "hello_size" : "taken") << n;
  }
  const Bytes data(92, std::byte{0x55});
  for (const std::uint16_t length : {8, 99, 101, 0xffff}) {
    const Bytes packet = ip_packet(kFromPeer, hello_datagram(data, length));
    EXPECT_EQ(world.verdict_on(ethernet({.to = kPortMac}, 0x0800, packet)), "hello_size");
  }
  const Bytes good = hello_frame(kFromPeer, hello_message(), kGood);
  for (std::size_t n = 0; n < good.size(); ++n) {
    EXPECT_NE(world.verdict_on(prefix(good, n)), "taken") << n;
  }
}

TEST_F(HelloReceiver, OverIpv6AndInAVlan) {
  const Bytes message = hello_message();
  const Bytes data =
      Frame().add(message).add(trailer(kGood, 1, kPeerLinkLocal.bytes, message)).bytes;
  const Ip6 ip{.next = 17, .source = kPeerLinkLocal, .destination = kOwnLinkLocal};
  EXPECT_EQ(
      world.verdict_on(ethernet({.to = kPortMac}, 0x86dd, ip6_packet(ip, hello_datagram(data)))),
      "taken");
  Ip6 far = ip;
  far.hop_limit = 64;
  EXPECT_EQ(
      world.verdict_on(ethernet({.to = kPortMac}, 0x86dd, ip6_packet(far, hello_datagram(data)))),
      "hello_ttl");
  Ip tagged = kFromPeer;
  tagged.source = kTaggedClientIp;
  tagged.destination = kTaggedOwnIp;
  EXPECT_EQ(world.verdict_on(hello_frame(tagged, hello_message(7), kGood,
                                         {.to = kPortMac, .from = kUnicastPeerMac, .tag = 20})),
            "taken");
  EXPECT_EQ(heard().size(), 2U);
}

// C21.12 kept, C21.12 refused
TEST_F(HelloReceiver, AFloodLeavesRoomForTheOthers) {
  Signature forged = kGood;
  forged.key = std::string(32, 'x');
  unsigned looked_at = 0;
  unsigned dropped = 0;
  for (unsigned i = 0; i < 10'000; ++i) {
    if (i % 100 == 0) world.poll(1ms);
    const std::string said = hear(hello_message(), i % 2 == 0 ? forged : kGood);
    looked_at += said != "hello_limit" ? 1 : 0;
    dropped += said == "hello_limit" ? 1 : 0;
  }
  EXPECT_LE(looked_at, 110U);  // 100 ms
  EXPECT_GE(looked_at, 90U);
  EXPECT_EQ(looked_at + dropped, 10'000U);
  EXPECT_LE(world.up.messages.size(), 110U);
  EXPECT_EQ(world.verdict_on(frame({.addresses6 = {kSharedIp6}})), "taken");
}

// C21.10 kept, C21.10 refused
TEST(HelloAndTheHost, ItGetsNoneOfThem) {
  World world(builder().hosted().build());
  const Bytes good = hello_frame(kFromPeer, hello_message(), kGood);
  EXPECT_EQ(world.verdict_on(good), "taken");
  Signature forged = kGood;
  forged.key = std::string(32, 'x');
  EXPECT_EQ(world.verdict_on(hello_frame(kFromPeer, hello_message(), forged)), "hello_mac");
  const auto udp_to = [](const Ip& ip, std::uint16_t port) {
    const Bytes datagram = Frame().be16(1).be16(port).be16(12).be16(0).be32(0).bytes;
    return ethernet({.to = kPortMac}, 0x0800, ip_packet(ip, datagram));
  };
  EXPECT_EQ(world.verdict_on(udp_to(kFromPeer, 9478)), "hello_size");
  EXPECT_EQ(world.verdict_on(udp_to(kFromPeer, 9479)), "pass");
  Ip through = kFromPeer;
  through.destination = ipv4(203, 0, 113, 1);
  EXPECT_EQ(world.verdict_on(udp_to(through, 9478)), "pass");
  World plain(usual_builder().hosted().build());  // no trailers here
  EXPECT_EQ(plain.verdict_on(good), "pass");
  World alone(usual_topology());
  EXPECT_EQ(alone.verdict_on(good), "ipv4_protocol");
}

}  // namespace
}  // namespace koi::dataplane::hello_receiver_test
