#include "dataplane/nd_responder.h"

#include <gtest/gtest.h>

#include "tests/support/world.h"

namespace koi::dataplane::nd_responder_test {
namespace {

using namespace test;  // NOLINT: the whole file is about its frames

// Scapy's frames: Ether / [Dot1Q] / IPv6(hlim=255) / ICMPv6ND_NS or ICMPv6ND_NA / option.
constexpr auto kSolicitation =
    "3333ff000001525400123456 86dd 6000000000203aff 20010db8000000000000000000000077 "
    "ff0200000000000000000001ff000001 870096f700000000 20010db8000000000000000000000001 "
    "0101525400123456";
constexpr auto kAnswer =
    "52540012345600005e000106 86dd 6000000000203aff 20010db8000000000000000000000001 "
    "20010db8000000000000000000000077 8800acf8e0000000 20010db8000000000000000000000001 "
    "020100005e000106";
constexpr auto kWithoutOption =
    "3333ff000001525400123456 86dd 6000000000183aff 20010db8000000000000000000000077 "
    "ff0200000000000000000001ff000001 87001ebd00000000 20010db8000000000000000000000001";
constexpr auto kReachability =  // RFC 4861 §7.3: unicast, to the virtual MAC
    "00005e000106525400123456 86dd 6000000000203aff 20010db8000000000000000000000077 "
    "20010db8000000000000000000000001 8700674300000000 20010db8000000000000000000000001 "
    "0101525400123456";
constexpr auto kBehindExtensions =  // router alert, destination options
    "3333ff000001525400123456 86dd 60000000003000ff 20010db8000000000000000000000077 "
    "ff0200000000000000000001ff000001 3c00050200000100 3a00010400000000 870096f700000000 "
    "20010db8000000000000000000000001 0101525400123456";
constexpr auto kDetection =
    "3333ff000001525400123456 86dd 6000000000183aff 00000000000000000000000000000000 "
    "ff0200000000000000000001ff000001 87004ced00000000 20010db8000000000000000000000001";
constexpr auto kToAllNodes =
    "33330000000100005e000106 86dd 6000000000203aff 20010db8000000000000000000000001 "
    "ff020000000000000000000000000001 88001c25a0000000 20010db8000000000000000000000001 "
    "020100005e000106";
constexpr auto kForOwn =
    "3333ff000002525400123456 86dd 6000000000203aff 20010db8000000000000000000000077 "
    "ff0200000000000000000001ff000002 870096f500000000 20010db8000000000000000000000002 "
    "0101525400123456";
constexpr auto kOwnAnswer =  // the port's MAC, and no router flag
    "525400123456020000000010 86dd 6000000000203aff 20010db8000000000000000000000002 "
    "20010db8000000000000000000000077 880089ed60000000 20010db8000000000000000000000002 "
    "0201020000000010";
constexpr auto kTaggedSolicitation =
    "3333ff000001525400123456 8100 0014 86dd 6000000000203aff 20010db8002000000000000000000077 "
    "ff0200000000000000000001ff000001 870096b700000000 20010db8002000000000000000000001 "
    "0101525400123456";
constexpr auto kTaggedAnswer =
    "52540012345600005e000108 8100 0014 86dd 6000000000203aff 20010db8002000000000000000000001 "
    "20010db8002000000000000000000077 8800ac96e0000000 20010db8002000000000000000000001 "
    "020100005e000108";
constexpr auto kPrioritySolicitation =
    "3333ff000001525400123456 8100 6000 86dd 6000000000203aff 20010db8000000000000000000000077 "
    "ff0200000000000000000001ff000001 870096f700000000 20010db8000000000000000000000001 "
    "0101525400123456";
constexpr auto kPriorityAnswer =
    "52540012345600005e000106 8100 6000 86dd 6000000000203aff 20010db8000000000000000000000001 "
    "20010db8000000000000000000000077 8800acf8e0000000 20010db8000000000000000000000001 "
    "020100005e000106";

const MacAddress kVirtual = virtual_mac(Vhid(6));
Bytes solicitation() { return from_hex(kSolicitation); }

Neighbor detection() {
  Neighbor n;
  n.ip.source = {};
  n.options = {};
  return n;
}

class NdResponder : public ::testing::Test {
 protected:
  NdResponder() {
    for (const SlotIndex slot : {kBoth, kTagged6}) world.reign(slot);
  }
  void expect_answer(const char* request, const char* answer) {
    Bytes bytes = from_hex(request);
    const Fate fate = world.receive(bytes);
    ASSERT_EQ(verdict(fate), "answer");
    EXPECT_EQ(fate.what(), AnswerKind::nd);
    EXPECT_EQ(to_hex(bytes), to_hex(from_hex(answer)));
  }
  std::string judge(const Neighbor& n) { return world.verdict_on(neighbor(n)); }
  World world;
};

// C11.10 kept
TEST_F(NdResponder, SharedAddressWithTheVirtualMac) { expect_answer(kSolicitation, kAnswer); }

// C11.4 kept, C11.10 kept
TEST_F(NdResponder, OwnAddressWithThePortsMac) { expect_answer(kForOwn, kOwnAnswer); }

TEST_F(NdResponder, OwnAddressNeedsNoLease) {
  World backup;
  EXPECT_EQ(backup.verdict_on(from_hex(kForOwn)), "answer");
}

TEST_F(NdResponder, UnicastProbe) { expect_answer(kReachability, kAnswer); }

TEST_F(NdResponder, Tagged) { expect_answer(kTaggedSolicitation, kTaggedAnswer); }

TEST_F(NdResponder, PriorityTagCountsAsUntaggedAndStays) {
  expect_answer(kPrioritySolicitation, kPriorityAnswer);
}

TEST_F(NdResponder, ExtensionHeadersAreNotSentBack) { expect_answer(kBehindExtensions, kAnswer); }

// RFC 4861 §7.2.4: without the option, the answer goes to whom the frame came from.
TEST_F(NdResponder, WithoutTheOptionTheAnswerIsEightBytesLonger) {
  EXPECT_EQ(world.verdict_on(from_hex(kWithoutOption)), "nd_length");
  world.room = 7;
  EXPECT_EQ(world.verdict_on(from_hex(kWithoutOption)), "nd_length");
  world.room = 8;
  expect_answer(kWithoutOption, kAnswer);
  world.room = 0;  // padding is room as well
  expect_answer((std::string(kWithoutOption) + "eeeeeeeeeeeeeeee").c_str(), kAnswer);
}

TEST_F(NdResponder, PaddingIsCutOff) {
  expect_answer((std::string(kSolicitation) + "eeeeeeee").c_str(), kAnswer);
}

TEST_F(NdResponder, AnswerGoesToTheSourceLinkLayerAddress) {
  Neighbor n;
  n.ethernet.from = mac_from({0x02, 0, 0, 0, 0, 0x77});
  Bytes bytes = neighbor(n);
  ASSERT_EQ(verdict(world.receive(bytes)), "answer");
  EXPECT_EQ(to_hex(bytes), to_hex(from_hex(kAnswer)));
}

// ---- Duplicate Address Detection ---------------------------------------------------------------

// C11.11 kept
TEST_F(NdResponder, DetectionIsAnsweredToAllNodes) {
  world.room = 8;
  expect_answer(kDetection, kToAllNodes);
}

// C11.11 kept, C11.11 refused
TEST_F(NdResponder, DetectionOnceASecondForEachTarget) {
  world.room = 8;
  EXPECT_EQ(judge(detection()), "answer");
  EXPECT_EQ(judge(detection()), "nd_dad");
  // Another target has its own second, and who has an address is answered at any time.
  Neighbor own = detection();
  own.target = kOwnIp6;
  own.ip.destination = Neighbor::solicited_group(kOwnIp6);
  EXPECT_EQ(judge(own), "answer");
  EXPECT_EQ(judge({}), "answer");
  for (int i = 0; i < 999; ++i) world.poll(1ms);
  world.reign(kBoth);
  EXPECT_EQ(judge(detection()), "nd_dad");
  world.poll(1ms);
  EXPECT_EQ(judge(detection()), "answer");
  EXPECT_EQ(judge(detection()), "nd_dad");
}

TEST_F(NdResponder, DetectionThatWasNotAnsweredTakesNoSecond) {
  EXPECT_EQ(judge(detection()), "nd_length");
  world.room = 8;
  world.board->slot(kBoth).term.store(0);
  world.poll();
  EXPECT_EQ(judge(detection()), "no_lease");
  world.board->slot(kBoth).term.store(5);
  world.poll();
  EXPECT_EQ(judge(detection()), "answer");
}

TEST_F(NdResponder, OurOwnDetectionComingBackIsNotAnswered) {
  world.room = 8;
  for (const MacAddress& from : {kVirtual, kPortMac}) {
    Neighbor n = detection();
    n.ethernet.from = from;
    EXPECT_EQ(judge(n), "nd_sender") << from.to_string();
  }
}

// C11.9 refused
TEST_F(NdResponder, DetectionElsewhereOrWithAnAddress) {
  Neighbor n = detection();
  n.ip.destination = kAllNodes;
  EXPECT_EQ(judge(n), "nd_source");
  n = detection();
  n.options = link_layer(1, kClientMac);
  EXPECT_EQ(judge(n), "nd_source");
}

// ---- who is not answered -----------------------------------------------------------------------

// C11.2 refused
TEST_F(NdResponder, BackupIsSilentOnPurpose) {
  World backup;
  EXPECT_EQ(backup.verdict_on(solicitation()), "not_master");
}

// C11.3 refused
TEST_F(NdResponder, MasterNeedsTheLeaseOfBothFamilies) {
  for (const std::size_t family : {0U, 1U}) {
    World one;
    one.reign(kBoth);
    one.board->slot(kBoth).deadline[family].store(0);
    EXPECT_EQ(one.verdict_on(solicitation()), "no_lease");
  }
  World only;  // of this slot only IPv6 counts
  only.reign(kTagged6);
  only.board->slot(kTagged6).deadline[0].store(0);
  EXPECT_EQ(only.verdict_on(from_hex(kTaggedSolicitation)), "answer");
}

TEST_F(NdResponder, AddressesOfNobodyAndOfAPeer) {
  for (const Ipv6Address& target : {kClientIp6, kUnicastPeerIp6, kTaggedSharedIp6}) {
    EXPECT_EQ(judge({.target = target, .ip = {.destination = Neighbor::solicited_group(target)}}),
              "nd_not_ours")
        << target.to_string();
  }
  EXPECT_EQ(world.verdict_on(solicitation(), PortIndex(1)), "nd_not_ours");
  Neighbor tagged;
  tagged.ethernet.tag = 20;
  EXPECT_EQ(judge(tagged), "nd_not_ours");
}

TEST_F(NdResponder, DestinationIsTheTargetOrAGroupOfIt) {
  const auto to = [&](const char* address) {
    return judge({.ip = {.destination = *Ipv6Address::parse(address)}});
  };
  EXPECT_EQ(to("ff02::1:ff00:1"), "answer");
  EXPECT_EQ(to("ff02::1"), "answer");
  EXPECT_EQ(to("2001:db8::1"), "answer");
  EXPECT_EQ(to("2001:db8::2"), "ipv6_not_ours");
  EXPECT_EQ(to("2001:db8::77"), "ipv6_not_ours");
  EXPECT_EQ(to("ff02::1:ff00:2"), "ipv6_not_ours");
  EXPECT_EQ(to("ff02::2"), "ipv6_not_ours");
  EXPECT_EQ(to("::"), "ipv6_not_ours");
}

TEST_F(NdResponder, SourcesThatNoHostHas) {
  for (const char* source : {"::1", "ff02::1", "ff05::12"}) {
    EXPECT_EQ(judge({.ip = {.source = *Ipv6Address::parse(source),
                            .destination = Neighbor::solicited_group(kSharedIp6)}}),
              "ipv6_source")
        << source;
  }
}

TEST_F(NdResponder, AskersThatNoHostIs) {
  for (const MacAddress& asker :
       {kBroadcastMac, mac_from({0x33, 0x33, 0, 0, 0, 1}), MacAddress{}, kPortMac, kVirtual}) {
    EXPECT_EQ(judge({.options = link_layer(1, asker)}), "nd_sender") << asker.to_string();
  }
  world.room = 8;
  for (const MacAddress& from : {kPortMac, kVirtual}) {
    Neighbor n{.options = {}};
    n.ethernet.from = from;
    EXPECT_EQ(judge(n), "nd_sender") << from.to_string();
  }
}

// C11.8 refused
TEST_F(NdResponder, WhoAsksForItsOwnAddressClaimsIt) {
  Neighbor n;
  n.ip.source = kSharedIp6;
  EXPECT_EQ(judge(n), "nd_claim");
  n.options = link_layer(1, kVirtual);
  EXPECT_EQ(judge(n), "nd_announcement");
}

TEST_F(NdResponder, RefusedSolicitationStaysAsItWas) {
  World backup;
  backup.room = 8;
  Bytes bytes = solicitation();
  backup.receive(bytes);
  EXPECT_EQ(to_hex(bytes), to_hex(solicitation()));
}

// ---- advertisements ----------------------------------------------------------------------------

TEST_F(NdResponder, AdvertisementOfTheGroupIsNoClaim) {
  EXPECT_EQ(world.verdict_on(from_hex(kToAllNodes)), "nd_announcement");
  EXPECT_EQ(judge(advertised(kOwnIp6, kPortMac)), "nd_announcement");
}

// C16.4 kept
TEST_F(NdResponder, AdvertisementOfAnybodyElseIsAClaim) {
  EXPECT_EQ(judge(advertised(kSharedIp6, kClientMac)), "nd_claim");
  EXPECT_EQ(judge(advertised(kSharedIp6, virtual_mac(Vhid(7)))), "nd_claim");
  EXPECT_EQ(judge(advertised(kOwnIp6, kVirtual)), "nd_claim");
  World backup;
  EXPECT_EQ(backup.verdict_on(neighbor(advertised(kSharedIp6, kClientMac))), "nd_claim");
}

TEST_F(NdResponder, AdvertisementWithoutAnOptionIsOfItsSender) {
  Neighbor n = advertised(kSharedIp6, kVirtual);
  n.options = {};
  EXPECT_EQ(judge(n), "nd_announcement");
  n.ethernet.from = kClientMac;
  EXPECT_EQ(judge(n), "nd_claim");
}

TEST_F(NdResponder, AdvertisementOfOthersIsNotOurs) {
  EXPECT_EQ(judge(advertised(kClientIp6, kClientMac)), "nd_not_ours");
  EXPECT_EQ(judge(advertised(kUnicastPeerIp6, kPeerMac)), "nd_not_ours");
}

// ---- every change of a byte --------------------------------------------------------------------

TEST_F(NdResponder, EveryTruncation) {
  for (const char* request : {kSolicitation, kTaggedSolicitation}) {
    const Bytes whole = from_hex(request);
    const std::size_t ethernet = whole[12] == std::byte{0x81} ? 18 : 14;
    for (std::size_t n = 0; n < whole.size(); ++n) {
      EXPECT_EQ(world.verdict_on(prefix(whole, n)), n < ethernet ? "runt" : "ipv6_length") << n;
    }
  }
}

// Whatever one byte says, with its checksum right or wrong: no crash, and an answer only to what
// RFC 4861 lets be answered, from the right MAC, with a right checksum.
TEST_F(NdResponder, EveryByteFlippedIsNeverAnsweredWrongly) {
  for (const bool mend : {false, true}) {
    for (std::size_t at = 0; at < 86; ++at) {
      for (unsigned flip = 1; flip < 256; ++flip) {
        Bytes bytes = solicitation();
        bytes[at] ^= static_cast<std::byte>(flip);
        Ip6 ip;
        std::copy(bytes.begin() + 22, bytes.begin() + 38, ip.source.bytes.begin());
        std::copy(bytes.begin() + 38, bytes.begin() + 54, ip.destination.bytes.begin());
        if (mend) {
          Bytes message(bytes.begin() + 54, bytes.end());
          set_checksum6(message, 2, ip, 58);
          std::copy(message.begin(), message.end(), bytes.begin() + 54);
        }
        const Bytes asked = bytes;
        if (verdict(world.receive(bytes)) != "answer") continue;
        // Free: Ethernet's destination (to a group) and source, traffic class and flow label, and,
        // with the right checksum, the IPv6 source, the reserved field and the asker's MAC.
        const bool free = at < 12 || (at >= 14 && at < 18) ||
                          (mend && ((at >= 22 && at < 38) || at == 56 || at == 57 ||
                                    (at >= 58 && at < 62) || at >= 80)) ||
                          // an unknown option, and an option of the target: passed over
                          (mend && at == 78);
        ASSERT_TRUE(free) << at << " ^ " << flip;
        ASSERT_EQ(to_hex(std::span(bytes).subspan(6, 6)), "00005e000106") << at << " ^ " << flip;
        ASSERT_EQ(to_hex(std::span(bytes).subspan(22, 16)), "20010db8000000000000000000000001");
        ASSERT_EQ(to_hex(std::span(bytes).subspan(38, 16)),
                  to_hex(std::span(asked).subspan(22, 16)));
        Ip6 back{.source = kSharedIp6, .destination = ip.source};
        Bytes message(bytes.begin() + 54, bytes.end());
        const Bytes before = message;
        set_checksum6(message, 2, back, 58);
        ASSERT_EQ(to_hex(message), to_hex(before)) << at << " ^ " << flip;
      }
    }
  }
}

}  // namespace
}  // namespace koi::dataplane::nd_responder_test
