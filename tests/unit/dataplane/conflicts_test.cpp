#include "dataplane/conflicts.h"

#include <gtest/gtest.h>

#include "tests/support/balanced.h"
#include "tests/support/by_packet.h"

namespace koi::dataplane::conflicts_test {
namespace {

using namespace test;  // NOLINT: the whole file is about its frames

const MacAddress kStranger = mac_from({0x02, 0, 0, 0, 0, 0x66});
const MacAddress kVirtual = virtual_mac(Vhid(1));
const MacAddress kCarpMac = mac_from({0x01, 0, 0x5e, 0, 0, 0x12});

/// "kind slot source mac" of each conflict reported, in order.
std::vector<std::string> conflicts(const World& world) {
  constexpr const char* kNames[] = {"claim", "mac", "vrrp", "digest"};
  std::vector<std::string> all;
  for (const UpMessage& message : world.up.messages) {
    const auto* c = std::get_if<Conflict>(&message);
    if (c == nullptr) continue;
    all.push_back(std::string(kNames[static_cast<std::size_t>(c->kind)]) + " " +
                  std::to_string(c->slot.value()) + " " + c->source.to_string() + " " +
                  c->mac.to_string());
  }
  return all;
}
using Expected = std::vector<std::string>;

// ---- a foreign claim to a shared address -------------------------------------------------------

// C16.4 kept
TEST(AddressClaim, RequestsAndRepliesOfAStranger) {
  const Bytes claims[] = {
      arp({.sender_mac = kStranger, .sender_ip = kSharedIp}),  // announced
      arp({.operation = 2, .sender_mac = kStranger, .sender_ip = kSharedIp}),
      arp({.sender_mac = kStranger, .sender_ip = kSharedIp, .target_ip = kClientIp}),
      arp({.sender_mac = kStranger, .sender_ip = kSharedIp, .target_ip = kOwnIp})};  // answered
  for (const Bytes& claim : claims) {
    World world;  // BACKUP: it is a conflict all the same
    world.verdict_on(claim);
    EXPECT_EQ(conflicts(world), Expected{"claim 0 192.0.2.1 02:00:00:00:00:66"}) << to_hex(claim);
  }
}

// C16.4 kept
TEST(AddressClaim, TheGroupsOwnVirtualMacIsNone) {
  World world;
  world.verdict_on(arp({.sender_mac = kVirtual, .sender_ip = kSharedIp}, {.from = kVirtual}));
  world.verdict_on(arp({.operation = 2, .sender_mac = kVirtual, .sender_ip = kSharedIp}));
  EXPECT_EQ(conflicts(world), Expected{});
  // Another group's is.
  world.verdict_on(arp({.sender_mac = virtual_mac(Vhid(9)), .sender_ip = kSharedIp}));
  EXPECT_EQ(conflicts(world), Expected{"claim 0 192.0.2.1 00:00:5e:00:01:09"});
}

TEST(AddressClaim, OtherAddressesOperationsAndPlacesAreNone) {
  World world;
  world.verdict_on(arp({}));
  world.verdict_on(arp({.sender_mac = kStranger, .sender_ip = {}}));
  world.verdict_on(arp({.sender_mac = kStranger, .sender_ip = kOwnIp}));
  world.verdict_on(arp({.operation = 3, .sender_mac = kStranger, .sender_ip = kSharedIp}));
  world.verdict_on(arp({.sender_mac = kStranger, .sender_ip = kSharedIp}, {.tag = 20}));
  world.verdict_on(arp({.sender_mac = kStranger, .sender_ip = kSharedIp}), PortIndex(1));
  EXPECT_EQ(conflicts(world), Expected{});
}

// C16.4 kept
TEST(AddressClaim, InABalancedGroupEveryMembersMacIsRight) {
  World world(balanced_topology({2, 5, 9}, openbsd_balancer(3)));
  for (const unsigned vhid : {2U, 5U, 9U}) {
    world.verdict_on(arp({.sender_mac = virtual_mac(Vhid(static_cast<std::uint8_t>(vhid))),
                          .sender_ip = kSharedIp}));
  }
  EXPECT_EQ(conflicts(world), Expected{});
  world.verdict_on(arp({.sender_mac = virtual_mac(Vhid(200)), .sender_ip = kSharedIp}));
  EXPECT_EQ(conflicts(world), Expected{"claim 0 192.0.2.1 00:00:5e:00:01:c8"});
}

// C12.18 kept
TEST(AddressClaim, BalancedByPacketTheGroupMacIsRightWhoeverSendsIt) {
  const MacAddress other_box = mac_from({0x02, 0, 0, 0, 0, 0x20});
  for (const ByPacket how : kByPacketModes) {
    World world(three_by_packet(how));
    const Arp reply{.operation = 2, .sender_mac = told(how), .sender_ip = kSharedIp};
    world.verdict_on(arp(reply, {.from = other_box}));
    world.verdict_on(arp({.sender_mac = told(how), .sender_ip = kSharedIp}, {.from = other_box}));
    Neighbor answer = advertised(kSharedIp6, told(how));
    answer.ethernet.from = other_box;
    EXPECT_EQ(world.verdict_on(neighbor(answer)), "nd_announcement");
    answer.options = {};  // an OpenBSD's, to who asked for it by unicast
    EXPECT_EQ(world.verdict_on(neighbor(answer)), "nd_announcement");
    EXPECT_EQ(conflicts(world), Expected{});
    // A box that says its own is a claim: all clients would send it all.
    world.verdict_on(arp({.operation = 2, .sender_mac = other_box, .sender_ip = kSharedIp}));
    EXPECT_EQ(conflicts(world), Expected{"claim 0 192.0.2.1 02:00:00:00:00:20"});
  }
}

// C16.4 kept
TEST(AddressClaim, OfAnIpv6AddressAsWell) {  // what the Neighbor Discovery responder calls
  World world;
  const Entry entry{.kind = EntryKind::shared, .slot = kTagged};
  const IpAddress address = IpAddress::parse("2001:db8::1").value();
  world.conflicts.claim(*world.topology, entry, address, virtual_mac(Vhid(7)));
  EXPECT_EQ(conflicts(world), Expected{});
  world.conflicts.claim(*world.topology, entry, address, kStranger);
  EXPECT_EQ(conflicts(world), Expected{"claim 1 2001:db8::1 02:00:00:00:00:66"});
}

// C16.8 kept
TEST(AddressClaim, IsReportedOncePerSlotAndSecond) {
  World world;
  const Bytes claim = arp({.sender_mac = kStranger, .sender_ip = kSharedIp});
  for (int i = 0; i < 9999; ++i) {
    world.verdict_on(claim);
    world.poll(100us);
  }
  EXPECT_EQ(conflicts(world).size(), 1U);
  // Another slot has its own second, another kind too.
  world.verdict_on(arp({.sender_mac = kStranger, .sender_ip = kForeignSharedIp}));
  world.verdict_on(frame({.key = "forger"}));
  EXPECT_EQ(conflicts(world).size(), 3U);
  world.poll(100us);
  world.verdict_on(claim);
  EXPECT_EQ(conflicts(world).size(), 4U);
  world.verdict_on(claim);
  EXPECT_EQ(conflicts(world).size(), 4U);
}

TEST(AddressClaim, OneThatControlDidNotTakeIsReportedAgain) {
  World world;
  world.up.refuse_next = 1;
  const Bytes claim = arp({.sender_mac = kStranger, .sender_ip = kSharedIp});
  world.verdict_on(claim);
  EXPECT_EQ(conflicts(world).size(), 0U);
  world.verdict_on(claim);
  EXPECT_EQ(conflicts(world).size(), 1U);
}

// ---- a foreign frame from our virtual MAC ------------------------------------------------------

// C16.5 kept
TEST(VirtualMac, UsedByAStrangerWhileWeReign) {
  const std::string kFrom = " 00:00:5e:00:01:01";
  World arp_world;
  arp_world.reign(kLan);
  arp_world.verdict_on(arp({.operation = 2}, {.from = kVirtual}));
  EXPECT_EQ(conflicts(arp_world), Expected{"mac 0 192.0.2.77" + kFrom});
  World routed;  // to somebody else: flooded by the switch
  routed.reign(kLan);
  routed.verdict_on(echo({}, {.to = kStranger, .from = kVirtual}));
  EXPECT_EQ(conflicts(routed), Expected{"mac 0 192.0.2.77" + kFrom});
  World other;
  other.reign(kLan);
  other.verdict_on(ethernet({.from = kVirtual}, 0x88cc, Bytes(46)));
  EXPECT_EQ(conflicts(other), Expected{"mac 0 0.0.0.0" + kFrom});
  World ipv6;  // an IPv6 packet of UDP, from 2001:db8::77
  ipv6.reign(kLan);
  const Bytes packet = from_hex(
      "60000000 0000 11 ff 20010db8000000000000000000000077 ff020000000000000000000000000001");
  ipv6.verdict_on(ethernet({.from = kVirtual}, 0x86dd, packet));
  EXPECT_EQ(conflicts(ipv6), Expected{"mac 0 2001:db8::77" + kFrom});
}

TEST(VirtualMac, IsNotOursWhileWeAreBackupOrElsewhere) {
  World world;
  world.verdict_on(arp({.operation = 2}, {.from = kVirtual}));  // BACKUP: that is the MASTER
  world.reign(kLan);
  world.verdict_on(arp({.operation = 2}, {.from = virtual_mac(Vhid(9))}));  // BACKUP of that one
  world.verdict_on(arp({.operation = 2}, {.from = virtual_mac(Vhid(77))}));
  world.verdict_on(arp({.operation = 2}, {.from = kVirtual, .tag = 20}));
  world.verdict_on(arp({.operation = 2}, {.from = kVirtual}), PortIndex(1));
  world.verdict_on(arp({.operation = 2}, {.from = mac_from({0, 0, 0x5e, 0, 2, 1})}));
  EXPECT_EQ(conflicts(world), Expected{});
}

// C12.18 kept
TEST(VirtualMac, InIpUnicastAllBoxesSendFromTheFirstOne) {
  for (const ByPacket how : kByPacketModes) {
    World world(three_by_packet(how));
    for (std::uint16_t s = 0; s < 3; ++s) world.reign(SlotIndex(s));
    const Bytes from_first = udp({.source = kSharedIp}, {.to = kClientMac, .from = kFirstMac});
    world.verdict_on(from_first);
    const Expected expected =
        how == ByPacket::ip_unicast ? Expected{} : Expected{"mac 0 192.0.2.1 00:00:5e:00:01:02"};
    EXPECT_EQ(conflicts(world), expected);  // in the others nobody does
    world.verdict_on(udp({.source = kSharedIp}, {.to = kClientMac, .from = kSecondMac}));
    EXPECT_EQ(conflicts(world).back(), "mac 1 192.0.2.1 00:00:5e:00:01:05");
  }
}

// C16.5 kept
TEST(VirtualMac, AdvertisementsAreTheElectionsMatter) {
  World world;
  world.reign(kLan);
  EXPECT_EQ(world.verdict_on(frame(Advert{})), "taken");
  world.board->own_counter.store(counter_of(9, kOwnNode));
  EXPECT_EQ(world.verdict_on(frame({.counter = counter_of(9, kOwnNode)})), "carp_own");
  const Bytes carp6 = from_hex(
      "60000000 0024 70 ff fe800000000000000000000000000003 ff020000000000000000000000000012");
  world.verdict_on(ethernet({.from = kVirtual}, 0x86dd, carp6));
  EXPECT_EQ(conflicts(world), Expected{});
}

// C16.5 kept
TEST(VirtualMac, OurOwnAnnouncementsMayBeReflected) {
  World world;
  world.reign(kLan);
  world.verdict_on(arp({.sender_mac = kVirtual, .sender_ip = kSharedIp}, {.from = kVirtual}));
  const Bytes advertisement = from_hex(
      "60000000 0020 3a ff 20010db8000000000000000000000001 ff020000000000000000000000000001"
      "8800 0000 20000000 20010db8000000000000000000000001 0201 00005e000101");
  const MacAddress all_nodes = mac_from({0x33, 0x33, 0, 0, 0, 1});
  world.verdict_on(ethernet({.to = all_nodes, .from = kVirtual}, 0x86dd, advertisement));
  EXPECT_EQ(conflicts(world), Expected{});
  // The same to one host is an answer that we did not give.
  world.verdict_on(ethernet({.to = kPortMac, .from = kVirtual}, 0x86dd, advertisement));
  EXPECT_EQ(conflicts(world).size(), 1U);
}

TEST(VirtualMac, AnAnnouncementOfAnotherMacIsNotOurs) {
  World world;
  world.reign(kLan);
  world.verdict_on(arp({.sender_mac = kStranger, .sender_ip = kSharedIp}, {.from = kVirtual}));
  EXPECT_EQ(conflicts(world),
            (Expected{"mac 0 192.0.2.1 00:00:5e:00:01:01", "claim 0 192.0.2.1 02:00:00:00:00:66"}));
}

TEST(VirtualMac, EveryTruncationIsLookedAtNoFurther) {
  const Bytes frames[] = {arp({}, {.from = kVirtual}), echo({}, {.from = kVirtual}),
                          ethernet({.from = kVirtual}, 0x86dd, Bytes(60))};
  for (const Bytes& whole : frames) {
    for (std::size_t n = 14; n <= whole.size(); ++n) {
      World world;
      world.reign(kLan);
      world.verdict_on(prefix(whole, n));
      EXPECT_EQ(conflicts(world).size(), 1U) << n;
    }
  }
}

// ---- VRRP with our number ----------------------------------------------------------------------

// protocol.md §12: VRID 51, priority 100, 192.0.2.10.
constexpr auto kV2 = "213364010001b8bfc000020a0000000000000000";
constexpr auto kV3 = "313364010064a85cc000020a";

Bytes vrrp_frame(const char* payload) {
  return ethernet(
      {.to = kCarpMac, .from = mac_from({0, 0, 0x5e, 0, 1, 51})}, 0x0800,
      ip_packet(
          {.ttl = 255, .protocol = 112, .source = kPeerIp, .destination = ipv4(224, 0, 0, 18)},
          from_hex(payload)));
}

// C16.2 kept, C16.1 refused
TEST(VrrpConflict, WithTheNumberOfAVhidOfOurs) {
  for (const char* payload : {kV2, kV3}) {
    World world(TopologyBuilder()
                    .port(kPortMac)
                    .group({.vhid = Vhid(1), .addresses = {kSharedIp}})
                    .group({.vhid = Vhid(51), .addresses = {kForeignSharedIp}})
                    .build());
    EXPECT_EQ(world.verdict_on(vrrp_frame(payload)), "vrrp");
    EXPECT_EQ(conflicts(world), Expected{"vrrp 1 192.0.2.3 00:00:5e:00:01:33"});
    EXPECT_EQ(world.verdict_on(vrrp_frame(payload)), "vrrp");
    EXPECT_EQ(conflicts(world).size(), 1U);
  }
}

// protocol.md §13: 44 bytes whose last 8 are zero may be both; the HMAC tells.
// C16.1 kept, C16.1 refused
TEST(VrrpConflict, OfSevenAddressesOnlyWhereTheHmacFails) {
  Bytes payload = carp({});
  payload.resize(44);
  World carp_world;
  EXPECT_EQ(carp_world.verdict_on(frame({}, payload)), "taken");
  EXPECT_EQ(conflicts(carp_world), Expected{});
  payload = carp({.key = "no key at all"});
  payload.resize(44);
  World vrrp_world;
  EXPECT_EQ(vrrp_world.verdict_on(frame({}, payload)), "vrrp");
  EXPECT_EQ(conflicts(vrrp_world), Expected{"vrrp 0 192.0.2.3 00:00:5e:00:01:01"});
}

TEST(VrrpConflict, WithAnotherNumberIsOtherPeoplesTraffic) {
  World world;
  EXPECT_EQ(world.verdict_on(vrrp_frame(kV2)), "carp_vhid");
  EXPECT_EQ(world.verdict_on(vrrp_frame(kV3)), "carp_vhid");
  EXPECT_EQ(conflicts(world), Expected{});
}

// ---- CARP that is not ours ---------------------------------------------------------------------

// C16.3 kept
TEST(DigestConflict, AnotherKeyOrAddressList) {
  World key;
  EXPECT_EQ(key.verdict_on(frame({.key = "another"})), "carp_digest");
  EXPECT_EQ(conflicts(key), Expected{"digest 0 192.0.2.3 00:00:5e:00:01:01"});
  World list;
  EXPECT_EQ(list.verdict_on(frame({.addresses = {kSharedIp, kForeignSharedIp}})), "carp_digest");
  EXPECT_EQ(conflicts(list).size(), 1U);
  World none;
  EXPECT_EQ(none.verdict_on(frame({.vhid = 77, .key = "another"})), "carp_vhid");
  EXPECT_EQ(conflicts(none), Expected{});
}

// ---- peers -------------------------------------------------------------------------------------

/// The usual one, with 192.0.2.50 as a unicast peer.
std::shared_ptr<const Topology> with_peer() {
  return TopologyBuilder()
      .port(kPortMac)
      .peer(PortIndex(0), VlanId(0), ipv4(192, 0, 2, 50))
      .own(PortIndex(0), VlanId(0), kOwnIp)
      .group({.addresses = {kSharedIp}})
      .build();
}

TEST(PeerAddress, ItsReplyGoesUpAndNothingIsAnsweredForIt) {
  World world(with_peer());
  world.reign(kLan);
  const Ipv4Address peer = ipv4(192, 0, 2, 50);
  EXPECT_EQ(world.verdict_on(arp({.target_ip = peer})), "arp_not_ours");
  EXPECT_EQ(world.verdict_on(echo({.destination = peer}, {.to = kPortMac})), "ipv4_not_ours");
  EXPECT_EQ(world.verdict_on(echo({.source = peer}, {.to = kPortMac})), "answer");
  for (const MacAddress& none : {kBroadcastMac, MacAddress{}}) {
    world.verdict_on(arp({.operation = 2, .sender_mac = none, .sender_ip = peer}));
  }
  EXPECT_TRUE(world.up.messages.empty());
  EXPECT_EQ(world.verdict_on(arp({.operation = 2, .sender_mac = kStranger, .sender_ip = peer})),
            "taken");
  EXPECT_EQ(world.verdict_on(arp({.sender_mac = kStranger, .sender_ip = peer})), "answer");
  ASSERT_EQ(world.up.messages.size(), 2U);  // its question tells where it is as well
  const auto* heard = std::get_if<NeighborHeard>(&world.up.messages[0]);
  ASSERT_NE(heard, nullptr);
  EXPECT_EQ(heard->port, PortIndex(0));
  EXPECT_EQ(heard->vlan, VlanId(0));
  EXPECT_EQ(heard->address, IpAddress(peer));
  EXPECT_EQ(heard->mac, kStranger);
}

}  // namespace
}  // namespace koi::dataplane::conflicts_test
