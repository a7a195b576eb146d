#include "config/values.h"

#include <gtest/gtest.h>

#include "config/load.h"

namespace koi::config::values_test {
namespace {

TEST(Values, WholeNumbers) {
  EXPECT_EQ(parse_whole_number("0"), 0U);
  EXPECT_EQ(parse_whole_number("254"), 254U);
  EXPECT_EQ(parse_whole_number("18446744073709551615"), ~std::uint64_t{0});
  for (const char* wrong : {"", "-1", "+1", " 1", "1 ", "01", "00", "0x1", "1.0", "1e3", "1_000",
                            "18446744073709551616", "99999999999999999999999"}) {
    EXPECT_FALSE(parse_whole_number(wrong)) << wrong;
  }
}

TEST(Values, Durations) {
  EXPECT_EQ(parse_duration("60s"), Duration(60s));
  EXPECT_EQ(parse_duration("500ms"), Duration(500ms));
  EXPECT_EQ(parse_duration("2m"), Duration(120s));
  EXPECT_EQ(parse_duration("0s"), Duration(0s));
  for (const char* wrong : {"", "s", "60", "60 s", "-1s", "1.5s", "1us", "1S", "01s", "1h",
                            "99999999999999999999s", "99999999999m", "9223372036854775807ms"}) {
    EXPECT_FALSE(parse_duration(wrong)) << wrong;
  }
  EXPECT_EQ(format_duration(120s), "120s");
  EXPECT_EQ(format_duration(1500ms), "1500ms");
  EXPECT_EQ(format_duration(0s), "0s");
}

TEST(Values, InterfaceAddresses) {
  const auto v4 = parse_interface_address("192.0.2.2/24");
  ASSERT_TRUE(v4);
  EXPECT_EQ(v4->address.to_string(), "192.0.2.2");
  EXPECT_EQ(v4->prefix_length, 24);
  EXPECT_TRUE(parse_interface_address("192.0.2.2/0"));
  EXPECT_TRUE(parse_interface_address("192.0.2.2/32"));
  EXPECT_TRUE(parse_interface_address("2001:db8::2/128"));
  for (const char* wrong :
       {"192.0.2.2", "192.0.2.2/", "192.0.2.2/33", "192.0.2.2/-1", "192.0.2/24", "192.0.2.2/24/24",
        "2001:db8::2/129", "/24", "", "192.0.2.02/24", "192.0.2.2 /24"}) {
    EXPECT_FALSE(parse_interface_address(wrong)) << wrong;
  }
}

IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }

TEST(Values, HostAddresses) {
  for (const char* host : {"192.0.2.1", "2001:db8::1", "fe80::1", "fd00::1", "::1:0:0:1",
                           "64:ff9b::192.0.2.1", "::fffe:0:1", "feff::"}) {
    EXPECT_TRUE(is_host(ip(host))) << host;
  }
  for (const char* none : {"0.0.0.0", "127.0.0.1", "224.0.0.18", "255.255.255.255", "::", "::1",
                           "::192.0.2.1", "::ffff:192.0.2.1", "ff02::12", "ffff::"}) {
    EXPECT_FALSE(is_host(ip(none))) << none;
  }
  EXPECT_TRUE(is_link_local(ip("fe80::1")));
  EXPECT_TRUE(is_link_local(ip("febf::1")));
  EXPECT_FALSE(is_link_local(ip("fec0::1")));
  EXPECT_FALSE(is_link_local(ip("169.254.0.1")));
}

TEST(Values, Endpoints) {
  for (const char* good : {"192.0.2.9:443", "[2001:db8::1]:1", "[fe80::1]:65535"}) {
    const auto endpoint = parse_endpoint(good);
    ASSERT_TRUE(endpoint) << good;
    EXPECT_EQ(format_endpoint(*endpoint), good);
  }
  EXPECT_EQ(parse_endpoint("192.0.2.9:443")->number, 443);
  for (const char* wrong :
       {"", ":", ":443", "192.0.2.9", "192.0.2.9:", "192.0.2.9:0", "192.0.2.9:65536",
        "192.0.2.9:0443", "[192.0.2.9]:443", "2001:db8::1", "2001:db8::1:443", "[2001:db8::1]",
        "[2001:db8::1:443", "2001:db8::1]:443", "[]:443", "[:443", "host:443"}) {
    EXPECT_FALSE(parse_endpoint(wrong)) << wrong;
  }
}

TEST(Values, Subnets) {
  EXPECT_TRUE(same_subnet(ip("192.0.2.1"), ip("192.0.2.127"), 25));
  EXPECT_FALSE(same_subnet(ip("192.0.2.1"), ip("192.0.2.128"), 25));
  EXPECT_TRUE(same_subnet(ip("192.0.2.1"), ip("10.0.0.1"), 0));
  EXPECT_FALSE(same_subnet(ip("192.0.2.1"), ip("2001:db8::1"), 0));
  EXPECT_TRUE(same_subnet(ip("2001:db8::1"), ip("2001:db8::ffff"), 112));
  EXPECT_FALSE(same_subnet(ip("2001:db8::1"), ip("2001:db8::8001"), 113));
  EXPECT_TRUE(same_subnet(ip("2001:db8::1"), ip("2001:db8::1"), 128));
  EXPECT_FALSE(same_subnet(ip("2001:db8::1"), ip("2001:db8::2"), 128));

  for (const char* reserved : {"192.0.2.0/24", "192.0.2.255/24", "192.0.2.128/25", "192.0.2.3/30",
                               "0.0.0.0/0", "2001:db8::/64", "2001:db8::4/126", "fe80::/64"}) {
    EXPECT_NE(reserved_in_subnet(parse_interface_address(reserved).value()), "") << reserved;
  }
  for (const char* free :
       {"192.0.2.1/24", "192.0.2.0/31", "192.0.2.1/31", "192.0.2.0/32", "192.0.2.128/24",
        "2001:db8::1/64", "2001:db8::ffff:ffff:ffff:ffff/64", "2001:db8::/127", "2001:db8::/128"}) {
    EXPECT_EQ(reserved_in_subnet(parse_interface_address(free).value()), "") << free;
  }
}

TEST(Values, Names) {
  EXPECT_TRUE(is_name("lan", 11));
  EXPECT_TRUE(is_name("a-b-c-0-9-x", 11));
  EXPECT_FALSE(is_name("a-b-c-0-9-xy", 11));
  for (const char* wrong : {"", "Lan", "l.an", "l_an", "l an", "l\xc3\xa4n"}) {
    EXPECT_FALSE(is_name(wrong, 11)) << wrong;
  }
}

TEST(Values, Devices) {
  EXPECT_TRUE(is_pci_address("0000:3b:00.0"));
  EXPECT_TRUE(is_pci_address("00aF:FF:1f.7"));
  for (const char* wrong : {"3b:00.0", "0000:3b:00", "0000:3b:20.0", "0000:3b:00.8", "0000-3b:00.0",
                            "000g:3b:00.0", "0000:3b:00.00", ""}) {
    EXPECT_FALSE(is_pci_address(wrong)) << wrong;
  }
  EXPECT_TRUE(is_vdev("net_af_packet0,iface=eth1"));
  EXPECT_TRUE(is_vdev("eth_ring0"));
  for (const char* wrong :
       {"eth1", "net_", "net_,iface=x", "net_Tap0", "netx_tap0", "net_a b", ""}) {
    EXPECT_FALSE(is_vdev(wrong)) << wrong;
  }
  EXPECT_EQ(device_identity("00aF:FF:1f.7"), "00af:ff:1f.7");
  EXPECT_EQ(device_identity("net_tap0,iface=A"), "net_tap0");
}

// Pinned by an independent FNV-1a: 32-bit hash of "a" is 0xe40c292c.
TEST(Values, NodeIdOfAName) {
  constexpr std::uint32_t kHash = 0xe40c292cU;
  EXPECT_EQ(node_id_of("a"), NodeId((kHash ^ (kHash >> 12) ^ (kHash >> 24)) & 0xfff));
  EXPECT_NE(node_id_of("fw-a"), node_id_of("fw-b"));
}

}  // namespace
}  // namespace koi::config::values_test
