#include "common/wire/vrrp.h"

#include <gtest/gtest.h>

#include "common/wire/carp.h"
#include "test_bytes.h"

namespace koi::wire::vrrp_test {
namespace {

using test::Bytes;
using test::from_hex;
using test::prefix;

// protocol.md §12.
constexpr auto kV2 = "213364010001b8bfc000020a0000000000000000";
constexpr auto kV3 = "313364010064a85cc000020a";
constexpr auto kV3Rfc5798 = "31336401006405ccc000020a";
constexpr auto kV3Ipv6 =
    "3133640200643febfe80000000000000000000000000000120010db8000000000000000000000010";
// protocol.md §14: VRRPv3, VRID 51, priority 200, with its signed trailer.
constexpr auto kV3Signed =
    "3133c80100644402c0000264010100006800000080000000"
    "1b84bc4e8e43892dc6d98448f8ee2265";
// protocol.md §4, A: CARP.
constexpr auto kCarp = "210164070001e6a70123456789abcdef3d2cea66fce80320a8027400391063b414d100f4";

IpAddress ip(const char* text) { return IpAddress::parse(text).value(); }

/// "version number priority", with " or CARP" where it may be that too; or "none".
std::string heard(const Bytes& payload, const char* source = "192.0.2.1",
                  const char* destination = "224.0.0.18") {
  const auto header = recognize_vrrp(payload, ip(source), ip(destination));
  if (!header) return "none";
  return std::to_string(header->version) + " " + std::to_string(header->number.value()) + " " +
         std::to_string(header->priority) + (header->or_carp ? " or CARP" : "");
}

// C16.1 kept
TEST(Vrrp, TheVectors) {
  EXPECT_EQ(heard(from_hex(kV2)), "2 51 100");
  EXPECT_EQ(heard(from_hex(kV3)), "3 51 100");
  EXPECT_EQ(heard(from_hex(kV3Rfc5798)), "3 51 100");
  EXPECT_EQ(heard(from_hex(kV3Ipv6), "fe80::2", "ff02::12"), "3 51 100");
  EXPECT_EQ(heard(from_hex(kV3Signed), "198.51.100.10"), "3 51 200");
}

TEST(Vrrp, ThePseudoHeaderCounts) {
  EXPECT_EQ(heard(from_hex(kV3Rfc5798), "192.0.2.2"), "none");
  EXPECT_EQ(heard(from_hex(kV3Ipv6), "fe80::3", "ff02::12"), "none");
  EXPECT_EQ(heard(from_hex(kV3Ipv6), "fe80::2", "ff02::13"), "none");
  // Over the message alone, only IPv4 is right (RFC 9568).
  Bytes alone = from_hex(kV3Ipv6);
  test::set_checksum(alone, 6, alone.size());
  EXPECT_EQ(heard(alone, "fe80::2", "ff02::12"), "none");
  // VRRPv2 is IPv4's.
  EXPECT_EQ(heard(from_hex(kV2), "fe80::2", "ff02::12"), "none");
}

TEST(Vrrp, EveryTruncationAndEveryExtension) {
  for (const char* text : {kV2, kV3, kV3Rfc5798}) {
    const Bytes whole = from_hex(text);
    for (std::size_t n = 0; n < whole.size(); ++n) EXPECT_EQ(heard(prefix(whole, n)), "none") << n;
    for (std::size_t more = 1; more < 40; ++more) {
      Bytes longer = whole;
      longer.resize(whole.size() + more, std::byte{0xee});
      EXPECT_EQ(heard(longer) != "none", more == 28) << more;  // a trailer
    }
  }
}

// C16.1 kept
TEST(Vrrp, EveryChangedByteFailsTheChecksum) {
  for (const char* text : {kV2, kV3}) {
    const Bytes good = from_hex(text);
    for (std::size_t at = 0; at < good.size(); ++at) {
      for (unsigned flip = 1; flip < 256; ++flip) {
        Bytes bad = good;
        bad[at] ^= static_cast<std::byte>(flip);
        ASSERT_EQ(heard(bad), "none") << at << " ^ " << flip;
      }
    }
  }
}

TEST(Vrrp, OnlyTheAuthenticationTypesThatExist) {
  for (unsigned type = 0; type < 256; ++type) {
    Bytes bytes = from_hex(kV2);
    bytes[4] = static_cast<std::byte>(type);
    test::set_checksum(bytes, 6, bytes.size());
    EXPECT_EQ(heard(bytes) != "none", type <= 2) << type;
  }
}

// C16.1 kept
TEST(Vrrp, CarpIsNone) {
  EXPECT_EQ(heard(from_hex(kCarp)), "none");
  for (std::size_t more = 1; more < 64; ++more) {  // bytes after it mean nothing
    Bytes longer = from_hex(kCarp);
    longer.resize(longer.size() + more);
    // 8 zeros, or those and a trailer, are the one case that no checksum decides
    const bool is_v2_too = more == 8 || more == 8 + 28;
    EXPECT_EQ(heard(longer), is_v2_too ? "2 1 100 or CARP" : "none") << more;
  }
}

/// VRRPv2 with so many addresses, authentication data of such bytes, and right checksum.
Bytes v2(std::uint8_t count, std::uint8_t authentication = 0x61) {
  Bytes bytes = from_hex("2133640001010000");
  bytes[3] = std::byte{count};
  for (unsigned i = 0; i < count; ++i) {
    const Bytes address = {std::byte{192}, std::byte{0}, std::byte{2}, static_cast<std::byte>(i)};
    bytes.insert(bytes.end(), address.begin(), address.end());
  }
  bytes.resize(bytes.size() + 8, std::byte{authentication});
  test::set_checksum(bytes, 6, bytes.size());
  return bytes;
}

TEST(Vrrp, EveryNumberOfAddresses) {
  for (unsigned count = 0; count < 256; ++count) {
    EXPECT_EQ(heard(v2(static_cast<std::uint8_t>(count))), "2 51 100") << count;
    EXPECT_EQ(heard(v2(static_cast<std::uint8_t>(count), 0)),
              count == 7 ? "2 51 100 or CARP" : "2 51 100")
        << count;
  }
}

// protocol.md §13: with 7 addresses VRRPv2 has CARP's byte 3, and 44 bytes are CARP with 8 more.
// C16.1 kept
TEST(Vrrp, WithSevenAddressesTheChecksumDecides) {
  const Bytes vrrp = v2(7);
  ASSERT_EQ(vrrp.size(), 44U);
  EXPECT_FALSE(parse_carp(vrrp).ok());
  EXPECT_EQ(heard(vrrp), "2 51 100");
  Bytes carp = vrrp;
  test::set_checksum(carp, 6, 36);  // now over CARP's header only
  EXPECT_EQ(heard(carp), "none");
  EXPECT_TRUE(parse_carp(carp).ok());
  // Right over both: nothing before the HMAC can tell.
  EXPECT_TRUE(parse_carp(v2(7, 0)).ok());
}

}  // namespace
}  // namespace koi::wire::vrrp_test
