#include "dataplane/advert_destination.h"

#include <gtest/gtest.h>

#include "tests/support/world.h"

namespace koi::dataplane::advert_destination_test {
namespace {

using namespace test;  // NOLINT: the whole file is about its frames

constexpr PortIndex kPort{0};
constexpr VlanId kUntagged{0};

/// Three slots of both families: vhid 1 listens to the group, vhid 2 to peers, vhid 3 to both.
std::shared_ptr<const Topology> topology() {
  TopologyBuilder builder;
  builder.port(kPortMac)
      .own(kPort, kUntagged, kOwnIp)
      .own(kPort, kVlan, kTaggedOwnIp)
      .own6(kPort, kUntagged, kOwnLinkLocal)
      .own6(kPort, kUntagged, kOwnIp6)
      .peer(kPort, kUntagged, kUnicastPeerIp)
      .peer6(kPort, kUntagged, kUnicastPeerIp6);
  for (std::uint8_t vhid = 1; vhid <= 3; ++vhid) {
    builder.group({.port = kPort,
                   .vhid = Vhid(vhid),
                   .addresses = {ipv4(192, 0, 2, static_cast<std::uint8_t>(100 + vhid))},
                   .families = kBothFamilies,
                   .multicast = vhid != 2,
                   .unicast = vhid != 1});
  }
  return builder.build();
}

AdvertWay way(const IpAddress& source, const IpAddress& destination, VlanId vlan = kUntagged) {
  return advert_way(*topology(), kPort, vlan, source, destination);
}

// C13.1 kept
TEST(AdvertWay, GroupFromAnybody) {
  EXPECT_EQ(way(kPeerIp, kCarpIpv4Group), AdvertWay::group);
  EXPECT_EQ(way(kUnicastPeerIp, kCarpIpv4Group), AdvertWay::group);
  EXPECT_EQ(way(kPeerLinkLocal, kCarpIpv6Group), AdvertWay::group);
}

// C13.11 kept
TEST(AdvertWay, UnicastFromAPeerToAnOwnAddress) {
  EXPECT_EQ(way(kUnicastPeerIp, kOwnIp), AdvertWay::unicast);
  EXPECT_EQ(way(kUnicastPeerIp6, kOwnIp6), AdvertWay::unicast);
  EXPECT_EQ(way(kUnicastPeerIp6, kOwnLinkLocal), AdvertWay::unicast);
}

// C13.11 refused
TEST(AdvertWay, NothingElse) {
  EXPECT_EQ(way(kPeerIp, kOwnIp), AdvertWay::neither);                       // no peer
  EXPECT_EQ(way(kOwnIp, kOwnIp), AdvertWay::neither);                        // ourselves
  EXPECT_EQ(way(kUnicastPeerIp, ipv4(192, 0, 2, 101)), AdvertWay::neither);  // a shared address
  EXPECT_EQ(way(kUnicastPeerIp, ipv4(224, 0, 0, 1)), AdvertWay::neither);    // another group
  EXPECT_EQ(way(kUnicastPeerIp, kUnicastPeerIp), AdvertWay::neither);
  EXPECT_EQ(way(kUnicastPeerIp, kTaggedOwnIp, kVlan), AdvertWay::neither);  // a peer elsewhere
  EXPECT_EQ(way(kUnicastPeerIp6, kAllNodes), AdvertWay::neither);
}

/// What becomes of an advertisement for a vhid, by group and by unicast.
std::string fates(std::uint8_t vhid) {
  World world(topology());
  Advert ad{.vhid = vhid, .addresses = {ipv4(192, 0, 2, static_cast<std::uint8_t>(100 + vhid))}};
  std::string log = world.verdict_on(frame(ad));
  ad.ip.source = kUnicastPeerIp;
  ad.ip.destination = kOwnIp;
  ad.ethernet.to = kPortMac;
  ad.counter += 0x1000;
  log += " " + world.verdict_on(frame(ad));
  const Ip6 to_us{.next = 112, .source = kUnicastPeerIp6, .destination = kOwnIp6};
  ad.counter += 0x1000;
  return log + " " + world.verdict_on(frame6(ad, to_us));
}

// C13.1 kept, C13.11 kept, C13.1 refused, C13.11 refused
TEST(AdvertWay, SlotsListenAsTheyAreTold) {
  EXPECT_EQ(fates(1), "taken carp_destination carp_destination");
  EXPECT_EQ(fates(2), "carp_destination taken taken");
  EXPECT_EQ(fates(3), "taken taken taken");
}

// C13.3 kept, C13.3 refused
TEST(AdvertWay, OfSeveralCopiesTheFirstCounts) {
  World world(topology());
  const Advert by_group{.vhid = 3, .addresses = {ipv4(192, 0, 2, 103)}};
  Advert by_unicast = by_group;
  by_unicast.ip.source = kUnicastPeerIp;
  by_unicast.ip.destination = kOwnIp;
  by_unicast.ethernet.to = kPortMac;
  EXPECT_EQ(world.verdict_on(frame(by_unicast)), "taken");
  EXPECT_EQ(world.verdict_on(frame(by_group)), "carp_replay");
  EXPECT_EQ(world.verdict_on(frame(by_unicast)), "carp_replay");
  EXPECT_EQ(world.up.messages.size(), 1U);
}

TEST(AdvertWay, UnicastNeedsTtl255AndTheDigestToo) {
  World world(topology());
  Advert ad{.vhid = 3, .addresses = {ipv4(192, 0, 2, 103)}};
  ad.ip.source = kUnicastPeerIp;
  ad.ip.destination = kOwnIp;
  ad.ip.ttl = 254;
  EXPECT_EQ(world.verdict_on(frame(ad)), "carp_ttl");
  ad.ip.ttl = 255;
  ad.key = "forger";
  EXPECT_EQ(world.verdict_on(frame(ad)), "carp_digest");
}

}  // namespace
}  // namespace koi::dataplane::advert_destination_test
