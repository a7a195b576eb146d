#include "dataplane/icmpv6_responder.h"

#include <utility>

#include <gtest/gtest.h>

#include "tests/support/world.h"

namespace koi::dataplane::icmpv6_responder_test {
namespace {

using namespace test;  // NOLINT: the whole file is about its frames

const MacAddress kVirtual = virtual_mac(Vhid(6));
const Ip6 kToShared{.destination = kSharedIp6};

// Scapy's frames: traffic class b8, flow label 12345, an odd number of bytes; the reply has hop
// limit 64.
constexpr auto kRequest =
    "00005e000106525400123456 86dd 6b81234500153a3d 20010db8000000000000000000000077 "
    "20010db8000000000000000000000001 80006e8112340007 6b6f6920616e73776572732121";
constexpr auto kReply =
    "52540012345600005e000106 86dd 6b81234500153a40 20010db8000000000000000000000001 "
    "20010db8000000000000000000000077 81006d8112340007 6b6f6920616e73776572732121";
// Scapy's MLDv2 general query, with router alert.
constexpr auto kMldQuery =
    "333300000001525400123456 86dd 6000000000240001 fe800000000000000000000000000077 "
    "ff020000000000000000000000000001 3a00050200000100 8200589d27100000 "
    "00000000000000000000000000000000 00000000";

class Icmpv6Responder : public ::testing::Test {
 protected:
  Icmpv6Responder() {
    for (const SlotIndex slot : {kBoth, kTagged6}) world.reign(slot);
  }

  /// The reply built afresh by hand: addresses exchanged, hop limit 64, type 129.
  void expect_reply(const Ip6& ip, const Ethernet& e) {
    Bytes reply = echo6(ip, e);
    const Fate fate = world.receive(reply);
    ASSERT_EQ(verdict(fate), "answer");
    EXPECT_EQ(fate.what(), AnswerKind::icmp);
    Ip6 back = ip;
    std::swap(back.source, back.destination);
    back.hop_limit = 64;
    Frame rest;
    rest.be16(0x1234).be16(7);
    for (unsigned i = 1; i <= 56; ++i) rest.u8(i);
    const Bytes expected = ethernet({.to = e.from, .from = e.to, .tag = e.tag}, 0x86dd,
                                    ip6_packet(back, icmp6(129, 0, rest.bytes, back)));
    EXPECT_EQ(to_hex(reply), to_hex(expected));
  }
  World world;
};

// C11.15 kept
TEST_F(Icmpv6Responder, SharedAddress) {
  Bytes bytes = from_hex(kRequest);
  ASSERT_EQ(verdict(world.receive(bytes)), "answer");
  EXPECT_EQ(to_hex(bytes), to_hex(from_hex(kReply)));
}

// C11.15 kept
TEST_F(Icmpv6Responder, OwnAddressesNeedNoLease) {
  World backup;
  EXPECT_EQ(backup.verdict_on(echo6({}, {.to = kPortMac})), "answer");
  expect_reply({}, {.to = kPortMac});
  expect_reply({.source = kPeerLinkLocal, .destination = kOwnLinkLocal}, {.to = kPortMac});
}

TEST_F(Icmpv6Responder, Tagged) {
  const Ip6 to_shared{.source = kTaggedClientIp6, .destination = kTaggedSharedIp6};
  expect_reply(to_shared, {.to = virtual_mac(Vhid(8)), .tag = 20});
  expect_reply({.source = kTaggedClientIp6, .destination = kTaggedOwnIp6},
               {.to = kPortMac, .tag = 0xf014});
  expect_reply(kToShared, {.to = kVirtual, .tag = 0x6000});  // a priority tag
  EXPECT_EQ(world.verdict_on(echo6(to_shared, {.to = virtual_mac(Vhid(8))})), "ipv6_not_ours");
  EXPECT_EQ(world.verdict_on(echo6(kToShared, {.to = kVirtual, .tag = 20})), "ipv6_not_ours");
}

TEST_F(Icmpv6Responder, StackedTags) {
  const Bytes inner = Frame().be16(20).be16(0x86dd).add(ip6_packet({}, Bytes(8))).bytes;
  EXPECT_EQ(world.verdict_on(ethernet({.tag = 20}, 0x8100, inner)), "vlan_stacked");
  EXPECT_EQ(world.verdict_on(ethernet({}, 0x88a8, inner)), "vlan_stacked");
}

TEST_F(Icmpv6Responder, EveryHopLimit) {
  for (unsigned limit = 0; limit < 256; ++limit) {
    expect_reply({.hop_limit = static_cast<std::uint8_t>(limit)}, {.to = kPortMac});
  }
}

TEST_F(Icmpv6Responder, PaddingIsCutOff) {
  Bytes padded = echo6({}, {.to = kPortMac});
  const std::size_t length = padded.size();
  padded.resize(length + 40, std::byte{0xee});
  ASSERT_EQ(verdict(world.receive(padded)), "answer");
  EXPECT_EQ(padded.size(), length);
}

TEST_F(Icmpv6Responder, EveryTruncation) {
  const Bytes request = echo6({}, {.to = kPortMac});
  for (std::size_t n = 0; n < request.size(); ++n) {
    EXPECT_EQ(world.verdict_on(prefix(request, n)), n < 14 ? "runt" : "ipv6_length") << n;
  }
}

TEST_F(Icmpv6Responder, EveryShortMessage) {
  for (std::size_t n = 0; n < 8; ++n) {
    const Bytes message = prefix(icmp6(128, 0, Bytes(4), Ip6{}), n);
    EXPECT_EQ(world.verdict_on(ethernet({.to = kPortMac}, 0x86dd, ip6_packet({}, message))),
              "icmp6_length")
        << n;
  }
  EXPECT_EQ(world.verdict_on(echo6({}, {.to = kPortMac}, 0)), "answer");
}

// C11.15 refused
TEST_F(Icmpv6Responder, OnlyAtItsMac) {
  EXPECT_EQ(world.verdict_on(echo6(kToShared, {.to = kPortMac})), "not_our_mac");
  EXPECT_EQ(world.verdict_on(echo6(kToShared, {.to = virtual_mac(Vhid(8))})), "not_our_mac");
  EXPECT_EQ(world.verdict_on(echo6({}, {.to = kVirtual})), "not_our_mac");
  EXPECT_EQ(world.verdict_on(echo6({}, {.to = mac_from({0x33, 0x33, 0, 0, 0, 1})})), "not_our_mac");
}

// C11.15 refused
TEST_F(Icmpv6Responder, NeverToAGroupNorForAPeer) {
  for (const Ipv6Address& to :
       {kAllNodes, kCarpIpv6Group, Neighbor::solicited_group(kSharedIp6), kUnicastPeerIp6}) {
    EXPECT_EQ(
        world.verdict_on(echo6({.destination = to}, {.to = mac_from({0x33, 0x33, 0, 0, 0, 1})})),
        "ipv6_not_ours");
    EXPECT_EQ(world.verdict_on(echo6({.destination = to}, {.to = kPortMac})), "ipv6_not_ours");
  }
}

// C11.2 refused, C11.15 refused
TEST_F(Icmpv6Responder, BackupAndMasterWithoutLeaseAreSilent) {
  World backup;
  EXPECT_EQ(backup.verdict_on(echo6(kToShared, {.to = kVirtual})), "not_master");
  world.board->slot(kBoth).term.store(6);
  EXPECT_EQ(world.verdict_on(echo6(kToShared, {.to = kVirtual})), "no_lease");
}

TEST_F(Icmpv6Responder, OtherProtocols) {
  for (unsigned next = 0; next < 256; ++next) {
    if (next == 0 || next == 43 || next == 44 || next == 60 || next == 58 || next == 112) continue;
    Ip6 ip;
    ip.next = static_cast<std::uint8_t>(next);
    EXPECT_EQ(world.verdict_on(echo6(ip, {.to = kPortMac})), "ipv6_protocol") << next;
  }
}

// C11.15 refused
TEST_F(Icmpv6Responder, SourcesThatNoHostHasOrOurOwn) {
  for (const Ipv6Address& source :
       {Ipv6Address{}, *Ipv6Address::parse("::1"), kAllNodes, kOwnIp6, kOwnLinkLocal, kSharedIp6}) {
    EXPECT_EQ(world.verdict_on(echo6({.source = source}, {.to = kPortMac})), "ipv6_source")
        << source.to_string();
  }
}

TEST_F(Icmpv6Responder, EveryTypeAndCode) {
  for (unsigned type = 0; type < 256; ++type) {
    if (type == 130 || type == 135 || type == 136) continue;  // MLD, Neighbor Discovery
    for (const unsigned code : {0U, 1U, 255U}) {
      const Bytes message =
          icmp6(static_cast<std::uint8_t>(type), static_cast<std::uint8_t>(code), Bytes(4), Ip6{});
      EXPECT_EQ(world.verdict_on(ethernet({.to = kPortMac}, 0x86dd, ip6_packet({}, message))),
                type == 128 && code == 0 ? "answer" : "icmp6_not_echo")
          << type << "/" << code;
    }
  }
}

TEST_F(Icmpv6Responder, ExtensionHeadersAreNotSentBack) {
  Ip6 ip{.next = 60, .extensions = from_hex("3a00010400000000")};
  EXPECT_EQ(world.verdict_on(echo6(ip, {.to = kPortMac})), "ipv6_extensions");
}

TEST_F(Icmpv6Responder, MldQueryGoesUp) {
  EXPECT_EQ(world.verdict_on(from_hex(kMldQuery)), "taken");
}

TEST_F(Icmpv6Responder, EveryByteOfTheMessageIsUnderItsChecksum) {
  const Bytes request = echo6({}, {.to = kPortMac}, 5);
  for (std::size_t at = 56; at < request.size(); ++at) {
    for (unsigned flip = 1; flip < 256; ++flip) {
      Bytes changed = request;
      changed[at] ^= static_cast<std::byte>(flip);
      ASSERT_EQ(world.verdict_on(changed), "icmp6_checksum") << at;
    }
  }
}

TEST_F(Icmpv6Responder, EveryByteOfTheHeaderFlippedIsNeverAnsweredWrongly) {
  const Bytes request = echo6({}, {.to = kPortMac});
  for (std::size_t at = 12; at < 54; ++at) {
    for (unsigned flip = 1; flip < 256; ++flip) {
      Bytes changed = request;
      changed[at] ^= static_cast<std::byte>(flip);
      const bool free = (at == 14 && flip < 16) || (at >= 15 && at < 18) || at == 21;
      const bool answered = verdict(world.receive(changed)) == "answer";
      ASSERT_EQ(answered, free) << at << " ^ " << flip;  // traffic class, flow label, hop limit
    }
  }
}

}  // namespace
}  // namespace koi::dataplane::icmpv6_responder_test
