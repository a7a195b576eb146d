#include "dataplane/advert_receiver.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "tests/support/world.h"

namespace koi::dataplane::advert_receiver_test {
namespace {

using namespace test;  // NOLINT: the whole file is about its frames

// Another dialect's group, where counters prove nothing.
Advert foreign(std::uint64_t counter = 1) {
  return {.vhid = 9, .counter = counter, .addresses = {kForeignSharedIp}};
}

std::uint64_t count(const World& world, SlotIndex slot, Verdict verdict) {
  return world.counters->slots[slot.value()].received[static_cast<std::size_t>(verdict)].get();
}

TEST(AdvertReceiver, TheFrameOfTheTestsIsTheGoldenVector) {
  // protocol.md §4, A: so this oracle is the one the peers agree with.
  EXPECT_EQ(to_hex(carp({.vhid = 1,
                         .advskew = 100,
                         .counter = 0x0123456789abcdef,
                         .key = "secret",
                         .addresses = {ipv4(192, 0, 2, 10)}})),
            "210164070001e6a70123456789abcdef3d2cea66fce80320a8027400391063b414d100f4");
}

// C2.1 kept, C2.2 kept, C2.4 kept, C3.3 kept, C13.1 kept
TEST(AdvertReceiver, AcceptedWithEveryField) {
  World world;
  EXPECT_EQ(world.verdict_on(frame({.advskew = 33, .advbase = 2, .demote = 4})), "taken");
  ASSERT_EQ(world.up.messages.size(), 1U);
  const VerifiedAdvert* advert = world.up.advert(0);
  ASSERT_NE(advert, nullptr);
  EXPECT_EQ(advert->slot, kLan);
  EXPECT_EQ(advert->family, Family::ipv4);
  EXPECT_EQ(advert->advbase, 2);
  EXPECT_EQ(advert->advskew, 33);
  EXPECT_EQ(advert->demote, 4);
  EXPECT_EQ(advert->counter, 0x1000'000cU);
  EXPECT_EQ(advert->source, IpAddress(kPeerIp));
  EXPECT_EQ(advert->source_mac, kPeerMac);
  EXPECT_EQ(advert->heard_number, 1U);
  EXPECT_TRUE(advert->same_parameters);
  EXPECT_FALSE(advert->counter_went_back);
  EXPECT_EQ(count(world, kLan, Verdict::accepted), 1U);
}

// C3.5 kept
TEST(AdvertReceiver, SourceMacAndEthernetDestinationMeanNothing) {  // protocol.md §2
  World world;
  Advert ad;
  ad.ethernet = {.to = kPortMac, .from = kClientMac};
  EXPECT_EQ(world.verdict_on(frame(ad)), "taken");
}

// C2.5 kept
TEST(AdvertReceiver, BytesAfterTheHeaderMeanNothing) {  // protocol.md §1
  World world;
  Bytes payload = carp({});
  payload.resize(64, std::byte{0xee});
  Bytes bytes = frame({}, payload);
  bytes.resize(bytes.size() + 10, std::byte{0xee});
  EXPECT_EQ(world.verdict_on(bytes), "taken");
}

// C2.3 kept
TEST(AdvertReceiver, TypeAndAuthlenMeanNothing) {  // protocol.md §1
  World world;
  std::uint64_t sequence = 0;
  for (unsigned value = 0; value < 256; ++value) {
    Advert ad{.counter = counter_of(++sequence)};
    Bytes payload = carp(ad);
    payload[0] = static_cast<std::byte>(0x20 | (value & 15));
    payload[3] = static_cast<std::byte>(value);
    set_checksum(payload, 6, 36);
    EXPECT_EQ(world.verdict_on(frame(ad, payload)), "taken") << value;
  }
}

// protocol.md §3. Each frame below fails its check and all later ones, so that the order shows.
// C4.1 kept, C2.2 refused, C4.1 refused
TEST(AdvertReceiver, ChecksInTheirOrder) {
  World world;
  Advert ad{.version_type = 0x41, .vhid = 200, .key = "another"};
  ad.ip.ttl = 254;
  ad.ip.destination = ipv4(224, 0, 0, 1);
  Bytes broken = carp(ad);
  broken[6] ^= std::byte{1};
  EXPECT_EQ(world.verdict_on(frame(ad, prefix(broken, 35))), "carp_ttl");
  ad.ip.ttl = 255;
  EXPECT_EQ(world.verdict_on(frame(ad, prefix(broken, 35))), "carp_destination");
  ad.ip.destination = ipv4(224, 0, 0, 18);
  EXPECT_EQ(world.verdict_on(frame(ad, prefix(broken, 35))), "carp_length");
  EXPECT_EQ(world.verdict_on(frame(ad, broken)), "carp_checksum");
  EXPECT_EQ(world.verdict_on(frame(ad)), "carp_vhid");
  ad.vhid = 1;
  EXPECT_EQ(world.verdict_on(frame(ad)), "carp_version");
  ad.version_type = 0x21;
  const std::uint64_t theirs = ad.counter;
  ad.counter = 0x1000 | kOwnNode.value();
  world.board->own_counter.store(ad.counter);
  EXPECT_EQ(world.verdict_on(frame(ad)), "carp_digest");
  ad.key = kKey;
  EXPECT_EQ(world.verdict_on(frame(ad)), "carp_own");
  ad.counter = theirs;
  EXPECT_EQ(world.verdict_on(frame(ad)), "taken");
  EXPECT_EQ(world.verdict_on(frame(ad)), "carp_replay");
  ASSERT_EQ(world.up.messages.size(), 3U);  // the digest is a conflict, and so is the replay
  EXPECT_NE(world.up.advert(1), nullptr);
  // What fails before the vhid is known is no slot's.
  for (const Verdict v :
       {Verdict::accepted, Verdict::version, Verdict::digest, Verdict::own, Verdict::replay}) {
    EXPECT_EQ(count(world, kLan, v), 1U) << static_cast<int>(v);
  }
}

// C3.3 refused
TEST(AdvertReceiver, EveryOtherTtl) {
  World world;
  for (unsigned ttl = 0; ttl < 255; ++ttl) {
    Advert ad;
    ad.ip.ttl = static_cast<std::uint8_t>(ttl);
    EXPECT_EQ(world.verdict_on(frame(ad)), "carp_ttl") << ttl;
  }
}

// C13.11 refused
TEST(AdvertReceiver, UnicastIsNotToTheGroup) {
  World world;
  Advert ad;
  for (const Ipv4Address& to : {kOwnIp, kSharedIp, ipv4(224, 0, 0, 17)}) {
    ad.ip.destination = to;
    EXPECT_EQ(world.verdict_on(frame(ad)), "carp_destination");
  }
}

// C2.4 refused
TEST(AdvertReceiver, EveryShortPayload) {
  World world;
  for (std::size_t n = 0; n < 36; ++n) {
    EXPECT_EQ(world.verdict_on(frame({}, prefix(carp({}), n))), "carp_length") << n;
  }
}

// C1.1 kept, C4.6 kept, C14.1 kept, C4.6 refused, C14.1 refused
TEST(AdvertReceiver, VhidOnAnotherVlanOrPortIsNobodys) {
  World world;
  Advert ad;
  ad.ethernet.tag = 20;
  EXPECT_EQ(world.verdict_on(frame(ad)), "carp_vhid");
  EXPECT_EQ(world.verdict_on(frame(Advert{}), PortIndex(1)), "carp_vhid");
  EXPECT_EQ(world.verdict_on(frame({.vhid = 7, .addresses = {kTaggedSharedIp}})), "carp_vhid");
  EXPECT_EQ(world.verdict_on(frame({.vhid = 0})), "carp_vhid");
  Advert tagged{.vhid = 7, .addresses = {kTaggedSharedIp}};
  tagged.ethernet.tag = 0xe014;
  EXPECT_EQ(world.verdict_on(frame(tagged)), "taken");
  ASSERT_NE(world.up.advert(0), nullptr);
  EXPECT_EQ(world.up.advert(0)->slot, kTagged);
}

// C5.3 refused
TEST(AdvertReceiver, AnotherKeyAddressListOrVhidDoesNotSign) {
  World world;
  EXPECT_EQ(world.verdict_on(frame({.key = "secret kez"})), "carp_digest");
  EXPECT_EQ(world.verdict_on(frame({.addresses = {kForeignSharedIp}})), "carp_digest");
  EXPECT_EQ(world.verdict_on(frame({.addresses = {}})), "carp_digest");
  EXPECT_EQ(world.verdict_on(frame({.vhid = 9})), "carp_digest");
}

// C5.15 kept, C5.15 refused
TEST(AdvertReceiver, EveryAcceptedKeySigns) {
  World world(TopologyBuilder()
                  .port(kPortMac)
                  .own(PortIndex(0), VlanId(0), kOwnIp)
                  .group({.keys = {kKey, "the old one"}, .addresses = {kSharedIp}})
                  .group({.vhid = Vhid(2), .keys = {"its own"}, .addresses = {kForeignSharedIp}})
                  .build());
  EXPECT_EQ(world.verdict_on(frame({.counter = counter_of(1)})), "taken");
  EXPECT_EQ(world.verdict_on(frame({.counter = counter_of(2), .key = "the old one"})), "taken");
  EXPECT_EQ(world.verdict_on(frame({.counter = counter_of(3), .key = "its own"})), "carp_digest");
  EXPECT_EQ(world.verdict_on(
                frame({.vhid = 2, .counter = counter_of(4), .addresses = {kForeignSharedIp}})),
            "carp_digest");
}

/// What of an advertisement the HMAC covers.
void expect_authentic(const World& world, std::size_t at, unsigned flip) {
  for (const UpMessage& message : world.up.messages) {
    if (std::holds_alternative<Conflict>(message)) continue;
    const VerifiedAdvert* advert = std::get_if<VerifiedAdvert>(&message);
    ASSERT_NE(advert, nullptr);
    ASSERT_EQ(advert->slot, kForeign) << at << " ^ " << flip;
    ASSERT_EQ(advert->counter, 1U) << at << " ^ " << flip;
  }
}

// C4.2 refused
TEST(AdvertReceiver, EveryByteFlippedChangesNothingAuthentic) {  // T02
  World world;
  const Bytes original = frame(foreign());
  for (std::size_t at = 0; at < original.size(); ++at) {
    for (unsigned flip = 1; flip < 256; ++flip) {
      Bytes bytes = original;
      bytes[at] ^= static_cast<std::byte>(flip);
      const std::string got = verdict(world.receive(bytes));
      ASSERT_EQ(got == "taken", !world.up.messages.empty());
      // Beyond the Ethernet addresses everything is under one of the two checksums.
      if (at >= 12) {
        ASSERT_NE(got, "taken") << at << " ^ " << flip;
      }
      expect_authentic(world, at, flip);
      world.up.messages.clear();
    }
  }
}

TEST(AdvertReceiver, EveryByteForgedWithRightChecksumsChangesNothingAuthentic) {
  World world;
  const Bytes original = frame(foreign());
  for (std::size_t at = 14; at < original.size(); ++at) {
    for (unsigned flip = 1; flip < 256; ++flip) {
      Bytes packet(original.begin() + 14, original.end());
      packet[at - 14] ^= static_cast<std::byte>(flip);
      set_checksum(packet, 10, 20);
      Bytes payload(packet.begin() + 20, packet.end());
      set_checksum(payload, 6, 36);
      std::copy(payload.begin(), payload.end(), packet.begin() + 20);
      Bytes bytes = ethernet({.to = mac_from({0x01, 0, 0x5e, 0, 0, 0x12})}, 0x0800, packet);
      const std::string got = verdict(world.receive(bytes));
      // protocol.md §1: version, vhid, counter and digest are what an attacker cannot touch.
      const std::size_t header = at - 14 - 20;
      const bool covered = at >= 34 && (header == 1 || header >= 8 || (header == 0 && flip >= 16));
      if (covered) {
        ASSERT_NE(got, "taken") << at << " ^ " << flip;
      }
      expect_authentic(world, at, flip);
      world.up.messages.clear();
    }
  }
}

// ---- dialect koi: the counter ------------------------------------------------------------------

// C6.4 refused
TEST(AdvertReceiver, OwnCounterRangeIsOurOwn) {  // T12
  World world;
  world.board->own_counter.store(counter_of(500, kOwnNode));
  for (const std::uint64_t sequence : {1U, 499U, 500U}) {
    EXPECT_EQ(world.verdict_on(frame({.counter = counter_of(sequence, kOwnNode)})), "carp_own");
  }
  EXPECT_EQ(count(world, kLan, Verdict::own), 3U);
}

// C6.5 refused
TEST(AdvertReceiver, AboveOurOwnCounterSomebodyHasOurNodeId) {
  World world;
  world.board->own_counter.store(counter_of(500, kOwnNode));
  EXPECT_EQ(world.verdict_on(frame({.counter = counter_of(501, kOwnNode)})), "carp_node_id");
  EXPECT_EQ(count(world, kLan, Verdict::node_id), 1U);
}

// C6.3 kept, C6.3 refused
TEST(AdvertReceiver, CountersGrowPerSenderAndSlot) {
  World world;
  const auto hear = [&](std::uint64_t sequence, NodeId node) {
    return world.verdict_on(frame({.counter = counter_of(sequence, node)}));
  };
  EXPECT_EQ(hear(100, kPeerNode), "taken");
  EXPECT_EQ(hear(100, kPeerNode), "carp_replay");
  EXPECT_EQ(hear(99, kPeerNode), "carp_replay");
  EXPECT_EQ(hear(101, kPeerNode), "taken");
  EXPECT_EQ(hear(5, NodeId(13)), "taken");
  EXPECT_EQ(hear(5, NodeId(13)), "carp_replay");
  EXPECT_EQ(hear(101, kPeerNode), "carp_replay");
  // Another slot has its own account.
  Advert tagged{.vhid = 7, .counter = counter_of(1), .addresses = {kTaggedSharedIp}};
  tagged.ethernet.tag = 20;
  EXPECT_EQ(world.verdict_on(frame(tagged)), "taken");
}

// C4.2 kept, C6.6 kept, C4.2 refused
TEST(AdvertReceiver, ForgeryMovesNoCounter) {
  World world;
  EXPECT_EQ(world.verdict_on(frame({.counter = counter_of(900), .key = "forger"})), "carp_digest");
  EXPECT_EQ(world.verdict_on(frame({.counter = counter_of(10)})), "taken");
}

// C6.3 refused
TEST(AdvertReceiver, ReplayWithOtherParametersIsRefused) {  // T10, T11
  World world;
  EXPECT_EQ(world.verdict_on(frame({.counter = counter_of(10)})), "taken");
  for (const std::uint8_t value : {std::uint8_t{0}, std::uint8_t{255}}) {
    EXPECT_EQ(
        world.verdict_on(frame({.advskew = value, .advbase = value, .counter = counter_of(10)})),
        "carp_replay");
  }
}

// ---- forgery-suspected -------------------------------------------------------------------------

std::size_t replays(const World& world) {
  return static_cast<std::size_t>(std::count_if(
      world.up.messages.begin(), world.up.messages.end(), [](const UpMessage& message) {
        const auto* conflict = std::get_if<Conflict>(&message);
        return conflict != nullptr && conflict->kind == ConflictKind::replay;
      }));
}

// C6.10 kept
TEST(AdvertReceiver, AnOldOrRepeatedCounterIsToldAtTheFirstPacketAndOnceASecond) {  // T10
  for (const std::uint64_t sequence : {10U, 9U, 3U}) {
    World world;
    world.verdict_on(frame({.counter = counter_of(10)}));
    EXPECT_EQ(replays(world), 0U);
    const Bytes again = frame({.advskew = 0, .advbase = 0, .counter = counter_of(sequence)});
    for (int i = 0; i < 9000; ++i) {
      EXPECT_EQ(world.verdict_on(again), "carp_replay");
      EXPECT_EQ(replays(world), 1U);
      world.poll(100us);
    }
    for (int i = 0; i < 1100; ++i) world.poll(1ms);
    world.verdict_on(again);
    EXPECT_EQ(replays(world), 2U);
    EXPECT_EQ(world.up.messages.size(), 3U);
  }
}

// C6.10 kept
TEST(AdvertReceiver, TheCopyThatAPeerSendsToUsBesideTheGroupsIsNoForgery) {
  World world(TopologyBuilder()
                  .port(kPortMac)
                  .own(PortIndex(0), VlanId(0), kOwnIp)
                  .peer(PortIndex(0), VlanId(0), kPeerIp)
                  .group({.addresses = {kSharedIp}, .unicast = true})
                  .build());
  const Advert ad{.advskew = 7, .counter = counter_of(10)};
  Advert copy = ad;
  copy.ip.destination = kOwnIp;
  EXPECT_EQ(world.verdict_on(frame(ad)), "taken");
  EXPECT_EQ(world.verdict_on(frame(copy)), "carp_replay");
  EXPECT_EQ(replays(world), 0U);
  copy.advskew = 8;
  EXPECT_EQ(world.verdict_on(frame(copy)), "carp_replay");
  EXPECT_EQ(replays(world), 1U);
}

// ---- other dialects ----------------------------------------------------------------------------

// C6.8 kept, C6.8 refused
TEST(AdvertReceiver, OtherDialectsOwnSourceAddressIsOurOwn) {
  World world;
  Advert ad = foreign();
  ad.ip.source = kOwnIp;
  EXPECT_EQ(world.verdict_on(frame(ad)), "carp_own");
  ad.ip.source = kPeerIp;
  EXPECT_EQ(world.verdict_on(frame(ad)), "taken");
}

// C6.9 kept
TEST(AdvertReceiver, OtherDialectsCounterIsObeyedAndFlagged) {
  World world;
  struct Step {
    Advert ad;
    bool went_back;
    bool same;
  };
  Advert other_skew = foreign(5);
  other_skew.advskew = 77;
  Advert other_base = foreign(5);
  other_base.advbase = 9;
  Advert demoted = foreign(5);
  demoted.demote = 1;
  Advert elsewhere = foreign(1);
  elsewhere.ip.source = kClientIp;
  const Step steps[] = {
      {foreign(5), false, true},          {foreign(5), false, true},
      {foreign(6), false, true},          {foreign(5), true, true},
      {other_skew, false, false},         {other_skew, false, true},
      {foreign(5), false, false},         {other_base, false, false},
      {foreign(5), false, false},         {demoted, false, false},
      {foreign(4), true, true},           {elsewhere, false, true},
      {foreign(UINT64_MAX), false, true},
  };
  std::size_t at = 0;
  for (const Step& step : steps) {
    ASSERT_EQ(world.verdict_on(frame(step.ad)), "taken") << at;
    const VerifiedAdvert* advert = world.up.advert(at);
    ASSERT_NE(advert, nullptr);
    EXPECT_EQ(advert->counter_went_back, step.went_back) << at;
    EXPECT_EQ(advert->same_parameters, step.same) << at;
    ++at;
  }
}

// ---- the up ring -------------------------------------------------------------------------------

TEST(AdvertReceiver, L7_FullRingStampsAllTheSame) {
  World world;
  world.up.capacity = 0;
  EXPECT_EQ(world.verdict_on(frame(Advert{})), "carp_ring_full");
  EXPECT_EQ(count(world, kLan, Verdict::ring_full), 1U);
  EXPECT_EQ(count(world, kLan, Verdict::accepted), 0U);
  const Stamp heard = Stamp::from_word(world.board->slot(kLan).heard[0].load());
  EXPECT_EQ(heard.number(), 1U);
}

TEST(AdvertReceiver, L7_OverflowIsToldBeforeAnythingLater) {
  World world;
  world.up.capacity = 1;
  EXPECT_EQ(world.verdict_on(frame({.counter = counter_of(1)})), "taken");
  EXPECT_EQ(world.verdict_on(frame({.counter = counter_of(2)})), "carp_ring_full");
  world.up.capacity = 2;  // room for the overflow, and for nothing after it
  EXPECT_EQ(world.verdict_on(frame({.counter = counter_of(3)})), "carp_ring_full");
  world.up.capacity = 4;
  EXPECT_EQ(world.verdict_on(frame({.counter = counter_of(4)})), "taken");
  ASSERT_EQ(world.up.messages.size(), 4U);
  EXPECT_TRUE(std::holds_alternative<UpRingOverflow>(world.up.messages[1]));
  EXPECT_TRUE(std::holds_alternative<UpRingOverflow>(world.up.messages[2]));
  ASSERT_NE(world.up.advert(3), nullptr);
  EXPECT_EQ(world.up.advert(3)->counter, counter_of(4));
  EXPECT_EQ(world.up.advert(3)->heard_number, 4U);
}

TEST(AdvertReceiver, L7_RingThatEmptiesBetweenTheTwoChangesNothing) {
  World world;
  world.up.refuse_next = 2;  // an advertisement, then the word that it was lost
  EXPECT_EQ(world.verdict_on(frame({.counter = counter_of(1)})), "carp_ring_full");
  EXPECT_EQ(world.verdict_on(frame({.counter = counter_of(2)})), "carp_ring_full");
  EXPECT_TRUE(world.up.messages.empty());
  EXPECT_EQ(world.verdict_on(frame({.counter = counter_of(3)})), "taken");
  ASSERT_EQ(world.up.messages.size(), 2U);
  EXPECT_TRUE(std::holds_alternative<UpRingOverflow>(world.up.messages[0]));
}

TEST(AdvertReceiver, OverflowIsToldOnceWithoutAnAdvertisementToo) {
  World world;
  world.adverts.flush();
  EXPECT_TRUE(world.up.messages.empty());
  world.up.capacity = 0;
  EXPECT_EQ(world.verdict_on(frame(Advert{})), "carp_ring_full");
  world.adverts.flush();
  world.up.capacity = 8;
  world.adverts.flush();
  world.adverts.flush();
  ASSERT_EQ(world.up.messages.size(), 1U);
  EXPECT_TRUE(std::holds_alternative<UpRingOverflow>(world.up.messages[0]));
}

}  // namespace
}  // namespace koi::dataplane::advert_receiver_test
