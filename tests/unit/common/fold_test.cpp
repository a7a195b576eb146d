// Balancing by packet: protocol.md §11. The expected values are Python's, from the rule alone:
//   words = lambda a: struct.unpack(f">{len(a) // 4}I", a)
//   functools.reduce(operator.xor, words(source) + words(destination))
#include "common/balance/fold.h"

#include <gtest/gtest.h>

namespace koi::balance::fold_test {
namespace {

std::uint32_t fold4(const char* a, const char* b) {
  return fold(Ipv4Address::parse(a).value(), Ipv4Address::parse(b).value());
}
std::uint32_t fold6(const char* a, const char* b) {
  return fold(Ipv6Address::parse(a).value(), Ipv6Address::parse(b).value());
}

// C12.13 kept
TEST(Fold, CheckValues) {
  EXPECT_EQ(fold4("192.0.2.1", "192.0.2.10") % 2, 1U);  // protocol.md §11
  EXPECT_EQ(fold4("192.0.2.2", "192.0.2.10") % 2, 0U);
  EXPECT_EQ(fold4("192.0.2.1", "192.0.2.10"), 0x0000000bU);
  EXPECT_EQ(fold4("198.51.100.7", "203.0.113.9"), 0x0d33150eU);
  EXPECT_EQ(fold4("255.0.0.1", "0.255.254.3"), 0xfffffe02U);  // unsigned: % 3 is 1
  EXPECT_EQ(fold4("255.0.0.1", "0.255.254.3") % 3, 1U);
  EXPECT_EQ(fold6("2001:db8::77", "2001:db8::1"), 0x00000076U);
  EXPECT_EQ(fold6("2001:db8:1:2:3:4:5:6", "2001:db8:a:b:c:d:e:f"), 0x000f0009U);
  EXPECT_EQ(fold6("fe80::5054:ff:fe12:3456", "2001:db8::1"), 0x70c73910U);
}

TEST(Fold, BothWaysOfAConversationAreOne) {
  EXPECT_EQ(fold4("203.0.113.9", "198.51.100.7"), fold4("198.51.100.7", "203.0.113.9"));
  EXPECT_EQ(fold6("2001:db8::1", "fe80::5054:ff:fe12:3456"),
            fold6("fe80::5054:ff:fe12:3456", "2001:db8::1"));
}

TEST(Fold, OfEitherFamily) {
  const IpAddress a = Ipv4Address::parse("198.51.100.7").value();
  const IpAddress b = Ipv4Address::parse("203.0.113.9").value();
  EXPECT_EQ(fold(a, b), 0x0d33150eU);
  const IpAddress a6 = Ipv6Address::parse("2001:db8::77").value();
  const IpAddress b6 = Ipv6Address::parse("2001:db8::1").value();
  EXPECT_EQ(fold(a6, b6), 0x76U);
}

}  // namespace
}  // namespace koi::balance::fold_test
