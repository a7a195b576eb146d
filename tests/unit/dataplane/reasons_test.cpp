// Every reason has a circumstance that produces exactly it: style.md 12.
#include <algorithm>
#include <functional>
#include <set>

#include <gtest/gtest.h>

#include "dataplane/shared_slot.h"
#include "tests/support/balanced.h"
#include "tests/support/world.h"

namespace koi::dataplane::reasons_test {
namespace {

using namespace test;  // NOLINT: the whole file is about its frames

/// Only the loop around the packet functions produces these: ../worker/worker_test.cpp has a test
/// for each.
const std::set<DropReason> kOfTheLoop = {DropReason::kMultiSegment, DropReason::kAnswerLate,
                                         DropReason::kTransmitFull, DropReason::kFrameNoBuffer,
                                         DropReason::kFrameRefused, DropReason::kHostFull,
                                         DropReason::kHostOffload};

/// How a reason comes about in a fresh world where this worker is MASTER of the first slot and of
/// the one with both families.
struct Circumstance {
  DropReason reason;
  std::function<std::string(World&)> produce;
};

Circumstance frame_for(DropReason reason, Bytes bytes) {
  return {reason, [bytes = std::move(bytes)](World& world) { return world.verdict_on(bytes); }};
}

Bytes to_port(const Ip& ip, const Bytes& message) {
  return ethernet({.to = kPortMac}, 0x0800, ip_packet(ip, message));
}

Bytes with_byte(Bytes bytes, std::size_t at, std::uint8_t value) {
  bytes[at] = std::byte{value};
  return bytes;
}

/// An advertisement to which something was done before it was signed.
Bytes advert(const std::function<void(Advert&)>& change) {
  Advert ad;
  change(ad);
  return frame(ad);
}

Circumstance transmit(DropReason reason, FrameKind kind, Term term, Duration left) {
  return {reason, [=](World& world) {
            world.board->slot(kLan).deadline[0].store(0);
            TransmitFrame f;
            f.kind = kind;
            f.slot = kLan;
            f.term = term;
            f.not_after = world.now + left;
            return verdict(world.lease.refusal(world.view, f, world.now));
          }};
}

std::vector<Circumstance> ethernet_and_arp() {
  return {
      frame_for(DropReason::kRunt, Bytes(13)),
      frame_for(DropReason::kSourceMac, arp({}, {.from = kBroadcastMac})),
      frame_for(DropReason::kVlanStacked, ethernet({.tag = 20}, 0x8100, Bytes(46))),
      frame_for(DropReason::kEthertype, ethernet({}, 0x88cc, Bytes(46))),
      frame_for(DropReason::kNotOurMac, arp({}, {.to = kClientMac})),
      {DropReason::kNotMaster,
       [](World& world) {
         world.view.terms[kLan.value()] = Term(0);
         return world.verdict_on(arp({}));
       }},
      {DropReason::kNoLease,
       [](World& world) {
         world.board->slot(kLan).deadline[0].store(0);
         return world.verdict_on(arp({}));
       }},
      {DropReason::kBalanceNone,
       [](World&) {
         const auto balanced = balanced_topology({1, 2}, openbsd_balancer(2));
         const Entry* entry = balanced->find_address(PortIndex(0), VlanId(0), kSharedIp);
         return verdict(answering_slot(*balanced, *entry, {.ethernet = kClientMac}));
       }},
      frame_for(DropReason::kArpLength, prefix(arp({}), 41)),
      frame_for(DropReason::kArpFormat, with_byte(arp({}), 15, 6)),
      frame_for(DropReason::kArpNotRequest, arp({.operation = 2})),
      frame_for(DropReason::kArpSender, arp({.sender_mac = kBroadcastMac})),
      frame_for(DropReason::kArpAnnouncement,
                arp({.sender_mac = virtual_mac(Vhid(1)), .sender_ip = kSharedIp})),
      frame_for(DropReason::kArpClaim, arp({.sender_ip = kSharedIp})),
      frame_for(DropReason::kArpNotOurs, arp({.target_ip = kClientIp})),
  };
}

std::vector<Circumstance> ipv4_and_icmp() {
  const Bytes good = echo({}, {.to = kPortMac});
  const Bytes options = [] {
    Bytes packet = ip_packet({}, Bytes(8));
    packet[0] = std::byte{0x46};
    set_checksum(packet, 10, 24);
    return ethernet({.to = kPortMac}, 0x0800, packet);
  }();
  return {
      frame_for(DropReason::kIpv4Length, prefix(good, 33)),
      frame_for(DropReason::kIpv4Header, with_byte(good, 14, 0x65)),
      frame_for(DropReason::kIpv4Checksum, with_byte(good, 24, 0xaa)),
      frame_for(DropReason::kIpv4Options, options),
      frame_for(DropReason::kIpv4Fragment, to_port({.flags = 0x2000}, icmp(8, 0, {}))),
      frame_for(DropReason::kIpv4Source, to_port({.source = {}}, icmp(8, 0, {}))),
      frame_for(DropReason::kIpv4NotOurs, to_port({.destination = kClientIp}, icmp(8, 0, {}))),
      frame_for(DropReason::kIpv4Protocol, to_port({.protocol = 17}, icmp(8, 0, {}))),
      frame_for(DropReason::kIcmpLength, to_port({}, Bytes(7))),
      frame_for(DropReason::kIcmpChecksum, with_byte(good, 36, 0xaa)),
      frame_for(DropReason::kIcmpNotEcho, to_port({}, icmp(0, 0, {}))),
  };
}

/// A neighbor message to which something was done before its checksum was computed.
Circumstance neighbor_for(DropReason reason, const std::function<void(Neighbor&)>& change) {
  Neighbor n;
  change(n);
  return frame_for(reason, neighbor(n));
}

std::vector<Circumstance> ipv6_and_icmpv6() {
  const Ethernet to_port{.to = kPortMac};
  const Bytes good = echo6({}, to_port);
  const auto packet = [to_port](const Ip6& ip, const Bytes& message) {
    return ethernet(to_port, 0x86dd, ip6_packet(ip, message));
  };
  return {
      frame_for(DropReason::kIpv6Length, prefix(good, 53)),
      frame_for(DropReason::kIpv6Header, with_byte(good, 14, 0x45)),
      frame_for(DropReason::kIpv6Extensions, packet({.next = 60}, from_hex("3a01010400000000"))),
      frame_for(DropReason::kIpv6Fragment, packet({.next = 44}, from_hex("3a00000000000001"))),
      frame_for(DropReason::kIpv6Source, echo6({.source = {}}, to_port)),
      frame_for(DropReason::kIpv6NotOurs, echo6({.destination = kClientIp6}, to_port)),
      frame_for(DropReason::kIpv6Protocol, packet({.next = 17}, Bytes(8))),
      frame_for(DropReason::kIcmp6Length, packet({}, Bytes(7))),
      frame_for(DropReason::kIcmp6Checksum, with_byte(good, 56, 0xaa)),
      frame_for(DropReason::kIcmp6NotEcho, packet({}, icmp6(129, 0, Bytes(4), Ip6{}))),
  };
}

std::vector<Circumstance> neighbor_discovery() {
  return {
      neighbor_for(DropReason::kNdHopLimit, [](Neighbor& n) { n.ip.hop_limit = 64; }),
      frame_for(DropReason::kNdLength,
                ethernet({}, 0x86dd, ip6_packet({}, icmp6(135, 0, Bytes(19), Ip6{})))),
      neighbor_for(DropReason::kNdOptions, [](Neighbor& n) { n.options = Bytes(8); }),
      neighbor_for(DropReason::kNdTarget, [](Neighbor& n) { n.target = n.ip.destination; }),
      neighbor_for(DropReason::kNdCode, [](Neighbor& n) { n.code = 1; }),
      neighbor_for(DropReason::kNdSource, [](Neighbor& n) { n.ip.source = {}; }),
      neighbor_for(DropReason::kNdNotOurs, [](Neighbor& n) { n.target = kClientIp6; }),
      {DropReason::kNdDad,
       [](World& world) {
         Neighbor n;
         n.ip.source = {};
         n.options = {};
         world.room = 8;
         EXPECT_EQ(world.verdict_on(neighbor(n)), "answer");
         return world.verdict_on(neighbor(n));
       }},
      neighbor_for(DropReason::kNdSender,
                   [](Neighbor& n) { n.options = link_layer(1, kBroadcastMac); }),
      frame_for(DropReason::kNdClaim, neighbor(advertised(kSharedIp6, kClientMac))),
      frame_for(DropReason::kNdAnnouncement,
                neighbor(advertised(kSharedIp6, virtual_mac(Vhid(6))))),
  };
}

std::vector<Circumstance> igmp_and_mld() {
  const Ip ip{.ttl = 1, .protocol = 2, .destination = ipv4(224, 0, 0, 1)};
  const auto igmp = [ip](const Bytes& message) {
    return ethernet({.to = mac_from({0x01, 0, 0x5e, 0, 0, 1})}, 0x0800, ip_packet(ip, message));
  };
  const Ip6 ip6{.hop_limit = 1, .source = kPeerLinkLocal, .destination = kAllNodes};
  const auto mld = [](const Ip6& header, std::size_t length) {
    return ethernet({.to = mac_from({0x33, 0x33, 0, 0, 0, 1})}, 0x86dd,
                    ip6_packet(header, icmp6(130, 0, Bytes(length - 4), header)));
  };
  Ip6 from_afar = ip6;
  from_afar.hop_limit = 64;
  return {
      frame_for(DropReason::kIgmpLength, igmp(from_hex("1164ee9b000000"))),
      frame_for(DropReason::kIgmpChecksum, igmp(from_hex("1164ee9c00000000"))),
      frame_for(DropReason::kIgmpNotQuery, igmp(from_hex("160009ede0000012"))),
      frame_for(DropReason::kMldLength, mld(ip6, 27)),
      frame_for(DropReason::kMldNotQuery, mld(from_afar, 24)),
  };
}

std::vector<Circumstance> carp_and_transmission() {
  return {
      frame_for(DropReason::kCarpTtl, advert([](Advert& ad) { ad.ip.ttl = 254; })),
      frame_for(DropReason::kCarpDestination,
                advert([](Advert& ad) { ad.ip.destination = kOwnIp; })),
      // VRRPv3 without an address
      frame_for(DropReason::kVrrp, frame({}, from_hex("310164000064 6a9a"))),
      frame_for(DropReason::kCarpLength, frame({}, Bytes(35))),
      frame_for(DropReason::kCarpChecksum, frame({}, with_byte(carp({}), 6, 0xaa))),
      frame_for(DropReason::kCarpVhid, advert([](Advert& ad) { ad.vhid = 77; })),
      frame_for(DropReason::kCarpVersion, advert([](Advert& ad) { ad.version_type = 0x41; })),
      frame_for(DropReason::kCarpDigest, advert([](Advert& ad) { ad.key = "forger"; })),
      {DropReason::kCarpOwn,
       [](World& world) {
         world.board->own_counter.store(counter_of(9, kOwnNode));
         return world.verdict_on(frame({.counter = counter_of(9, kOwnNode)}));
       }},
      frame_for(DropReason::kCarpNodeId,
                advert([](Advert& ad) { ad.counter = counter_of(9, kOwnNode); })),
      {DropReason::kCarpReplay,
       [](World& world) {
         EXPECT_EQ(world.verdict_on(frame(Advert{})), "taken");
         return world.verdict_on(frame(Advert{}));
       }},
      {DropReason::kCarpRingFull,
       [](World& world) {
         world.up.capacity = 0;
         return world.verdict_on(frame(Advert{}));
       }},
      transmit(DropReason::kFrameTerm, FrameKind::advertisement, Term(4), 1ms),
      transmit(DropReason::kFrameLate, FrameKind::advertisement, Term(5), -1ns),
      transmit(DropReason::kFrameNoLease, FrameKind::announcement, Term(5), 1ms),
  };
}

/// An advertisement that is right but for its trailer, to a group that requires one. The clock of
/// the world says 1970 and 100 s.
Circumstance signed_advert(DropReason reason, const Signature& signature, bool twice = false) {
  return {reason, [signature, twice](World&) {
            World world(TopologyBuilder()
                            .port(kPortMac)
                            .own(PortIndex(0), VlanId(0), kOwnIp)
                            .group({.addresses = {kSharedIp},
                                    .trailer = TrailerRule::required,
                                    .trailer_keys = {{1, std::string(32, 'k')}}})
                            .build());
            world.board->utc_offset.store(Duration(90s).count());
            const Bytes bytes = frame({}, signed_carp({}, signature));
            if (twice) EXPECT_EQ(world.verdict_on(bytes), "taken");
            return world.verdict_on(signature.sequence == 0 ? frame(Advert{}) : bytes);
          }};
}

std::vector<Circumstance> trailers() {
  constexpr std::uint64_t kNow = 100ULL << 32;
  constexpr std::uint64_t kLongAgo = 60ULL << 32;
  return {
      signed_advert(DropReason::kTrailerMissing, {}),
      signed_advert(DropReason::kTrailerScheme, {.sequence = kNow, .scheme = 2}),
      signed_advert(DropReason::kTrailerKey, {.sequence = kNow, .key_id = 2}),
      signed_advert(DropReason::kTrailerMac, {.sequence = kNow, .key = std::string(32, 'x')}),
      signed_advert(DropReason::kTrailerClock, {.sequence = kLongAgo}),
      signed_advert(DropReason::kTrailerOld, {.sequence = kNow}, true),
  };
}

/// A hello that is right but for one thing, where one of that vhid is taken.
Circumstance hello(DropReason reason, const Signature& signature,
                   const std::function<void(Ip&, Bytes&)>& change = {}, unsigned before = 0) {
  return {reason, [=](World&) {
            World world(TopologyBuilder()
                            .port(kPortMac)
                            .own(PortIndex(0), VlanId(0), kOwnIp)
                            .group({.addresses = {kSharedIp},
                                    .trailer = TrailerRule::required,
                                    .trailer_keys = {{1, std::string(32, 'k')}}})
                            .hellos()
                            .build());
            Ip ip{.ttl = 255, .protocol = 17, .source = kPeerIp};
            Bytes message = hello_message();
            if (change) change(ip, message);
            const Bytes bytes = hello_frame(ip, message, signature);
            for (unsigned i = 0; i < before; ++i) world.verdict_on(bytes);
            return world.verdict_on(bytes);
          }};
}

std::vector<Circumstance> hellos() {
  const Signature good{.sequence = 1, .kind = 0xc3};
  Signature other_id = good;
  other_id.key_id = 2;
  Signature other_key = good;
  other_key.key = std::string(32, 'x');
  return {
      hello(DropReason::kHelloTtl, good, [](Ip& ip, Bytes&) { ip.ttl = 254; }),
      hello(DropReason::kHelloSize, good, [](Ip&, Bytes& message) { message.pop_back(); }),
      hello(DropReason::kHelloFormat, good, [](Ip&, Bytes& m) { m[4] = std::byte{2}; }),
      hello(DropReason::kHelloVhid, good, [](Ip&, Bytes& m) { m[5] = std::byte{2}; }),
      hello(DropReason::kHelloLimit, good, {}, 10),
      hello(DropReason::kHelloKey, other_id),
      hello(DropReason::kHelloMac, other_key),
  };
}

/// What the host sends, in a world where this worker is MASTER of nothing.
Circumstance host_frame(DropReason reason, Bytes bytes) {
  return {reason, [bytes = std::move(bytes)](World&) {
            World backup(usual_builder().hosted().build());
            Bytes frame = bytes;
            return backup.from_host(frame);
          }};
}

std::vector<Circumstance> host_port() {
  const Ethernet own{.to = kClientMac, .from = kPortMac};
  const auto sent = [own](const Ip& ip) { return ethernet(own, 0x0800, ip_packet(ip, Bytes(8))); };
  const Ip6 router{.source = kOwnLinkLocal, .destination = kAllNodes};
  return {
      host_frame(DropReason::kJumbo, ethernet(own, 0x88cc, Bytes(1501))),
      host_frame(DropReason::kHostSourceMac, arp({}, {.from = kClientMac})),
      host_frame(DropReason::kHostVirtualMac, arp({}, {.from = virtual_mac(Vhid(1))})),
      host_frame(DropReason::kHostNotMaster, sent({.source = kSharedIp})),
      host_frame(DropReason::kHostClaim, arp({.sender_ip = kSharedIp}, {.from = kPortMac})),
      host_frame(DropReason::kHostRouterAdvert,
                 ethernet(own, 0x86dd, ip6_packet(router, icmp6(134, 0, Bytes(12), router)))),
      host_frame(DropReason::kHostCarp, sent({.protocol = 112, .source = kOwnIp})),
  };
}

std::vector<Circumstance> all_circumstances() {
  std::vector<Circumstance> all = ethernet_and_arp();
  for (const auto& part :
       {ipv4_and_icmp(), ipv6_and_icmpv6(), neighbor_discovery(), carp_and_transmission(),
        trailers(), hellos(), igmp_and_mld(), host_port()}) {
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

TEST(Reasons, EachIsProducedByItsCircumstance) {
  for (const Circumstance& circumstance : all_circumstances()) {
    World world;
    world.reign(kLan);
    world.reign(kBoth);
    EXPECT_EQ(circumstance.produce(world), to_string(circumstance.reason));
  }
}

TEST(Reasons, EachOneHasACircumstanceOrIsTheLoops) {
  const std::vector<Circumstance> all = all_circumstances();
  for (std::size_t i = 0; i < kDropReasons; ++i) {
    const auto reason = static_cast<DropReason>(i);
    const auto produced = std::count_if(
        all.begin(), all.end(), [reason](const Circumstance& c) { return c.reason == reason; });
    EXPECT_EQ(produced, kOfTheLoop.contains(reason) ? 0 : 1) << to_string(reason);
  }
}

}  // namespace
}  // namespace koi::dataplane::reasons_test
