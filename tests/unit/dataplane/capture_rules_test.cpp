#include "dataplane/capture_rules.h"

#include <gtest/gtest.h>

#include "tests/support/frames.h"

namespace koi::dataplane::capture_rules_test {
namespace {

using namespace test;  // NOLINT: the whole file is about its frames

constexpr MacAddress kStranger = mac_from({0x02, 0, 0, 0, 0, 0x99});
const Ethernet kOther{.to = kStranger, .from = kClientMac};

/// vhids 1 and 8, untagged, 192.0.2.1 and 2001:db8::1, and one more of each.
CaptureFilter group() {
  CaptureFilter filter;
  filter.all = false;
  filter.vhids.set(1);
  filter.vhids.set(8);
  filter.ipv4 = {kSharedIp, ipv4(192, 0, 2, 200)};
  filter.ipv6 = {kSharedIp6, kForeignSharedIp6};
  return filter;
}

TEST(CaptureRules, APortIsEveryFrame) {
  EXPECT_TRUE(matches(CaptureFilter{}, Bytes{}));
  EXPECT_TRUE(matches(CaptureFilter{}, arp({.target_ip = kClientIp})));
}

TEST(CaptureRules, AGroupsVirtualMacsEitherWay) {
  for (const MacAddress& mac : {mac_from({0, 0, 0x5e, 0, 1, 1}), mac_from({1, 0, 0x5e, 0, 1, 8})}) {
    EXPECT_TRUE(matches(group(), ethernet({.to = mac}, 0x9999, {}))) << mac.to_string();
    EXPECT_TRUE(matches(group(), ethernet({.to = kStranger, .from = mac}, 0x9999, {})));
  }
  for (const MacAddress& mac : {mac_from({0, 0, 0x5e, 0, 1, 2}), mac_from({0, 0, 0x5e, 0, 2, 1}),
                                mac_from({2, 0, 0x5e, 0, 1, 1}), mac_from({0, 0, 0x5f, 0, 1, 1})}) {
    EXPECT_FALSE(matches(group(), ethernet({.to = mac}, 0x9999, {}))) << mac.to_string();
  }
}

TEST(CaptureRules, ItsAdvertisementsInBothFamilies) {
  for (const std::uint8_t vhid : {std::uint8_t{1}, std::uint8_t{8}}) {
    Advert advert{.vhid = vhid, .ethernet = {.to = kStranger, .from = kClientMac}};
    EXPECT_TRUE(matches(group(), frame(advert)));
    EXPECT_TRUE(matches(group(), frame6(advert)));
  }
  const Advert other{.vhid = 9, .ethernet = kOther};
  EXPECT_FALSE(matches(group(), frame(other)));
  EXPECT_FALSE(matches(group(), frame6(other)));
  // Behind options, which koi itself refuses.
  Bytes options = frame(Advert{.ethernet = kOther});
  options[14] = std::byte{0x46};
  options.insert(options.begin() + 34, 4, std::byte{0x21});
  EXPECT_TRUE(matches(group(), options));
}

TEST(CaptureRules, WhatIsToFromOrAboutItsAddresses) {
  EXPECT_TRUE(matches(group(), arp({.target_ip = kSharedIp}, kOther)));
  EXPECT_TRUE(matches(group(), arp({.sender_ip = ipv4(192, 0, 2, 200), .target_ip = kOwnIp})));
  EXPECT_FALSE(matches(group(), arp({.target_ip = kOwnIp})));
  EXPECT_TRUE(matches(group(), echo({.destination = kSharedIp}, kOther)));
  EXPECT_TRUE(matches(group(), echo({.source = kSharedIp}, kOther)));
  EXPECT_FALSE(matches(group(), echo({}, kOther)));
  EXPECT_TRUE(matches(group(), echo6({.destination = kSharedIp6}, kOther)));
  EXPECT_TRUE(matches(group(), echo6({.source = kForeignSharedIp6}, kOther)));
  EXPECT_FALSE(matches(group(), echo6({}, kOther)));
  EXPECT_TRUE(matches(group(), neighbor({})));
  EXPECT_FALSE(matches(group(), neighbor({.target = kOwnIp6})));
  Neighbor said = advertised(kSharedIp6, kStranger);
  said.ip.source = kClientIp6;
  EXPECT_TRUE(matches(group(), neighbor(said)));
}

TEST(CaptureRules, ItsVlanOnly) {
  CaptureFilter tagged = group();
  tagged.vlan = kVlan;
  const Bytes untagged = arp({});
  const Bytes on_it = arp({}, {.tag = 0x6000 | 20});  // with a priority
  EXPECT_TRUE(matches(tagged, on_it));
  EXPECT_FALSE(matches(tagged, untagged));
  EXPECT_FALSE(matches(tagged, arp({}, {.tag = 21})));
  EXPECT_FALSE(matches(group(), on_it));
  EXPECT_TRUE(matches(group(), arp({}, {.tag = 0x6000})));  // VLAN 0 is none
}

/// Under AddressSanitizer this would show a read past the end.
TEST(CaptureRules, NoPrefixIsReadBeyond) {
  const Ethernet other = kOther;
  Neighbor asks;
  asks.ethernet = other;
  for (const Bytes& whole :
       {arp({}, other), echo({.source = kSharedIp}, other), frame(Advert{.ethernet = other}),
        frame6(Advert{.ethernet = other}), neighbor(asks), arp({}, {.tag = 0})}) {
    ASSERT_TRUE(matches(group(), whole));
    bool before = false;
    for (std::size_t length = 0; length <= whole.size(); ++length) {
      const Bytes prefix(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
      const bool now = matches(group(), prefix);
      EXPECT_TRUE(now || !before) << length;  // more bytes never make it match less
      before = now;
    }
    EXPECT_FALSE(matches(group(), std::span(whole).first(20)));
  }
}

TEST(CaptureBudget, SoManyBytesInAMillisecond) {
  CaptureBudget budget;
  Instant now{5s};
  budget.begin_burst(now);
  std::uint32_t frames = 0;
  while (budget.take(256)) ++frames;
  EXPECT_EQ(frames, CaptureBudget::kBytes / (256 + CaptureBudget::kEach));
  budget.begin_burst(now + 999us);
  EXPECT_FALSE(budget.take(256));
  budget.begin_burst(now + 1ms);
  EXPECT_TRUE(budget.take(256));
  // Frames without a byte use it up too.
  budget.begin_burst(now + 10ms);
  frames = 0;
  while (budget.take(0)) ++frames;
  EXPECT_EQ(frames, CaptureBudget::kBytes / CaptureBudget::kEach);
}

TEST(CaptureBudget, TheLongestFrameFits) {
  CaptureBudget budget;
  budget.begin_burst(Instant{1s});
  EXPECT_TRUE(budget.take(CaptureWanted::kMostSnaplen));
}

}  // namespace
}  // namespace koi::dataplane::capture_rules_test
