#include "dataplane/neighbor_receiver.h"

#include <gtest/gtest.h>

#include "tests/support/world.h"

namespace koi::dataplane::neighbor_receiver_test {
namespace {

using namespace test;  // NOLINT: the whole file is about its frames

const Arp kReply{.operation = 2,
                 .sender_mac = kUnicastPeerMac,
                 .sender_ip = kUnicastPeerIp,
                 .target_mac = kPortMac,
                 .target_ip = kOwnIp};
const Ethernet kToUs{.to = kPortMac, .from = kUnicastPeerMac};

const NeighborHeard* heard(const World& world) {
  return world.up.messages.empty() ? nullptr : std::get_if<NeighborHeard>(&world.up.messages[0]);
}

TEST(NeighborReceiver, ArpReplyOfAPeer) {
  World world;
  EXPECT_EQ(world.verdict_on(arp(kReply, kToUs)), "taken");
  ASSERT_NE(heard(world), nullptr);
  EXPECT_EQ(heard(world)->port, PortIndex(0));
  EXPECT_EQ(heard(world)->vlan, VlanId(0));
  EXPECT_EQ(heard(world)->address, IpAddress(kUnicastPeerIp));
  EXPECT_EQ(heard(world)->mac, kUnicastPeerMac);
}

TEST(NeighborReceiver, ArpRequestOfAPeer) {
  World world;
  Arp request = kReply;
  request.operation = 1;
  request.target_mac = {};
  EXPECT_EQ(world.verdict_on(arp(request)), "answer");  // and it goes up
  ASSERT_NE(heard(world), nullptr);
  EXPECT_EQ(heard(world)->mac, kUnicastPeerMac);
  World gratuitous;
  request.target_ip = kUnicastPeerIp;
  EXPECT_EQ(gratuitous.verdict_on(arp(request)), "taken");
  ASSERT_NE(heard(gratuitous), nullptr);
  EXPECT_EQ(heard(gratuitous)->address, IpAddress(kUnicastPeerIp));
}

TEST(NeighborReceiver, APeersAddressIsNotOurs) {
  World world;
  EXPECT_EQ(world.verdict_on(arp({.target_ip = kUnicastPeerIp})), "arp_not_ours");
  EXPECT_EQ(world.verdict_on(echo({.destination = kUnicastPeerIp}, {.to = kPortMac})),
            "ipv4_not_ours");
  EXPECT_EQ(heard(world), nullptr);
}

TEST(NeighborReceiver, APeerMayPing) {
  World world;
  EXPECT_EQ(world.verdict_on(echo({.source = kUnicastPeerIp}, {.to = kPortMac})), "answer");
  EXPECT_EQ(world.verdict_on(echo6({.source = kUnicastPeerIp6}, {.to = kPortMac})), "answer");
}

TEST(NeighborReceiver, StrangersDoNotGoUp) {
  World world;
  Arp other = kReply;
  other.sender_ip = kPeerIp;
  EXPECT_EQ(world.verdict_on(arp(other, kToUs)), "arp_not_request");
  Ethernet tagged = kToUs;
  tagged.tag = 20;
  EXPECT_EQ(world.verdict_on(arp(kReply, tagged)), "arp_not_request");  // a peer elsewhere
  EXPECT_EQ(world.verdict_on(arp({.target_ip = kOwnIp})), "answer");    // a client
  EXPECT_EQ(heard(world), nullptr);
}

TEST(NeighborReceiver, ToThisPortOrToAll) {
  World world;
  EXPECT_EQ(world.verdict_on(arp(kReply, {.to = virtual_mac(Vhid(1)), .from = kUnicastPeerMac})),
            "arp_not_request");
  EXPECT_EQ(heard(world), nullptr);
  EXPECT_EQ(world.verdict_on(arp(kReply, {.to = kBroadcastMac, .from = kUnicastPeerMac})), "taken");
  EXPECT_NE(heard(world), nullptr);
}

TEST(NeighborReceiver, MacsThatNoPeerHas) {
  for (const MacAddress& mac : {MacAddress{}, kBroadcastMac, mac_from({0x01, 0, 0x5e, 0, 0, 0x12}),
                                kPortMac, virtual_mac(Vhid(7)), mac_from({0, 0, 0x5e, 0, 2, 7})}) {
    World world;
    Arp reply = kReply;
    reply.sender_mac = mac;
    EXPECT_EQ(world.verdict_on(arp(reply, kToUs)), "arp_not_request") << mac.to_string();
    EXPECT_EQ(heard(world), nullptr);
  }
}

TEST(NeighborReceiver, NeighborAdvertisementOfAPeer) {
  World world;
  Neighbor n;
  n.type = 136;
  n.flags = 0x60;
  n.target = kUnicastPeerIp6;
  n.options = link_layer(2, kUnicastPeerMac);
  n.ip = {.source = kUnicastPeerIp6, .destination = kOwnIp6};
  n.ethernet = kToUs;
  EXPECT_EQ(world.verdict_on(neighbor(n)), "taken");
  ASSERT_NE(heard(world), nullptr);
  EXPECT_EQ(heard(world)->address, IpAddress(kUnicastPeerIp6));
  EXPECT_EQ(heard(world)->mac, kUnicastPeerMac);
  World other;
  n.target = kClientIp6;
  EXPECT_EQ(other.verdict_on(neighbor(n)), "nd_not_ours");
  n.target = kUnicastPeerIp6;
  n.options = link_layer(2, kBroadcastMac);
  EXPECT_EQ(other.verdict_on(neighbor(n)), "nd_not_ours");
  EXPECT_EQ(heard(other), nullptr);
}

TEST(NeighborReceiver, AFloodIsForgotten) {
  World world;
  for (unsigned i = 0; i < 1000; ++i) EXPECT_EQ(world.verdict_on(arp(kReply, kToUs)), "taken");
  EXPECT_EQ(world.up.messages.size(), UpReporter::kBudget);
}

}  // namespace
}  // namespace koi::dataplane::neighbor_receiver_test
