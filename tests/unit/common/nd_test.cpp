#include "common/wire/nd.h"

#include <algorithm>
#include <array>

#include <gtest/gtest.h>

#include "tests/support/frames.h"
#include "tests/unit/common/test_bytes.h"

namespace koi::wire::nd_test {
namespace {

using test::advertised;
using test::Bytes;
using test::from_hex;
using test::kClientIp6;
using test::kClientMac;
using test::kSharedIp6;
using test::link_layer;
using test::Neighbor;
using test::neighbor_message;
using test::prefix;
using test::to_hex;
using test::verdict;

// Scapy's bytes: IPv6(src="2001:db8::77", dst="ff02::1:ff00:1", hlim=255) /
// ICMPv6ND_NS(tgt="2001:db8::1") with and without ICMPv6NDOptSrcLLAddr(lladdr="52:54:00:12:34:56"),
// and with a nonce option after it.
constexpr auto kSolicitation =
    "6000000000203aff20010db8000000000000000000000077ff0200000000000000000001ff000001"
    "870096f70000000020010db80000000000000000000000010101525400123456";
constexpr auto kWithoutOption =
    "6000000000183aff20010db8000000000000000000000077ff0200000000000000000001ff000001"
    "87001ebd0000000020010db8000000000000000000000001";
constexpr auto kWithNonce =
    "6000000000283aff20010db8000000000000000000000077ff0200000000000000000001ff000001"
    "87007fe20000000020010db8000000000000000000000001010152540012345"
    "60e01010203040506";
// The same behind hop-by-hop options with router alert and destination options.
constexpr auto kBehindExtensions =
    "60000000003000ff20010db8000000000000000000000077ff0200000000000000000001ff000001"
    "3c000502000001003a00010400000000"
    "870096f70000000020010db80000000000000000000000010101525400123456";
// Duplicate Address Detection: from `::`.
constexpr auto kDetection =
    "6000000000183aff00000000000000000000000000000000ff0200000000000000000001ff000001"
    "87004ced0000000020010db8000000000000000000000001";
// The answers: ICMPv6ND_NA(tgt="2001:db8::1", R=1, S=1, O=1) to 2001:db8::77 and (S=0) to ff02::1,
// ICMPv6NDOptDstLLAddr(lladdr="00:00:5e:00:01:06").
constexpr auto kAnswer =
    "6000000000203aff20010db800000000000000000000000120010db8000000000000000000000077"
    "8800acf8e000000020010db8000000000000000000000001020100005e000106";
constexpr auto kToAllNodes =
    "6000000000203aff20010db8000000000000000000000001ff020000000000000000000000000001"
    "88001c25a000000020010db8000000000000000000000001020100005e000106";

const MacAddress kVirtual = mac_from({0x00, 0x00, 0x5e, 0x00, 0x01, 0x06});
constexpr std::uint8_t kAll = kNdRouter | kNdSolicited | kNdOverride;

struct Solicited {
  explicit Solicited(const char* hex) : packet(from_hex(hex)) {
    ip = parse_ipv6(packet).value();
    message = parse_solicitation(ip, std::span(packet).subspan(ip.payload, ip.payload_length));
  }
  std::string answer(const NeighborAnswer& answer) {
    packet.resize(std::max<std::size_t>(packet.size(), 72), std::byte{0xee});
    turn_into_advertisement(packet, ip, *message, answer);
    packet.resize(72);
    return to_hex(packet);
  }
  Bytes packet;
  Ipv6Header ip;
  Parsed<NeighborMessage> message;
};

// C11.9 kept
TEST(ParseSolicitation, WithItsOption) {
  const Solicited s(kSolicitation);
  ASSERT_TRUE(s.message.ok());
  EXPECT_EQ(s.message->target, kSharedIp6);
  EXPECT_EQ(s.message->link_layer, kClientMac);
  EXPECT_EQ(s.message->checksum, 0x96f7);
}

// C11.9 kept
TEST(ParseSolicitation, WithoutAnOption) {
  for (const char* hex : {kWithoutOption, kDetection}) {
    const Solicited s(hex);
    ASSERT_TRUE(s.message.ok());
    EXPECT_EQ(s.message->target, kSharedIp6);
    EXPECT_EQ(s.message->link_layer, std::nullopt);
  }
}

// C11.10 kept
TEST(TurnIntoAdvertisement, EachFormOfASolicitation) {
  for (const char* hex : {kSolicitation, kWithoutOption, kWithNonce, kBehindExtensions}) {
    Solicited s(hex);
    ASSERT_EQ(verdict(s.message), "ok");
    EXPECT_EQ(s.answer({.destination = kClientIp6, .mac = kVirtual, .flags = kAll}), kAnswer);
  }
}

// C11.11 kept
TEST(TurnIntoAdvertisement, DetectionToAllNodes) {
  Solicited s(kDetection);
  EXPECT_EQ(s.answer({.destination = kAllNodes, .mac = kVirtual, .flags = kNdRouter | kNdOverride}),
            kToAllNodes);
}

TEST(TurnIntoAdvertisement, ChecksumOfEveryReservedWordIsRight) {
  // RFC 4861 §4.3: reserved, ignored by the receiver, but under the checksum.
  for (unsigned flags = 0; flags < 256; ++flags) {
    const Neighbor n{.flags = static_cast<std::uint8_t>(flags)};
    Bytes packet = test::ip6_packet(n.ip, neighbor_message(n));
    const Ipv6Header ip = parse_ipv6(packet).value();
    const auto parsed = parse_solicitation(ip, std::span(packet).subspan(40));
    ASSERT_EQ(verdict(parsed), "ok");
    turn_into_advertisement(packet, ip, *parsed,
                            {.destination = kClientIp6, .mac = kVirtual, .flags = kAll});
    ASSERT_EQ(to_hex(packet), kAnswer) << flags;
  }
}

// C10.4 kept
TEST(WriteAdvertisement, Unsolicited) {
  std::array<std::byte, 72> out;
  out.fill(std::byte{0xee});
  write_advertisement(kSharedIp6,
                      {.destination = kAllNodes, .mac = kVirtual, .flags = kNdRouter | kNdOverride},
                      out);
  EXPECT_EQ(to_hex(out), kToAllNodes);
}

// ---- RFC 4861 §7.1.1, check by check -----------------------------------------------------------

std::string judge(const Neighbor& n) {
  const Bytes message = neighbor_message(n);
  const Ipv6Header ip{
      .hop_limit = n.ip.hop_limit, .source = n.ip.source, .destination = n.ip.destination};
  return n.type == 135 ? verdict(parse_solicitation(ip, message))
                       : verdict(parse_advertisement(ip, message));
}

// C11.9 refused
TEST(ParseNeighbor, EveryOtherHopLimit) {
  for (unsigned limit = 0; limit < 255; ++limit) {
    Neighbor n;
    n.ip.hop_limit = static_cast<std::uint8_t>(limit);
    EXPECT_EQ(judge(n), "nd_hop_limit") << limit;
    n.type = 136;
    EXPECT_EQ(judge(n), "nd_hop_limit") << limit;
  }
}

// C11.9 refused
TEST(ParseNeighbor, EveryOtherCode) {
  for (unsigned code = 0; code < 256; ++code) {
    EXPECT_EQ(judge({.code = static_cast<std::uint8_t>(code)}), code == 0 ? "ok" : "nd_code");
  }
}

// C11.9 refused
TEST(ParseNeighbor, EveryTruncation) {
  const Solicited s(kSolicitation);
  const auto message = std::span(s.packet).subspan(40);
  for (std::size_t n = 0; n < message.size(); ++n) {
    EXPECT_EQ(verdict(parse_solicitation(s.ip, prefix(message, n))),
              n < 24 ? "nd_length" : "icmp6_checksum")
        << n;
  }
}

TEST(ParseNeighbor, EveryTruncationWithARightChecksum) {
  for (std::size_t n = 0; n <= 16; ++n) {
    Neighbor two;
    two.options = link_layer(1, kClientMac);
    const Bytes nonce = from_hex("0e01010203040506");
    two.options.insert(two.options.end(), nonce.begin(), nonce.end());
    two.options.resize(n);
    EXPECT_EQ(judge(two), n % 8 == 0 ? "ok" : "nd_options") << n;
  }
}

// C11.9 refused
TEST(ParseNeighbor, ChecksumCoversEveryBit) {
  const Solicited s(kSolicitation);
  for (std::size_t at = 2; at < 32; ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      Bytes message(s.packet.begin() + 40, s.packet.end());
      message[at] ^= static_cast<std::byte>(1U << bit);
      EXPECT_EQ(verdict(parse_solicitation(s.ip, message)), "icmp6_checksum") << at << "." << bit;
    }
  }
}

// C11.9 refused
TEST(ParseNeighbor, TargetsThatNoHostHas) {
  for (const char* target : {"ff02::1", "ff02::1:ff00:1", "ff00::", "::", "::1"}) {
    EXPECT_EQ(judge({.target = *Ipv6Address::parse(target)}), "nd_target") << target;
  }
  EXPECT_EQ(judge({.target = *Ipv6Address::parse("::2")}), "ok");
}

// C11.9 refused
TEST(ParseNeighbor, EveryOptionLength) {
  for (unsigned type = 0; type < 256; ++type) {
    for (unsigned length = 0; length < 256; ++length) {
      Neighbor n;
      n.options = Bytes(24);
      n.options[0] = static_cast<std::byte>(type);
      n.options[1] = static_cast<std::byte>(length);
      n.options[9] = std::byte{2};   // if the first is one unit long, two are left
      n.options[17] = std::byte{1};  // and if it is two, one
      const bool fits = length >= 1 && length <= 3;
      const bool wanted = type == 1;  // a source link-layer address of Ethernet is one unit
      ASSERT_EQ(judge(n), !fits || (wanted && length != 1) ? "nd_options" : "ok")
          << type << " " << length;
    }
  }
}

TEST(ParseNeighbor, TheFirstOfSeveralCounts) {
  Neighbor n;
  const Bytes other = link_layer(1, kVirtual);
  n.options.insert(n.options.end(), other.begin(), other.end());
  const Bytes message = neighbor_message(n);
  const auto parsed =
      parse_solicitation({.source = n.ip.source, .destination = n.ip.destination}, message);
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->link_layer, kClientMac);
}

// C11.9 refused
TEST(ParseSolicitation, FromNobody) {
  Neighbor n;
  n.ip.source = {};
  EXPECT_EQ(judge(n), "nd_source");  // with a source link-layer address
  n.options = {};
  EXPECT_EQ(judge(n), "ok");
  n.options = from_hex("0e01010203040506");  // RFC 7527: a nonce is allowed
  EXPECT_EQ(judge(n), "ok");
  for (const char* to : {"2001:db8::1", "ff02::1", "ff02::1:fe00:1", "ff02::2:ff00:1", "ff05::"}) {
    n.ip.destination = *Ipv6Address::parse(to);
    EXPECT_EQ(judge(n), "nd_source") << to;
  }
  n.ip.destination = *Ipv6Address::parse("ff02::1:ffff:ffff");
  EXPECT_EQ(judge(n), "ok");
}

TEST(ParseAdvertisement, TargetLinkLayerAddressAndFlags) {
  const Neighbor n = advertised(kSharedIp6, kVirtual);
  const auto parsed = parse_advertisement({.source = n.ip.source, .destination = n.ip.destination},
                                          neighbor_message(n));
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->target, kSharedIp6);
  EXPECT_EQ(parsed->link_layer, kVirtual);
  EXPECT_EQ(parsed->flags, kNdOverride);
}

TEST(ParseAdvertisement, SolicitedNeverToAGroup) {  // RFC 4861 §7.1.2
  Neighbor n = advertised(kSharedIp6, kVirtual);
  n.flags = 0x60;
  EXPECT_EQ(judge(n), "nd_source");
  n.ip.destination = kClientIp6;
  EXPECT_EQ(judge(n), "ok");
  n.ip.source = {};
  EXPECT_EQ(judge(n), "nd_source");
}

}  // namespace
}  // namespace koi::wire::nd_test
