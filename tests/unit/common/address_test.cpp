#include <cstddef>
#include <string_view>

#include <gtest/gtest.h>

#include "common/net/ip_address.h"
#include "common/net/mac_address.h"

namespace koi::address_test {
namespace {

using namespace std::string_view_literals;

/// Two are equal iff every one of their bytes is.
template <class Address>
void each_byte_counts() {
  Address one;
  for (std::size_t i = 0; i < one.bytes.size(); ++i) one.bytes[i] = static_cast<std::byte>(i + 1);
  Address other = one;
  EXPECT_EQ(one, other);
  for (std::size_t i = 0; i < one.bytes.size(); ++i) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      other.bytes[i] ^= static_cast<std::byte>(1U << bit);
      EXPECT_NE(one, other) << "byte " << i << ", bit " << bit;
      other.bytes[i] = one.bytes[i];
    }
  }
}

TEST(MacAddress, EachByteCounts) { each_byte_counts<MacAddress>(); }
TEST(Ipv4Address, EachByteCounts) { each_byte_counts<Ipv4Address>(); }
TEST(Ipv6Address, EachByteCounts) { each_byte_counts<Ipv6Address>(); }

TEST(MacAddress, ParsesAndPrints) {
  const auto mac = MacAddress::parse("00:00:5e:00:01:07");
  ASSERT_TRUE(mac);
  EXPECT_EQ(*mac, mac_from({0x00, 0x00, 0x5e, 0x00, 0x01, 0x07}));
  EXPECT_EQ(mac->to_string(), "00:00:5e:00:01:07");
  const auto upper = MacAddress::parse("AB:CD:EF:ab:cd:ef");
  ASSERT_TRUE(upper);
  EXPECT_EQ(upper->to_string(), "ab:cd:ef:ab:cd:ef");
}

TEST(MacAddress, RefusesEverythingElse) {
  for (const std::string_view text :
       {""sv, "00:00:5e:00:01"sv, "00:00:5e:00:01:7"sv, "00:00:5e:00:01:07:"sv,
        "00:00:5e:00:01:07 "sv, " 00:00:5e:00:01:07"sv, "00-00-5e-00-01-07"sv, "00005e000107"sv,
        "00:00:5e:00:01:0g"sv, "0g:00:5e:00:01:00"sv, "00:00:5e:00:01.07"sv, "0:000:5e:00:01:07"sv,
        "00:00:5e:00:01:0\0"sv, "+0:00:5e:00:01:07"sv, "0x:00:5e:00:01:07"sv}) {
    EXPECT_FALSE(MacAddress::parse(text)) << '"' << text << '"';
  }
}

TEST(MacAddress, Kinds) {
  EXPECT_TRUE(MacAddress{}.is_zero());
  EXPECT_FALSE(mac_from({0, 0, 0, 0, 0, 1}).is_zero());
  EXPECT_TRUE(kBroadcastMac.is_multicast());
  EXPECT_TRUE(kCarpIpv4Mac.is_multicast());
  EXPECT_FALSE(mac_from({0xfe, 0xff, 0xff, 0xff, 0xff, 0xff}).is_multicast());
  EXPECT_EQ(kBroadcastMac.to_string(), "ff:ff:ff:ff:ff:ff");
  EXPECT_EQ(kCarpIpv4Mac.to_string(), "01:00:5e:00:00:12");
}

// C1.2 kept
TEST(MacAddress, VirtualMacOfAVhid) {
  EXPECT_EQ(virtual_mac(Vhid(1)).to_string(), "00:00:5e:00:01:01");
  EXPECT_EQ(virtual_mac(Vhid(255)).to_string(), "00:00:5e:00:01:ff");
}

TEST(Ipv4Address, ParsesAndPrints) {
  const auto address = Ipv4Address::parse("192.0.2.10");
  ASSERT_TRUE(address);
  EXPECT_EQ(address->to_u32(), 0xc000020au);
  EXPECT_EQ(address->bytes[0], std::byte{192});
  EXPECT_EQ(address->to_string(), "192.0.2.10");
  EXPECT_EQ(Ipv4Address::from_u32(0xffffffff).to_string(), "255.255.255.255");
  EXPECT_EQ(Ipv4Address{}.to_string(), "0.0.0.0");
  EXPECT_EQ(kCarpIpv4Group.to_string(), "224.0.0.18");
}

TEST(Ipv4Address, RefusesEverythingElse) {
  for (const std::string_view text :
       {""sv, "192.0.2"sv, "192.0.2.256"sv, "192.0.2.1.1"sv, "192.0.2.1/24"sv, "192.0.2.1 "sv,
        " 192.0.2.1"sv, "192.0.2.01"sv, "192.0.2."sv, ".192.0.2"sv, "192.0.2.-1"sv, "0xc000020a"sv,
        "3221225994"sv, "192.0.2.1\0"sv, "192.0.2.1\0junk"sv, "::1"sv, "localhost"sv}) {
    EXPECT_FALSE(Ipv4Address::parse(text)) << '"' << text << '"';
  }
}

TEST(Ipv4Address, Kinds) {
  const auto is_host = [](const char* text) { return Ipv4Address::parse(text)->is_host(); };
  for (const char* text : {"192.0.2.1", "0.0.0.1", "126.255.255.255", "128.0.0.0",
                           "223.255.255.255", "240.0.0.0", "255.255.255.254"}) {
    EXPECT_TRUE(is_host(text)) << text;
  }
  for (const char* text : {"0.0.0.0", "127.0.0.0", "127.255.255.255", "224.0.0.0", "224.0.0.18",
                           "239.255.255.255", "255.255.255.255"}) {
    EXPECT_FALSE(is_host(text)) << text;
  }
  EXPECT_TRUE(kCarpIpv4Group.is_multicast());
  EXPECT_TRUE(Ipv4Address::from_u32(0x7f000001).is_loopback());
  EXPECT_TRUE(Ipv4Address::from_u32(0xffffffff).is_broadcast());
  EXPECT_FALSE(Ipv4Address::from_u32(0xffffffff).is_multicast());
}

TEST(Ipv4Address, ComparesUnsignedInNetworkOrder) {
  EXPECT_LT(*Ipv4Address::parse("127.0.0.1"), *Ipv4Address::parse("128.0.0.0"));
  EXPECT_LT(*Ipv4Address::parse("10.0.0.255"), *Ipv4Address::parse("10.0.1.0"));
  EXPECT_LT(*Ipv4Address::parse("1.255.255.255"), *Ipv4Address::parse("2.0.0.0"));
}

TEST(Ipv6Address, ParsesAndPrints) {
  const auto address = Ipv6Address::parse("2001:DB8:0:0:0:0:0:10");
  ASSERT_TRUE(address);
  EXPECT_EQ(address->bytes[0], std::byte{0x20});
  EXPECT_EQ(address->bytes[3], std::byte{0xb8});
  EXPECT_EQ(address->bytes[15], std::byte{0x10});
  // RFC 5952 §4: lower case, the longest run of zeros shortened, a single one not
  EXPECT_EQ(address->to_string(), "2001:db8::10");
  EXPECT_EQ(Ipv6Address{}.to_string(), "::");
  EXPECT_EQ(Ipv6Address::parse("2001:db8:0:1:1:1:1:1")->to_string(), "2001:db8:0:1:1:1:1:1");
  EXPECT_EQ(Ipv6Address::parse("fe80:0:0:1:0:0:0:1")->to_string(), "fe80:0:0:1::1");
}

TEST(Ipv6Address, RefusesEverythingElse) {
  for (const std::string_view text :
       {""sv, ":"sv, ":::"sv, "2001:db8::1::2"sv, "2001:db8::10000"sv, "2001:db8::g"sv,
        "1:2:3:4:5:6:7"sv, "1:2:3:4:5:6:7:8:9"sv, "fe80::1%eth0"sv, "2001:db8::1/64"sv,
        "2001:db8::1\0"sv, "[::1]"sv, "192.0.2.1"sv}) {
    EXPECT_FALSE(Ipv6Address::parse(text)) << '"' << text << '"';
  }
}

TEST(Ipv6Address, Kinds) {
  const auto parse = [](const char* text) { return *Ipv6Address::parse(text); };
  EXPECT_TRUE(parse("fe80::1").is_link_local());
  EXPECT_TRUE(parse("febf::1").is_link_local());
  EXPECT_FALSE(parse("fec0::1").is_link_local());
  EXPECT_FALSE(parse("fe7f::1").is_link_local());
  EXPECT_FALSE(parse("2001:db8::1").is_link_local());
  EXPECT_TRUE(parse("ff02::12").is_multicast());
  EXPECT_FALSE(parse("fe80::1").is_multicast());
}

TEST(Ipv6Address, HostsAndOthers) {
  const auto parse = [](const char* text) { return *Ipv6Address::parse(text); };
  for (const char* text : {"2001:db8::1", "fe80::1", "::2", "1::", "::100", "100::1", "fe00::"}) {
    EXPECT_TRUE(parse(text).is_host()) << text;
    EXPECT_FALSE(parse(text).is_unspecified() || parse(text).is_loopback()) << text;
  }
  for (const char* text : {"::", "::1", "ff02::1", "ff00::", "ffff::"}) {
    EXPECT_FALSE(parse(text).is_host()) << text;
  }
  EXPECT_TRUE(parse("::").is_unspecified());
  EXPECT_FALSE(parse("::1").is_unspecified());
  EXPECT_TRUE(parse("::1").is_loopback());
  EXPECT_FALSE(parse("::").is_loopback());
  // At compile time they are computed another way.
  static_assert(Ipv6Address{}.is_unspecified() && !Ipv6Address{}.is_loopback());
  static_assert(ipv6_from({0, 0, 0, 0, 0, 0, 0, 1}).is_loopback());
  static_assert(ipv6_from({0xfe80, 0, 0, 0, 0, 0, 0, 1}).is_host());
}

TEST(Ipv6Address, GroupsAndTheirMacs) {
  EXPECT_EQ(kCarpIpv6Group.to_string(), "ff02::12");
  EXPECT_EQ(kCarpIpv6Mac.to_string(), "33:33:00:00:00:12");
  EXPECT_EQ(kAllNodes.to_string(), "ff02::1");
  EXPECT_EQ(multicast_mac(kAllNodes).to_string(), "33:33:00:00:00:01");
  // RFC 4291 §2.7.1's own example.
  const Ipv6Address asked = *Ipv6Address::parse("4037::01:800:200e:8c6c");
  EXPECT_EQ(solicited_node(asked).to_string(), "ff02::1:ff0e:8c6c");
  EXPECT_EQ(multicast_mac(solicited_node(asked)).to_string(), "33:33:ff:0e:8c:6c");
}

TEST(Ipv6Address, SolicitedNodeGroupIsKnownByEveryByte) {
  const Ipv6Address address = *Ipv6Address::parse("4037::01:800:200e:8c6c");
  const Ipv6Address group = *Ipv6Address::parse("ff02::1:ff0e:8c6c");
  EXPECT_TRUE(is_solicited_node_of(group, address));
  for (std::size_t at = 0; at < 16; ++at) {
    Ipv6Address other = group;
    other.bytes[at] ^= std::byte{0x10};
    EXPECT_FALSE(is_solicited_node_of(other, address)) << at;
    other = address;
    other.bytes[at] ^= std::byte{0x10};
    EXPECT_EQ(is_solicited_node_of(group, other), at < 13) << at;
  }
}

TEST(Ipv6Address, LinkLocalFromAMac) {
  const auto from = [](const char* mac) {
    return link_local_from(*MacAddress::parse(mac)).to_string();
  };
  EXPECT_EQ(from("34:56:78:9a:bc:de"), "fe80::3656:78ff:fe9a:bcde");  // RFC 2464 §4's example
  EXPECT_EQ(from("02:00:00:00:00:10"), "fe80::ff:fe00:10");
  EXPECT_EQ(from("00:00:5e:00:01:07"), "fe80::200:5eff:fe00:107");  // protocol.md §4
}

TEST(IpAddress, EitherFamily) {
  const auto v4 = IpAddress::parse("192.0.2.10");
  const auto v6 = IpAddress::parse("2001:db8::10");
  ASSERT_TRUE(v4 && v6);
  EXPECT_TRUE(v4->is_v4());
  EXPECT_EQ(v4->family(), Family::ipv4);
  EXPECT_EQ(v4->v4(), Ipv4Address::from_u32(0xc000020a));
  EXPECT_EQ(v4->to_string(), "192.0.2.10");
  EXPECT_FALSE(v6->is_v4());
  EXPECT_EQ(v6->family(), Family::ipv6);
  EXPECT_EQ(v6->v6(), *Ipv6Address::parse("2001:db8::10"));
  EXPECT_EQ(v6->to_string(), "2001:db8::10");
  EXPECT_FALSE(IpAddress::parse("192.0.2.10:80"));
  EXPECT_FALSE(IpAddress::parse(""));
}

TEST(IpAddress, Ipv4ComesFirst) {
  EXPECT_LT(*IpAddress::parse("255.255.255.255"), *IpAddress::parse("::"));
  EXPECT_LT(*IpAddress::parse("10.0.0.1"), *IpAddress::parse("192.0.2.1"));
  EXPECT_LT(*IpAddress::parse("2001:db8::1"), *IpAddress::parse("fe80::1"));
  // The same bytes in another family are another address.
  EXPECT_NE(*IpAddress::parse("0.0.0.0"), *IpAddress::parse("::"));
}

}  // namespace
}  // namespace koi::address_test
