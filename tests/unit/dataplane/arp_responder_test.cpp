#include "dataplane/arp_responder.h"

#include <gtest/gtest.h>

#include "tests/support/world.h"

namespace koi::dataplane::arp_responder_test {
namespace {

using namespace test;  // NOLINT: the whole file is about its frames

// By hand: Ethernet, then the 28 bytes of RFC 826.
constexpr auto kSharedReply =
    "525400123456 00005e000101 0806 0001 0800 06 04 0002 00005e000101 c0000201 525400123456 "
    "c000024d";
constexpr auto kOwnReply =
    "525400123456 020000000010 0806 0001 0800 06 04 0002 020000000010 c0000202 525400123456 "
    "c000024d";
constexpr auto kTaggedReply =
    "525400123456 00005e000107 8100 0014 0806 0001 0800 06 04 0002 00005e000107 c6336401 "
    "525400123456 c633644d";
constexpr auto kPriorityReply =
    "525400123456 00005e000101 8100 6000 0806 0001 0800 06 04 0002 00005e000101 c0000201 "
    "525400123456 c000024d";
constexpr auto kProbeReply =
    "525400123456 00005e000101 0806 0001 0800 06 04 0002 00005e000101 c0000201 525400123456 "
    "00000000";

const Arp kTaggedArp{.sender_ip = kTaggedClientIp, .target_ip = kTaggedSharedIp};
const Ethernet kTaggedEthernet{.tag = 20};

class ArpResponder : public ::testing::Test {
 protected:
  ArpResponder() {
    for (const SlotIndex slot : {kLan, kTagged, kOtherPort}) world.reign(slot);
  }
  void expect_reply(Bytes request, const char* reply) {
    const Fate fate = world.receive(request);
    ASSERT_EQ(verdict(fate), "answer");
    EXPECT_EQ(fate.what(), AnswerKind::arp);
    EXPECT_EQ(to_hex(request), to_hex(from_hex(reply)));
  }
  World world;
};

// C11.1 kept, C11.2 kept, C11.3 kept, C11.5 kept, C11.6 kept, C11.8 kept
TEST_F(ArpResponder, SharedAddressWithTheVirtualMacTwice) { expect_reply(arp({}), kSharedReply); }

// C11.4 kept
TEST_F(ArpResponder, OwnAddressWithThePortsMac) {
  expect_reply(arp({.target_ip = kOwnIp}), kOwnReply);
}

// C11.4 kept
TEST_F(ArpResponder, OwnAddressNeedsNoLease) {
  World backup;
  EXPECT_EQ(backup.verdict_on(arp({.target_ip = kOwnIp})), "answer");
}

// C14.1 kept
TEST_F(ArpResponder, Tagged) { expect_reply(arp(kTaggedArp, kTaggedEthernet), kTaggedReply); }

// C14.2 kept
TEST_F(ArpResponder, PriorityTagCountsAsUntaggedAndStays) {
  expect_reply(arp({}, {.tag = 0x6000}), kPriorityReply);
}

// C11.5 kept
TEST_F(ArpResponder, PaddingIsCutOff) {
  Bytes padded = arp({});
  padded.resize(60, std::byte{0xee});
  expect_reply(padded, kSharedReply);
  padded = arp(kTaggedArp, kTaggedEthernet);
  padded.resize(1518, std::byte{0xee});
  expect_reply(padded, kTaggedReply);
}

// C11.7 kept
TEST_F(ArpResponder, ProbeIsAnswered) {  // RFC 5227: sender 0.0.0.0
  expect_reply(arp({.sender_ip = {}}), kProbeReply);
}

// C11.1 kept
TEST_F(ArpResponder, UnicastRequestIsAnswered) {
  expect_reply(arp({}, {.to = virtual_mac(Vhid(1))}), kSharedReply);
  expect_reply(arp({.target_ip = kOwnIp}, {.to = kPortMac}), kOwnReply);
}

// C11.1 kept
TEST_F(ArpResponder, AnswerGoesToTheSenderHardwareAddress) {
  // The Ethernet source may be another one's, as behind a proxy (T15).
  expect_reply(arp({}, {.from = mac_from({0x02, 0, 0, 0, 0, 0x77})}), kSharedReply);
}

TEST_F(ArpResponder, TargetHardwareAddressMeansNothing) {
  expect_reply(arp({.target_mac = kClientMac}), kSharedReply);
}

// C11.5 refused
TEST_F(ArpResponder, EveryTruncation) {
  const Bytes request = arp({});
  for (std::size_t n = 0; n < request.size(); ++n) {
    EXPECT_EQ(world.verdict_on(prefix(request, n)), n < 14 ? "runt" : "arp_length") << n;
  }
  const Bytes tagged = arp(kTaggedArp, kTaggedEthernet);
  for (std::size_t n = 0; n < tagged.size(); ++n) {
    EXPECT_EQ(world.verdict_on(prefix(tagged, n)), n < 18 ? "runt" : "arp_length") << n;
  }
}

// C11.5 kept, C11.5 refused
TEST_F(ArpResponder, EveryOperation) {
  for (unsigned operation = 0; operation <= 0xffff; ++operation) {
    ASSERT_EQ(world.verdict_on(arp({.operation = static_cast<std::uint16_t>(operation)})),
              operation == 1 ? "answer" : "arp_not_request")
        << operation;
  }
}

// C11.5 refused
TEST_F(ArpResponder, EveryOtherFormat) {
  const Bytes request = arp({});
  for (std::size_t at = 14; at < 20; ++at) {
    for (unsigned flip = 1; flip < 256; ++flip) {
      Bytes changed = request;
      changed[at] ^= static_cast<std::byte>(flip);
      ASSERT_EQ(world.verdict_on(changed), "arp_format") << at << " ^ " << flip;
    }
  }
}

TEST_F(ArpResponder, AddressesOfNobody) {
  EXPECT_EQ(world.verdict_on(arp({.target_ip = kClientIp})), "arp_not_ours");
  EXPECT_EQ(world.verdict_on(arp({.target_ip = {}})), "arp_not_ours");
}

// C14.1 refused
TEST_F(ArpResponder, AnotherVlanOrPortHasOtherAddresses) {
  EXPECT_EQ(world.verdict_on(arp({}, {.tag = 20})), "arp_not_ours");
  EXPECT_EQ(world.verdict_on(arp({}, {.tag = 21})), "arp_not_ours");
  EXPECT_EQ(world.verdict_on(arp(kTaggedArp)), "arp_not_ours");
  EXPECT_EQ(world.verdict_on(arp({}), PortIndex(1)), "arp_not_ours");
  EXPECT_EQ(world.verdict_on(arp({.target_ip = ipv4(203, 0, 113, 1)}), PortIndex(1)), "answer");
}

TEST_F(ArpResponder, VlanIdIsTwelveBits) {
  Bytes request = arp(kTaggedArp, {.tag = 0xf014});  // priority 7, drop eligible, VLAN 20
  EXPECT_EQ(world.verdict_on(request), "answer");
}

// C11.8 refused
TEST_F(ArpResponder, WhoAsksForItsOwnAddressClaimsIt) {
  EXPECT_EQ(world.verdict_on(arp({.sender_ip = kSharedIp})), "arp_claim");
  EXPECT_EQ(world.verdict_on(arp({.sender_ip = kOwnIp, .target_ip = kOwnIp})), "arp_claim");
  World backup;
  EXPECT_EQ(backup.verdict_on(arp({.sender_ip = kSharedIp})), "arp_claim");
}

// C11.8 refused
TEST_F(ArpResponder, AnnouncementOfTheGroupIsNoClaim) {  // protocol.md §9
  EXPECT_EQ(world.verdict_on(arp({.sender_mac = virtual_mac(Vhid(1)), .sender_ip = kSharedIp},
                                 {.from = virtual_mac(Vhid(1))})),
            "arp_announcement");
}

// C11.6 refused
TEST_F(ArpResponder, SendersThatNoHostIs) {
  for (const MacAddress& sender :
       {kBroadcastMac, mac_from({0x01, 0, 0x5e, 0, 0, 1}), MacAddress{}, kPortMac}) {
    EXPECT_EQ(world.verdict_on(arp({.sender_mac = sender})), "arp_sender") << sender.to_string();
    EXPECT_EQ(world.verdict_on(arp({.sender_mac = sender, .target_ip = kOwnIp})), "arp_sender")
        << sender.to_string();
  }
  EXPECT_EQ(world.verdict_on(arp({.sender_mac = virtual_mac(Vhid(1))})), "arp_sender");
}

// C11.2 refused
TEST_F(ArpResponder, BackupIsSilentOnPurpose) {
  World backup;
  EXPECT_EQ(backup.verdict_on(arp({})), "not_master");
  // The words on the board alone make no MASTER.
  backup.reign(kLan);
  backup.view.terms[kLan.value()] = Term(0);
  EXPECT_EQ(backup.verdict_on(arp({})), "not_master");
}

// C11.3 refused
TEST_F(ArpResponder, MasterWithoutLeaseIsSilent) {
  world.board->slot(kLan).term.store(0);
  EXPECT_EQ(world.verdict_on(arp({})), "no_lease");
}

TEST_F(ArpResponder, OneSlotsLeaseIsNotAnothers) {
  world.board->slot(kTagged).term.store(0);
  EXPECT_EQ(world.verdict_on(arp(kTaggedArp, kTaggedEthernet)), "no_lease");
  EXPECT_EQ(world.verdict_on(arp({})), "answer");
}

TEST_F(ArpResponder, RefusedRequestStaysAsItWas) {
  World backup;
  Bytes request = arp({});
  backup.receive(request);
  EXPECT_EQ(to_hex(request), to_hex(arp({})));
}

}  // namespace
}  // namespace koi::dataplane::arp_responder_test
