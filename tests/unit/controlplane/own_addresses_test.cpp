#include "controlplane/own_addresses.h"

#include <gtest/gtest.h>

#include "tests/support/lab_config.h"

namespace koi::controlplane::own_addresses_test {
namespace {

constexpr VlanId kUntagged{0};
const MacAddress kMac = mac_from({0x52, 0x54, 0x00, 0x12, 0x34, 0x56});
/// RFC 4291 appendix A: the universal bit turned, ff:fe in the middle.
const Ipv6Address kDerived = test::ip6("fe80::5054:ff:fe12:3456");

config::Port port_with(const std::vector<const char*>& addresses) {
  config::Port port;
  port.name = "lan";
  for (const char* address : addresses) {
    port.addresses.push_back({IpAddress::parse(address).value(), 24});
  }
  return port;
}

// C3.6 kept
TEST(OwnAddresses, TheFirstOfEachKindIsTheSource) {
  const OwnAddresses own = own_addresses(
      port_with({"2001:db8::2", "192.0.2.2", "fe80::2", "192.0.2.3", "fe80::3", "2001:db8::3"}),
      kUntagged, kMac, true);
  EXPECT_EQ(own.ipv4, test::ip4("192.0.2.2"));
  EXPECT_EQ(own.link_local, test::ip6("fe80::2"));
  EXPECT_EQ(own.global, test::ip6("2001:db8::2"));
  EXPECT_EQ(own.ipv6(), test::ip6("fe80::2"));
  EXPECT_EQ(own.all.size(), 6U);  // and none derived
}

// C3.7 kept
TEST(OwnAddresses, ALinkLocalOneIsDerivedFromTheMacWhereNoneIsGiven) {
  for (const bool with_ipv6 : {false, true}) {  // a global address needs one, whoever asks
    const OwnAddresses own =
        own_addresses(port_with({"192.0.2.2", "2001:db8::2"}), kUntagged, kMac, with_ipv6);
    EXPECT_EQ(own.link_local, kDerived);
    EXPECT_EQ(own.ipv6(), kDerived);
    ASSERT_EQ(own.all.size(), 3U);  // it is answered for as well
    EXPECT_EQ(own.all[2], IpAddress(kDerived));
  }
  EXPECT_EQ(own_addresses(port_with({"192.0.2.2"}), kUntagged, kMac, true).link_local, kDerived);
}

TEST(OwnAddresses, WhereNobodySpeaksIpv6TheBoxDoesNotAppearInIt) {
  const OwnAddresses own = own_addresses(port_with({"192.0.2.2"}), kUntagged, kMac, false);
  EXPECT_TRUE(own.link_local.is_unspecified());
  EXPECT_TRUE(own.ipv6().is_unspecified());
  EXPECT_EQ(own.all.size(), 1U);
}

// C14.5 kept
TEST(OwnAddresses, EachVlanHasItsOwn) {
  config::Port port = port_with({"192.0.2.2", "2001:db8::2"});
  port.vlans[VlanId(20)].addresses = {{test::ip4("198.51.100.2"), 24}};
  const OwnAddresses own = own_addresses(port, VlanId(20), kMac, false);
  EXPECT_EQ(own.ipv4, test::ip4("198.51.100.2"));
  EXPECT_TRUE(own.global.is_unspecified());
  EXPECT_EQ(own.all, std::vector<IpAddress>{test::ip4("198.51.100.2")});
}

TEST(OwnAddresses, WithoutAnyThereAreNone) {
  const OwnAddresses own = own_addresses(port_with({}), kUntagged, kMac, false);
  EXPECT_TRUE(own.all.empty());
  EXPECT_TRUE(own.ipv4.is_zero());
}

}  // namespace
}  // namespace koi::controlplane::own_addresses_test
