// Advertisements over IPv6: what differs from advert_receiver_test.cpp, and what the two families
// have with each other.
#include <gtest/gtest.h>

#include "tests/support/world.h"

namespace koi::dataplane::advert_receiver6_test {
namespace {

using namespace test;  // NOLINT: the whole file is about its frames

const Advert kAd{.vhid = 6, .addresses = {kBothIp}, .addresses6 = {kSharedIp6}};

Advert with_counter(std::uint64_t counter) {
  Advert ad = kAd;
  ad.counter = counter;
  return ad;
}
/// Another dialect's group, where counters prove nothing.
Advert foreign(std::uint64_t counter) {
  Advert ad{.vhid = 10, .addresses = {kForeignBothIp}, .addresses6 = {kForeignSharedIp6}};
  ad.counter = counter;
  return ad;
}

TEST(AdvertReceiver6, TheFrameOfTheTestsIsTheGoldenVector) {  // protocol.md §4, B
  EXPECT_EQ(to_hex(carp({.vhid = 7,
                         .advskew = 0,
                         .counter = 1,
                         .key = "secret",
                         .addresses = {ipv4(192, 0, 2, 10), ipv4(192, 0, 2, 20)},
                         .addresses6 = {*Ipv6Address::parse("2001:db8::10")}})),
            "210700070001ce1a0000000000000001e407652b360eed4f84db0ff61ecd4beab554ef65");
}

// C3.2 kept, C5.4 kept, C5.13 kept
TEST(AdvertReceiver6, GoldenVectorIsAccepted) {
  const PortIndex port(0);
  World world(TopologyBuilder()
                  .port(kPortMac)
                  .own6(port, VlanId(0), kOwnLinkLocal)
                  .group({.vhid = Vhid(7),
                          .keys = {"secret"},
                          .addresses = {ipv4(192, 0, 2, 10), ipv4(192, 0, 2, 20)},
                          .addresses6 = {*Ipv6Address::parse("2001:db8::10")},
                          .families = kBothFamilies,
                          .replay = ReplayRule::none})
                  .build());
  // Scapy's IPv6(src="fe80::2", dst="ff02::12", hlim=255, nh=112, plen=36), and vector B.
  EXPECT_EQ(world.verdict_on(from_hex(
                "333300000012 00005e000107 86dd 60000000002470ff fe800000000000000000000000000002 "
                "ff020000000000000000000000000012 210700070001ce1a 0000000000000001 "
                "e407652b360eed4f84db0ff61ecd4beab554ef65")),
            "taken");
}

TEST(AdvertReceiver6, AcceptedWithEveryField) {
  World world;
  Advert ad = kAd;
  ad.advskew = 33;
  ad.advbase = 2;
  ad.demote = 4;
  EXPECT_EQ(world.verdict_on(frame6(ad)), "taken");
  const VerifiedAdvert* advert = world.up.advert(0);
  ASSERT_NE(advert, nullptr);
  EXPECT_EQ(advert->slot, kBoth);
  EXPECT_EQ(advert->family, Family::ipv6);
  EXPECT_EQ(advert->advbase, 2);
  EXPECT_EQ(advert->advskew, 33);
  EXPECT_EQ(advert->demote, 4);
  EXPECT_EQ(advert->counter, kAd.counter);
  EXPECT_EQ(advert->source, IpAddress(kPeerLinkLocal));
  EXPECT_EQ(advert->source_mac, kPeerMac);
  EXPECT_EQ(advert->heard_number, 1U);
}

// protocol.md §3: each frame fails its check and all later ones.
// C4.1 kept, C4.1 refused
TEST(AdvertReceiver6, ChecksInTheirOrder) {
  World world;
  Ip6 ip = kAdvertIp6;
  ip.destination = kAllNodes;
  ip.hop_limit = 254;
  EXPECT_EQ(world.verdict_on(frame6(kAd, ip, Bytes(35))), "carp_ttl");
  ip.hop_limit = 255;
  EXPECT_EQ(world.verdict_on(frame6(kAd, ip, Bytes(35))), "carp_destination");
  ip.destination = kCarpIpv6Group;
  EXPECT_EQ(world.verdict_on(frame6(kAd, ip, Bytes(35))), "carp_length");
  EXPECT_EQ(world.verdict_on(frame6(kAd, ip, Bytes(36))), "carp_checksum");
}

// C3.3 refused
TEST(AdvertReceiver6, EveryOtherHopLimit) {
  World world;
  for (unsigned limit = 0; limit < 255; ++limit) {
    Ip6 ip = kAdvertIp6;
    ip.hop_limit = static_cast<std::uint8_t>(limit);
    EXPECT_EQ(world.verdict_on(frame6(kAd, ip)), "carp_ttl") << limit;
  }
}

// C13.11 refused
TEST(AdvertReceiver6, OnlyToTheGroup) {
  World world;
  for (const Ipv6Address& to : {kOwnLinkLocal, kSharedIp6, kAllNodes}) {
    Ip6 ip = kAdvertIp6;
    ip.destination = to;
    EXPECT_EQ(world.verdict_on(frame6(kAd, ip)), "carp_destination") << to.to_string();
  }
}

// C2.6 kept
TEST(AdvertReceiver6, ChecksumHasNoPseudoHeader) {  // protocol.md §1
  World world;
  Bytes payload = carp(kAd);
  set_checksum6(payload, 6, kAdvertIp6, 112);
  EXPECT_EQ(world.verdict_on(frame6(kAd, kAdvertIp6, payload)), "carp_checksum");
}

TEST(AdvertReceiver6, BehindExtensionHeaders) {
  World world;
  Ip6 ip = kAdvertIp6;
  ip.next = 60;
  ip.extensions = from_hex("7000010400000000");
  EXPECT_EQ(world.verdict_on(frame6(kAd, ip)), "taken");
  ip.next = 44;
  EXPECT_EQ(world.verdict_on(frame6(kAd, ip)), "ipv6_fragment");
}

TEST(AdvertReceiver6, EveryTruncation) {
  World world;
  const Bytes whole = frame6(kAd);
  for (std::size_t n = 0; n < whole.size(); ++n) {
    EXPECT_EQ(world.verdict_on(prefix(whole, n)), n < 14 ? "runt" : "ipv6_length") << n;
  }
  for (std::size_t n = 0; n < 36; ++n) {
    EXPECT_EQ(world.verdict_on(frame6(kAd, kAdvertIp6, prefix(carp(kAd), n))), "carp_length") << n;
  }
}

TEST(AdvertReceiver6, Tagged) {
  World world;
  Advert ad{.vhid = 8, .addresses = {}, .addresses6 = {kTaggedSharedIp6}};
  EXPECT_EQ(world.verdict_on(frame6(ad)), "carp_vhid");
  ad.ethernet.tag = 0xe014;
  EXPECT_EQ(world.verdict_on(frame6(ad)), "taken");
  EXPECT_EQ(world.up.advert(0)->slot, kTagged6);
  ad.ethernet.tag = 21;
  EXPECT_EQ(world.verdict_on(frame6(ad)), "carp_vhid");
  Advert priority = kAd;
  priority.ethernet.tag = 0x6000;
  EXPECT_EQ(world.verdict_on(frame6(priority)), "taken");
}

TEST(AdvertReceiver6, EveryByteOfTheHeadersFlippedChangesNothingAuthentic) {
  World world;
  for (std::size_t at = 12; at < 90; ++at) {
    for (unsigned flip = 1; flip < 256; ++flip) {
      Bytes bytes = frame6(foreign(1));
      bytes[at] ^= static_cast<std::byte>(flip);
      const bool taken = verdict(world.receive(bytes)) == "taken";
      // IPv6 has no header checksum: traffic class, flow label and source are nobody's proof.
      const bool free = (at == 14 && flip < 16) || (at >= 15 && at < 18) || (at >= 22 && at < 38);
      ASSERT_EQ(taken, free) << at << " ^ " << flip;
      if (taken) {
        ASSERT_EQ(world.up.advert(0)->counter, 1U);
      }
      world.up.messages.clear();
    }
  }
}

// ---- both families -----------------------------------------------------------------------------

// C6.3 kept, C6.3 refused
TEST(AdvertReceiver6, KoiCountsOnInBothFamilies) {
  World world;
  EXPECT_EQ(world.verdict_on(frame(with_counter(counter_of(1)))), "taken");
  EXPECT_EQ(world.verdict_on(frame6(with_counter(counter_of(2)))), "taken");
  EXPECT_EQ(world.verdict_on(frame(with_counter(counter_of(3)))), "taken");
  // One that was heard in one family is a replay in the other.
  EXPECT_EQ(world.verdict_on(frame6(with_counter(counter_of(3)))), "carp_replay");
}

// C6.3 kept, C6.3 refused
TEST(AdvertReceiver6, TheFamiliesOfOneTickMayOvertakeEachOther) {
  World world;
  EXPECT_EQ(world.verdict_on(frame6(with_counter(counter_of(2)))), "taken");
  EXPECT_EQ(world.verdict_on(frame(with_counter(counter_of(1)))), "taken");
  EXPECT_EQ(world.verdict_on(frame(with_counter(counter_of(1)))), "carp_replay");
}

// C6.8 kept, C6.8 refused
TEST(AdvertReceiver6, OtherDialectsOwnSourceAddressIsOurOwn) {
  World world;
  Ip6 ip = kAdvertIp6;
  ip.source = kOwnLinkLocal;
  EXPECT_EQ(world.verdict_on(frame6(foreign(1), ip)), "carp_own");
  ip.source = kOwnIp6;  // not the one that we send from
  EXPECT_EQ(world.verdict_on(frame6(foreign(1), ip)), "taken");
}

TEST(AdvertReceiver6, WithoutASourceOfOursNothingIsOurOwn) {
  World world(TopologyBuilder()
                  .port(kPortMac)
                  .group({.vhid = Vhid(10),
                          .addresses = {kForeignBothIp},
                          .addresses6 = {kForeignSharedIp6},
                          .families = kBothFamilies,
                          .replay = ReplayRule::none})
                  .build());
  Ip6 ip = kAdvertIp6;
  ip.source = {};
  EXPECT_EQ(world.verdict_on(frame6(foreign(1), ip)), "taken");
}

/// What the worker says of an advertisement that was just received.
std::string flags(World& world, const Bytes& bytes) {
  const std::string verdict = world.verdict_on(bytes);
  if (verdict != "taken") return verdict;
  const auto& advert = std::get<VerifiedAdvert>(world.up.messages.back());
  return std::string(advert.counter_went_back ? "back " : "on ") +
         (advert.same_parameters ? "same" : "changed");
}

// protocol.md §5: OpenBSD sends one constant counter in both families, FreeBSD counts each on.
TEST(AdvertReceiver6, EachFamilyHasItsOwnAccountWithOtherDialects) {
  World world;
  Advert demoted = foreign(7);
  demoted.demote = 1;
  EXPECT_EQ(flags(world, frame(foreign(7))), "on same");
  EXPECT_EQ(flags(world, frame6(foreign(7))), "on same");
  EXPECT_EQ(flags(world, frame(foreign(7))), "on same");
  // A demotion is told in each, once.
  EXPECT_EQ(flags(world, frame(demoted)), "on changed");
  EXPECT_EQ(flags(world, frame6(demoted)), "on changed");
  EXPECT_EQ(flags(world, frame6(demoted)), "on same");
  // FreeBSD's two counters, the second of which overtakes the first.
  EXPECT_EQ(flags(world, frame6(foreign(11))), "on same");
  EXPECT_EQ(flags(world, frame(foreign(10))), "on same");
  EXPECT_EQ(flags(world, frame6(foreign(13))), "on same");
  EXPECT_EQ(flags(world, frame(foreign(12))), "on same");
  // Back within one family is back.
  EXPECT_EQ(flags(world, frame6(foreign(11))), "back same");
  EXPECT_EQ(flags(world, frame(foreign(12))), "on same");
}

}  // namespace
}  // namespace koi::dataplane::advert_receiver6_test
