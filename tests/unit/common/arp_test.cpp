#include "common/wire/arp.h"

#include <array>

#include <gtest/gtest.h>

#include "tests/unit/common/test_bytes.h"

namespace koi::wire::arp_test {
namespace {

using test::Bytes;
using test::from_hex;
using test::prefix;
using test::to_hex;
using test::verdict;

const MacAddress kClient = mac_from({0x52, 0x54, 0x00, 0x12, 0x34, 0x56});
const Ipv4Address kClientIp = Ipv4Address::from_u32(0xc000024d);  // 192.0.2.77
const Ipv4Address kShared = Ipv4Address::from_u32(0xc000020a);    // 192.0.2.10

// Scapy's bytes.
constexpr auto kRequest = "0001080006040001525400123456c000024d000000000000c000020a";
constexpr auto kReply = "000108000604000200005e000107c000020a525400123456c000024d";
constexpr auto kAnnouncement = "000108000604000100005e000101c000020a000000000000c000020a";

TEST(ParseArp, Request) {
  const auto packet = parse_arp(from_hex(kRequest));
  ASSERT_TRUE(packet.ok());
  EXPECT_EQ(packet->operation, kArpRequest);
  EXPECT_EQ(packet->sender_mac, kClient);
  EXPECT_EQ(packet->sender_ip, kClientIp);
  EXPECT_TRUE(packet->target_mac.is_zero());
  EXPECT_EQ(packet->target_ip, kShared);
}

TEST(ParseArp, Reply) {
  const auto packet = parse_arp(from_hex(kReply));
  ASSERT_TRUE(packet.ok());
  EXPECT_EQ(packet->operation, kArpReply);
  EXPECT_EQ(packet->sender_mac, virtual_mac(Vhid(7)));
  EXPECT_EQ(packet->sender_ip, kShared);
  EXPECT_EQ(packet->target_mac, kClient);
  EXPECT_EQ(packet->target_ip, kClientIp);
}

// C11.5 refused
TEST(ParseArp, EveryTruncation) {
  const Bytes request = from_hex(kRequest);
  for (std::size_t n = 0; n < kArpLength; ++n) {
    EXPECT_EQ(verdict(parse_arp(prefix(request, n))), "arp_length") << n;
  }
}

// C11.5 kept
TEST(ParseArp, EthernetPaddingIsIgnored) {
  Bytes padded = from_hex(kRequest);
  padded.resize(46, std::byte{0xee});
  const auto packet = parse_arp(padded);
  ASSERT_TRUE(packet.ok());
  EXPECT_EQ(packet->target_ip, kShared);
}

// C11.5 refused
TEST(ParseArp, EveryOtherFormat) {
  const Bytes request = from_hex(kRequest);
  for (std::size_t at = 0; at < 6; ++at) {  // hardware type, protocol type, both lengths
    for (unsigned flip = 1; flip < 256; ++flip) {
      Bytes changed = request;
      changed[at] ^= static_cast<std::byte>(flip);
      ASSERT_EQ(verdict(parse_arp(changed)), "arp_format") << at << " ^ " << flip;
    }
  }
}

TEST(ParseArp, OperationIsTheCallers) {
  Bytes request = from_hex(kRequest);
  for (const std::uint16_t operation : std::array<std::uint16_t, 5>{0, 1, 2, 0x0100, 0xffff}) {
    put_be16(request, 6, operation);
    const auto packet = parse_arp(request);
    ASSERT_TRUE(packet.ok());
    EXPECT_EQ(packet->operation, operation);
  }
}

TEST(WriteArp, Reply) {
  std::array<std::byte, kArpLength> out;
  out.fill(std::byte{0xee});
  write_arp({.operation = kArpReply,
             .sender_mac = virtual_mac(Vhid(7)),
             .sender_ip = kShared,
             .target_mac = kClient,
             .target_ip = kClientIp},
            out);
  EXPECT_EQ(to_hex(out), kReply);
}

TEST(WriteArp, Announcement) {
  // protocol.md §9: a request, tha 0, spa = tpa
  std::array<std::byte, kArpLength> out;
  out.fill(std::byte{0xee});
  write_arp({.operation = kArpRequest,
             .sender_mac = virtual_mac(Vhid(1)),
             .sender_ip = kShared,
             .target_mac = {},
             .target_ip = kShared},
            out);
  EXPECT_EQ(to_hex(out), kAnnouncement);
}

}  // namespace
}  // namespace koi::wire::arp_test
