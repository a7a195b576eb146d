// What goes on to the host port: design.md, "How data flows"; the rules of dataplane/host_gate.h.
#include <gtest/gtest.h>

#include "dataplane/host_gate.h"
#include "tests/support/balanced.h"
#include "tests/support/world.h"

namespace koi::dataplane::to_host_test {
namespace {

using namespace test;  // NOLINT: the whole file is about its frames

const MacAddress kLanMac = virtual_mac(Vhid(1));

Bytes udp(const Ip& ip, const Ethernet& e) {
  Ip with_protocol = ip;
  with_protocol.protocol = 17;
  return ethernet(e, 0x0800, ip_packet(with_protocol, Bytes(26)));
}
Bytes udp6(const Ip6& ip, const Ethernet& e) {
  Ip6 with_protocol = ip;
  with_protocol.next = 17;
  return ethernet(e, 0x86dd, ip6_packet(with_protocol, Bytes(26)));
}

/// MASTER of the LAN's group, and of the one with both families; with a host.
struct HostWorld : World {
  explicit HostWorld(bool assigned = false) : World(usual_builder().hosted(assigned).build()) {
    reign(kLan);
    reign(kBoth);
  }
  /// The frame is passed on as it came.
  void expect_unchanged(const Bytes& frame) {
    Bytes passed = frame;
    EXPECT_EQ(verdict(receive(passed)), "pass");
    EXPECT_EQ(passed, frame);
  }
};

TEST(ToHost, WhatIsForThisBoxOrForAll) {
  HostWorld world;
  world.expect_unchanged(udp({}, {.to = kPortMac}));
  world.expect_unchanged(udp({.destination = ipv4(198, 51, 100, 200)}, {.to = kPortMac}));
  world.expect_unchanged(udp({.destination = ipv4(255, 255, 255, 255)}, {}));
  world.expect_unchanged(
      udp({.destination = ipv4(224, 0, 0, 251)}, {.to = mac_from({1, 0, 0x5e, 0, 0, 0xfb})}));
  world.expect_unchanged(udp6({}, {.to = kPortMac}));
  world.expect_unchanged(echo({}, {.to = kPortMac}));  // its own address: the host answers
  world.expect_unchanged(echo6({}, {.to = kPortMac}));
  world.expect_unchanged(ethernet({.to = kPortMac}, 0x8863, Bytes(46)));
  world.expect_unchanged(ethernet({.to = kPortMac, .tag = 20}, 0x0800, ip_packet({}, Bytes(9))));
}

TEST(ToHost, NotWhatIsForOthers) {
  HostWorld world;
  EXPECT_EQ(world.verdict_on(udp({}, {.to = kClientMac})), "not_our_mac");
  EXPECT_EQ(world.verdict_on(udp({}, {.to = virtual_mac(Vhid(77))})), "not_our_mac");
  // the group with that vhid is on VLAN 20
  EXPECT_EQ(world.verdict_on(udp({}, {.to = virtual_mac(Vhid(7))})), "not_our_mac");
}

// The core of promise 1: two kernels must never both take what is sent to one virtual MAC.
TEST(ToHost, AVirtualMacOnlyWhereTheLeaseAllows) {
  HostWorld world;
  Bytes frame = udp({.destination = ipv4(198, 51, 100, 200)}, {.to = kLanMac});
  const Bytes same_to_port = udp({.destination = ipv4(198, 51, 100, 200)}, {.to = kPortMac});
  EXPECT_EQ(verdict(world.receive(frame)), "pass");
  EXPECT_EQ(frame, same_to_port);  // with the host's MAC, and nothing else changed

  const Bytes to_virtual = udp({.destination = ipv4(198, 51, 100, 200)}, {.to = kLanMac});
  world.board->slot(kLan).deadline[0].store(0);
  world.poll();
  EXPECT_EQ(world.verdict_on(to_virtual), "no_lease");
  world.view.terms[kLan.value()] = Term(0);
  world.poll();
  EXPECT_EQ(world.verdict_on(to_virtual), "not_master");
  EXPECT_EQ(world.verdict_on(udp6({}, {.to = kLanMac})), "not_master");
  EXPECT_EQ(world.verdict_on(ethernet({.to = kLanMac}, 0x8863, Bytes(46))), "not_master");
}

TEST(ToHost, TheMemberOfABalancedGroupWhoseMacItIs) {
  World world(balanced_builder({1, 2}, openbsd_balancer(2)).hosted().build());
  world.reign(SlotIndex(1));
  EXPECT_EQ(world.verdict_on(udp({}, {.to = virtual_mac(Vhid(2))})), "pass");
  EXPECT_EQ(world.verdict_on(udp({}, {.to = virtual_mac(Vhid(1))})), "not_master");
}

TEST(ToHost, ArpForSharedAddressesNever) {
  HostWorld world;
  EXPECT_EQ(world.verdict_on(arp({})), "answer");
  world.view.terms[kLan.value()] = Term(0);
  world.poll();
  EXPECT_EQ(world.verdict_on(arp({})), "not_master");
  EXPECT_EQ(world.verdict_on(arp({.sender_mac = kLanMac, .sender_ip = kSharedIp})),
            "arp_announcement");
  EXPECT_EQ(world.verdict_on(arp({.operation = 2, .target_ip = kSharedIp})), "arp_not_request");
}

TEST(ToHost, ArpForTheHost) {
  HostWorld world;
  world.expect_unchanged(arp({.target_ip = kOwnIp}));
  world.expect_unchanged(arp({.sender_ip = kOwnIp, .target_ip = kOwnIp}));  // a conflict
  world.expect_unchanged(arp({.target_ip = kClientIp}));  // the kernel learns from it, as it may
  const Arp reply{.operation = 2,
                  .sender_mac = kLanMac,
                  .sender_ip = kForeignSharedIp,
                  .target_mac = kPortMac,
                  .target_ip = kOwnIp};
  world.expect_unchanged(arp(reply, {.to = kPortMac}));  // another box answered this one
}

TEST(ToHost, ArpOfAPeerGoesUpToo) {
  HostWorld world;
  const Arp request{
      .sender_mac = kUnicastPeerMac, .sender_ip = kUnicastPeerIp, .target_ip = kOwnIp};
  world.expect_unchanged(arp(request, {.from = kUnicastPeerMac}));
  ASSERT_EQ(world.up.messages.size(), 1U);
  EXPECT_TRUE(std::holds_alternative<NeighborHeard>(world.up.messages[0]));
}

TEST(ToHost, NeighborDiscovery) {
  HostWorld world;
  EXPECT_EQ(world.verdict_on(neighbor({})), "answer");
  Neighbor own;
  own.target = kOwnIp6;
  own.ip.destination = Neighbor::solicited_group(kOwnIp6);
  world.expect_unchanged(neighbor(own));
  world.expect_unchanged(neighbor(advertised(kClientIp6, kClientMac)));
  // A conflict with an own address is the kernel's to notice.
  world.expect_unchanged(neighbor(advertised(kOwnIp6, kClientMac)));
  EXPECT_EQ(world.verdict_on(neighbor(advertised(kForeignSharedIp6, virtual_mac(Vhid(10))))),
            "nd_announcement");
  // The answer to the host's own question after a shared address.
  Neighbor answer = advertised(kForeignSharedIp6, virtual_mac(Vhid(10)));
  answer.flags = 0x60;
  answer.ip.destination = kOwnIp6;
  answer.ethernet.to = kPortMac;
  world.expect_unchanged(neighbor(answer));
}

TEST(ToHost, EchoToASharedAddressIsAnsweredByTheHostThatHasIt) {
  const Bytes request = echo({.destination = kSharedIp}, {.to = kLanMac});
  const Bytes request6 = echo6({.destination = kSharedIp6}, {.to = virtual_mac(Vhid(6))});
  HostWorld without;
  EXPECT_EQ(without.verdict_on(request), "answer");
  EXPECT_EQ(without.verdict_on(request6), "answer");
  HostWorld with(true);
  EXPECT_EQ(with.verdict_on(request), "pass");
  EXPECT_EQ(with.verdict_on(request6), "pass");
  with.view.terms[kLan.value()] = Term(0);
  with.poll();
  EXPECT_EQ(with.verdict_on(request), "not_master");
}

TEST(ToHost, WhatElseIsSentToASharedAddress) {
  HostWorld world;
  EXPECT_EQ(world.verdict_on(udp({.destination = kSharedIp}, {.to = kLanMac})), "pass");
  const Ip error{.destination = kSharedIp};
  EXPECT_EQ(
      world.verdict_on(ethernet({.to = kLanMac}, 0x0800, ip_packet(error, icmp(3, 4, Bytes(28))))),
      "pass");
  const Ip6 error6{.destination = kSharedIp6};
  EXPECT_EQ(world.verdict_on(ethernet({.to = virtual_mac(Vhid(6))}, 0x86dd,
                                      ip6_packet(error6, icmp6(2, 0, Bytes(44), error6)))),
            "pass");
}

TEST(ToHost, FragmentsAndOptionsAreTheHostsButNeverCarp) {
  HostWorld world;
  const Ethernet to_port{.to = kPortMac};
  world.expect_unchanged(ethernet(to_port, 0x0800, ip_packet({.flags = 0x2000}, Bytes(8))));
  EXPECT_EQ(world.verdict_on(
                ethernet(to_port, 0x0800, ip_packet({.flags = 0x2000, .protocol = 112}, Bytes(8)))),
            "ipv4_fragment");
  world.expect_unchanged(
      ethernet(to_port, 0x86dd, ip6_packet({.next = 44}, from_hex("1100000000000001"))));
  EXPECT_EQ(world.verdict_on(
                ethernet(to_port, 0x86dd, ip6_packet({.next = 44}, from_hex("7000000000000001")))),
            "ipv6_fragment");
}

TEST(ToHost, AdvertisementsNever) {
  HostWorld world;
  EXPECT_EQ(world.verdict_on(frame(Advert{})), "taken");
  EXPECT_EQ(world.verdict_on(frame(Advert{.key = "forger"})), "carp_digest");
  EXPECT_EQ(world.verdict_on(frame(Advert{.vhid = 77})), "carp_vhid");
}

TEST(ToHost, QueriesGoUpAndOn) {
  HostWorld world;
  const Ip ip{.ttl = 1, .protocol = 2, .destination = ipv4(224, 0, 0, 1)};
  const Ethernet to_all{.to = mac_from({1, 0, 0x5e, 0, 0, 1})};
  world.expect_unchanged(ethernet(to_all, 0x0800, ip_packet(ip, from_hex("1164ee9b00000000"))));
  ASSERT_EQ(world.up.messages.size(), 1U);
  EXPECT_TRUE(std::holds_alternative<QueryHeard>(world.up.messages[0]));
  world.expect_unchanged(ethernet(to_all, 0x0800, ip_packet(ip, from_hex("160009ede0000012"))));
}

TEST(ToHost, NothingLongerThanTheMtu) {
  HostWorld world;
  const auto of_length = [](std::size_t length, std::optional<std::uint16_t> tag) {
    return ethernet({.to = kPortMac, .tag = tag}, 0x8863, Bytes(length));
  };
  EXPECT_EQ(world.verdict_on(of_length(1500, {})), "pass");
  EXPECT_EQ(world.verdict_on(of_length(1501, {})), "jumbo");
  EXPECT_EQ(world.verdict_on(of_length(1500, 20)), "pass");
  EXPECT_EQ(world.verdict_on(of_length(1501, 20)), "jumbo");
}

TEST(ToHost, BrokenFramesNever) {
  HostWorld world;
  const Bytes good = udp({}, {.to = kPortMac});
  for (std::size_t length = 0; length < 14 + 20; ++length) {
    EXPECT_NE(world.verdict_on(prefix(good, length)), "pass") << length;
  }
  EXPECT_EQ(world.verdict_on(ethernet({.to = kPortMac, .tag = 20}, 0x8100, Bytes(46))),
            "vlan_stacked");
  EXPECT_EQ(world.verdict_on(udp({}, {.to = kPortMac, .from = kBroadcastMac})), "source_mac");
}

}  // namespace
}  // namespace koi::dataplane::to_host_test
