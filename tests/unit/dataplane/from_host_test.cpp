// What the host may send: the rules of dataplane/host_gate.h and host_nd.h.
#include <gtest/gtest.h>

#include "dataplane/host_gate.h"
#include "tests/support/balanced.h"
#include "tests/support/world.h"

namespace koi::dataplane::from_host_test {
namespace {

using namespace test;  // NOLINT: the whole file is about its frames

const MacAddress kLanMac = virtual_mac(Vhid(1));
const MacAddress kBothMac = virtual_mac(Vhid(6));
const Ethernet kToClient{.to = kClientMac, .from = kPortMac};
const Ipv6Address kSharedLinkLocal = ipv6_from({0xfe80, 0, 0, 0, 0, 0, 0, 1});

/// MASTER of the LAN's group and of the one with both families, which has a link-local address too.
struct HostWorld : World {
  HostWorld()
      : World(usual_builder()
                  .group({.port = PortIndex(0),
                          .vhid = Vhid(30),
                          .addresses = {},
                          .addresses6 = {kSharedLinkLocal},
                          .families = family_bit(Family::ipv6)})
                  .hosted()
                  .build()) {
    for (const SlotIndex slot : {kLan, kBoth, kRouter}) reign(slot);
  }
  void step_down(SlotIndex slot) {
    view.terms[slot.value()] = Term(0);
    poll();
  }
  void expect_unchanged(const Bytes& frame) {
    Bytes sent = frame;
    EXPECT_EQ(from_host(sent), "pass");
    EXPECT_EQ(sent, frame);
  }
  void expect(const Bytes& frame, std::string_view reason) {
    Bytes sent = frame;
    EXPECT_EQ(from_host(sent), reason);
  }
  static constexpr SlotIndex kRouter{7};
};

Bytes sent_udp(const Ip& ip, const Ethernet& e = kToClient) {
  Ip with_protocol = ip;
  with_protocol.protocol = 17;
  return ethernet(e, 0x0800, ip_packet(with_protocol, Bytes(26)));
}
Bytes udp6(const Ip6& ip, const Ethernet& e = kToClient) {
  Ip6 with_protocol = ip;
  with_protocol.next = 17;
  return ethernet(e, 0x86dd, ip6_packet(with_protocol, Bytes(26)));
}

TEST(FromHost, WhatIsNotFromASharedAddressLeavesAsItIs) {
  HostWorld world;
  world.expect_unchanged(sent_udp({.source = kOwnIp, .destination = kClientIp}));
  world.expect_unchanged(sent_udp({.source = ipv4(8, 8, 8, 8), .destination = kClientIp}));
  world.expect_unchanged(udp6({.source = kOwnIp6, .destination = kClientIp6}));
  world.expect_unchanged(ethernet(kToClient, 0x88cc, Bytes(46)));
  world.expect_unchanged(arp({.sender_mac = kPortMac, .sender_ip = kOwnIp, .target_ip = kClientIp},
                             {.from = kPortMac}));
  // shared, but elsewhere
  world.expect_unchanged(sent_udp({.source = kTaggedSharedIp, .destination = kClientIp}));
}

TEST(FromHost, ASharedAddressLeavesFromItsVirtualMac) {
  HostWorld world;
  Bytes sent = sent_udp({.source = kSharedIp, .destination = kClientIp});
  EXPECT_EQ(world.from_host(sent), "pass");
  EXPECT_EQ(sent, sent_udp({.source = kSharedIp, .destination = kClientIp},
                           {.to = kClientMac, .from = kLanMac}));
  sent = udp6({.source = kSharedIp6, .destination = kClientIp6});
  EXPECT_EQ(world.from_host(sent), "pass");
  EXPECT_EQ(sent, udp6({.source = kSharedIp6, .destination = kClientIp6},
                       {.to = kClientMac, .from = kBothMac}));
  // a fragment too, for it has the address
  sent = ethernet(kToClient, 0x0800, ip_packet({.flags = 0x2001, .source = kSharedIp}, Bytes(8)));
  EXPECT_EQ(world.from_host(sent), "pass");
  EXPECT_EQ(Bytes(sent.begin() + 6, sent.begin() + 12), from_hex("00005e000101"));
}

TEST(FromHost, ASharedAddressOnItsVlan) {
  HostWorld world;
  world.reign(kTagged);
  Bytes sent = sent_udp({.source = kTaggedSharedIp, .destination = kTaggedClientIp},
                        {.to = kClientMac, .from = kPortMac, .tag = 20});
  EXPECT_EQ(world.from_host(sent), "pass");
  EXPECT_EQ(sent, sent_udp({.source = kTaggedSharedIp, .destination = kTaggedClientIp},
                           {.to = kClientMac, .from = virtual_mac(Vhid(7)), .tag = 20}));
}

// Promise 1: what a BACKUP's kernel sends from a shared address must not be seen.
TEST(FromHost, ASharedAddressOnlyWhereTheLeaseAllows) {
  HostWorld world;
  world.board->slot(kLan).deadline[0].store(0);
  world.poll();
  world.expect(sent_udp({.source = kSharedIp, .destination = kClientIp}), "host_not_master");
  world.step_down(kBoth);
  world.expect(udp6({.source = kSharedIp6, .destination = kClientIp6}), "host_not_master");
  world.expect(
      ethernet(kToClient, 0x86dd,
               ip6_packet({.next = 44, .source = kSharedIp6}, from_hex("1100000000000001"))),
      "host_not_master");
}

// A client of a balanced group knows the address by its member's MAC.
TEST(FromHost, TheMemberThatServesTheReceiver) {
  World world(balanced_builder({1, 2}, openbsd_balancer(2)).hosted().build());
  world.reign(SlotIndex(0));
  // protocol.md §10: with this key ... of the receiver's MAC, by the group's own balancer
  const auto& balancer = world.topology->balancers[0];
  const auto member = balancer.member_for({.link_layer = kClientMac, .ethernet = kClientMac});
  ASSERT_TRUE(member.has_value());
  world.reign(SlotIndex(static_cast<std::uint16_t>(*member)));
  Bytes sent = sent_udp({.source = kSharedIp, .destination = kClientIp});
  EXPECT_EQ(world.from_host(sent), "pass");
  EXPECT_EQ(Bytes(sent.begin() + 6, sent.begin() + 12),
            from_hex(*member == 0 ? "00005e000101" : "00005e000102"));
}

TEST(FromHost, OnlyFromThePortsOwnMac) {
  HostWorld world;
  const Ip ip{.source = kOwnIp, .destination = kClientIp};
  world.expect(sent_udp(ip, {.to = kClientMac, .from = kLanMac}), "host_virtual_mac");
  world.expect(sent_udp(ip, {.to = kClientMac, .from = mac_from({0, 0, 0x5e, 0, 2, 1})}),
               "host_virtual_mac");
  world.expect(sent_udp(ip, {.to = kClientMac, .from = kSecondPortMac}), "host_source_mac");
  world.expect(sent_udp(ip, {.to = kClientMac, .from = kBroadcastMac}), "source_mac");
}

TEST(FromHost, NoArpThatClaimsASharedAddress) {
  HostWorld world;  // not even where this box reigns: koi says it, from the virtual MAC
  const Ethernet e{.from = kPortMac};
  world.expect(arp({.sender_mac = kPortMac, .sender_ip = kSharedIp, .target_ip = kSharedIp}, e),
               "host_claim");
  world.expect(arp({.sender_mac = kPortMac, .sender_ip = kSharedIp, .target_ip = kClientIp}, e),
               "host_claim");
  world.expect(arp({.operation = 2,
                    .sender_mac = kPortMac,
                    .sender_ip = kSharedIp,
                    .target_mac = kClientMac,
                    .target_ip = kClientIp},
                   e),
               "host_claim");
  const Bytes whole = arp({.sender_mac = kPortMac, .sender_ip = kOwnIp}, e);
  world.expect_unchanged(whole);
  world.expect(prefix(whole, 41), "arp_length");
}

TEST(FromHost, NoAdvertisements) {
  HostWorld world;
  const Ip ip{.ttl = 255, .protocol = 112, .source = kOwnIp, .destination = ipv4(224, 0, 0, 18)};
  world.expect(ethernet(kToClient, 0x0800, ip_packet(ip, carp({}))), "host_carp");
  const Ip6 ip6{.next = 112, .source = kOwnIp6};
  world.expect(ethernet(kToClient, 0x86dd, ip6_packet(ip6, carp({}))), "host_carp");
  const Ip6 behind{.next = 60, .source = kOwnIp6, .extensions = from_hex("7000010400000000")};
  world.expect(ethernet(kToClient, 0x86dd, ip6_packet(behind, carp({}))), "host_carp");
  const Ip6 fragment{.next = 44, .source = kOwnIp6};
  world.expect(ethernet(kToClient, 0x86dd, ip6_packet(fragment, from_hex("7000000100000001"))),
               "host_carp");
}

/// A Neighbor Solicitation or Advertisement of the host's.
Neighbor of_host(const Ipv6Address& source, const Ipv6Address& target) {
  Neighbor n;
  n.target = target;
  n.options = link_layer(1, kPortMac);
  n.ip = {.source = source, .destination = Neighbor::solicited_group(target)};
  n.ethernet = {.to = mac_from({0x33, 0x33, 0xff, 0, 0, 0x77}), .from = kPortMac};
  return n;
}

TEST(FromHost, NoNeighborDiscoveryThatClaimsASharedAddress) {
  HostWorld world;
  Neighbor advert = advertised(kSharedIp6, kPortMac);
  world.expect(neighbor(advert), "host_claim");
  advert.ip.source = kOwnIp6;
  world.expect(neighbor(advert), "host_claim");
  Neighbor detection = of_host({}, kSharedIp6);
  detection.options = {};
  world.expect(neighbor(detection), "host_claim");
  world.expect_unchanged(neighbor(advertised(kOwnIp6, kPortMac)));
  detection = of_host({}, kOwnIp6);
  detection.options = {};
  world.expect_unchanged(neighbor(detection));
  world.expect_unchanged(neighbor(of_host(kOwnIp6, kClientIp6)));
}

// RFC 4861 §4.3: who asks from a shared address must say the MAC that the answer is to find.
TEST(FromHost, ASolicitationFromASharedAddressNamesItsVirtualMac) {
  HostWorld world;
  Bytes sent = neighbor(of_host(kSharedIp6, kClientIp6));
  Neighbor expected = of_host(kSharedIp6, kClientIp6);
  expected.options = link_layer(1, kBothMac);
  expected.ethernet.from = kBothMac;
  EXPECT_EQ(world.from_host(sent), "pass");
  EXPECT_EQ(sent, neighbor(expected));  // its checksum among the rest
  world.step_down(kBoth);
  world.expect(neighbor(of_host(kSharedIp6, kClientIp6)), "host_not_master");
}

Bytes router_advertisement(const Ipv6Address& source, const MacAddress& named,
                           const MacAddress& from) {
  const Ip6 ip{.source = source, .destination = kAllNodes};
  Frame rest;  // RFC 4861 §4.2: hop limit, flags, lifetime, two timers; an MTU, then the MAC
  rest.u8(64).u8(0).be16(1800).be32(0).be32(0).add(from_hex("05010000000005dc"));
  rest.add(link_layer(1, named));
  return ethernet({.to = mac_from({0x33, 0x33, 0, 0, 0, 1}), .from = from}, 0x86dd,
                  ip6_packet(ip, icmp6(134, 0, rest.bytes, ip)));
}

TEST(FromHost, RouterAdvertisementsFromTheSharedLinkLocalAddress) {
  HostWorld world;
  const MacAddress router = virtual_mac(Vhid(30));
  Bytes sent = router_advertisement(kSharedLinkLocal, kPortMac, kPortMac);
  EXPECT_EQ(world.from_host(sent), "pass");
  EXPECT_EQ(sent, router_advertisement(kSharedLinkLocal, router, router));
  world.step_down(HostWorld::kRouter);
  world.expect(router_advertisement(kSharedLinkLocal, kPortMac, kPortMac), "host_not_master");
  world.expect(router_advertisement(kOwnLinkLocal, kPortMac, kPortMac), "host_router_advert");
  world.expect(router_advertisement(kSharedIp6, kPortMac, kPortMac), "host_router_advert");
}

TEST(FromHost, RouterAdvertisementsWhereNobodyIsElected) {
  World world(usual_builder().hosted().build());
  Bytes sent = router_advertisement(kOwnLinkLocal, kSecondPortMac, kSecondPortMac);
  EXPECT_EQ(world.from_host(sent, PortIndex(1)), "pass");
}

/// Of a long packet, of which the first bytes are seen.
Bytes beginning_of_tcp(const Bytes& header, std::uint16_t ethertype) {
  Frame packet;
  packet.add(header).add(from_hex("0fa00035000000010000000080182000ef240000"));
  return ethernet(kToClient, ethertype, packet.bytes);
}

TEST(FromHost, WhatTheNicIsToCutPassesByItsAddresses) {
  HostWorld world;
  const Bytes from_shared = prefix(
      ip_packet({.protocol = 6, .source = kSharedIp, .destination = kClientIp}, Bytes(9000)), 20);
  const Bytes from_shared6 = prefix(
      ip6_packet({.next = 6, .source = kSharedIp6, .destination = kClientIp6}, Bytes(9000)), 40);
  const Bytes packets[] = {beginning_of_tcp(from_shared, 0x0800),
                           beginning_of_tcp(from_shared6, 0x86dd)};
  const MacAddress macs[] = {kLanMac, kBothMac};
  for (int i = 0; i < 2; ++i) {
    Bytes sent = packets[i];
    EXPECT_EQ(world.segments_from_host(sent, 1514), "pass");
    Bytes expected = packets[i];
    std::copy(macs[i].bytes.begin(), macs[i].bytes.end(), expected.begin() + 6);
    EXPECT_EQ(sent, expected);
    sent = packets[i];
    EXPECT_EQ(world.segments_from_host(sent, 1515), "jumbo");
    std::copy(kClientMac.bytes.begin(), kClientMac.bytes.end(), sent.begin() + 6);
    EXPECT_EQ(world.segments_from_host(sent, 1514), "host_source_mac");
    std::copy(macs[i].bytes.begin(), macs[i].bytes.end(), sent.begin() + 6);
    EXPECT_EQ(world.segments_from_host(sent, 1514), "host_virtual_mac");
    for (std::size_t length = 0; length < packets[i].size(); ++length) {
      sent = prefix(packets[i], length);
      world.segments_from_host(sent, 1514);
    }
  }
  world.step_down(kLan);
  world.step_down(kBoth);
  for (const Bytes& packet : packets) {
    Bytes sent = packet;
    EXPECT_EQ(world.segments_from_host(sent, 1514), "host_not_master");
  }
}

TEST(FromHost, EveryPrefixIsRead) {
  HostWorld world;
  for (const Bytes& whole :
       {router_advertisement(kSharedLinkLocal, kPortMac, kPortMac),
        neighbor(of_host(kSharedIp6, kClientIp6)), sent_udp({.source = kSharedIp}),
        arp({.sender_mac = kPortMac, .sender_ip = kOwnIp}, {.from = kPortMac})}) {
    for (std::size_t length = 0; length < whole.size(); ++length) {
      Bytes cut = prefix(whole, length);
      cut.shrink_to_fit();  // so that a sanitizer sees its end
      world.from_host(cut);
    }
    // The same with the IPv6 payload length made to fit what is left.
    for (std::size_t length = 54; length < whole.size(); ++length) {
      Bytes cut = prefix(whole, length);
      cut[18] = static_cast<std::byte>((length - 54) >> 8);
      cut[19] = static_cast<std::byte>((length - 54) & 0xff);
      cut.shrink_to_fit();
      world.from_host(cut);
    }
  }
}

// RFC 4861 §4.6: an option of length 0 ends the walk.
TEST(FromHost, BrokenOptions) {
  HostWorld world;
  for (const char* options : {"0000000000000000", "01ff020000000010", "0501000000000000 01"}) {
    Neighbor n = of_host(kSharedIp6, kClientIp6);
    n.options = from_hex(options);
    Bytes sent = neighbor(n);
    EXPECT_EQ(world.from_host(sent), "pass") << options;
    n.ethernet.from = kBothMac;
    EXPECT_EQ(sent, neighbor(n)) << options;
  }
}

TEST(FromHost, NothingLongerThanTheMtu) {
  HostWorld world;
  world.expect_unchanged(ethernet(kToClient, 0x88cc, Bytes(1500)));
  world.expect(ethernet(kToClient, 0x88cc, Bytes(1501)), "jumbo");
}

}  // namespace
}  // namespace koi::dataplane::from_host_test
