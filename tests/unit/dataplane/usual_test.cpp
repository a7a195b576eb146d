// What a quick look decides over ARP, solicitations and frames for others, in whatever they differ
// from the most usual ones: classify() is the oracle.
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "dataplane/classify.h"
#include "tests/support/balanced.h"
#include "tests/support/world.h"

namespace koi::dataplane::usual_test {
namespace {

using namespace test;  // NOLINT: the whole file is about its frames

constexpr MacAddress kStranger = mac_from({0x00, 0x1b, 0x21, 0x12, 0x34, 0x56});

Bytes padded(Bytes frame) {
  frame.resize(std::max<std::size_t>(frame.size(), 60));
  return frame;
}

/// A request of everybody who might send one, for whatever might be asked for.
std::vector<Bytes> requests() {
  std::vector<Bytes> all;
  for (const MacAddress& from :
       {kClientMac, kStranger, kPortMac, kSecondPortMac, virtual_mac(Vhid(1)),
        virtual_mac(Vhid(77)), MacAddress{}, mac_from({1, 0, 0x5e, 0, 0, 1}), kBroadcastMac,
        mac_from({0x00, 0x00, 0x0c, 1, 2, 3}), kUnicastPeerMac}) {
    for (const Ipv4Address& sender : {kClientIp, kSharedIp, kOwnIp, kUnicastPeerIp,
                                      kForeignSharedIp, Ipv4Address{}, ipv4(203, 0, 113, 77)}) {
      for (const Ipv4Address& target :
           {kSharedIp, kOwnIp, kPeerIp, kForeignSharedIp, kBothIp, kTaggedSharedIp}) {
        for (const MacAddress& to : {kBroadcastMac, kPortMac, virtual_mac(Vhid(1)), kStranger}) {
          const Arp asks{.sender_mac = from, .sender_ip = sender, .target_ip = target};
          all.push_back(padded(arp(asks, {.to = to, .from = from})));
        }
      }
    }
  }
  return all;
}

/// One of each kind.
std::vector<Bytes> ordinary() {
  const Arp tagged{.sender_ip = kTaggedClientIp, .target_ip = kTaggedSharedIp};
  return {padded(arp({})),
          padded(arp({.target_ip = kBothIp})),
          padded(arp({.target_ip = kPeerIp})),
          padded(arp({}, {.to = virtual_mac(Vhid(1))})),
          padded(arp(tagged, {.tag = 20})),
          neighbor({}),
          ethernet({.to = kStranger}, 0x0800, ip_packet({}, Bytes(26))),
          ethernet({.to = kStranger, .tag = 20}, 0x0800, ip_packet({}, Bytes(26)))};
}

struct Case {
  bool host;
  QuickLook::Tables tables;
};

/// A quick look and classify() over the same frames.
class Compared {
 protected:
  explicit Compared(std::shared_ptr<const Topology> topology) : world(std::move(topology)) {}

  /// By the same quick look as the frames before. Returns what it said.
  std::string compare(QuickLook& quick, const Bytes& frame) {
    Bytes quickly = frame;
    const Fate said = quick.decide(quickly);
    if (said.kind() == Fate::Kind::undecided) {
      EXPECT_EQ(to_hex(quickly), to_hex(frame));
      return "undecided";
    }
    Bytes slowly = frame;
    const Fate fate = classify(slowly, 0, burst, world.adverts);
    EXPECT_EQ(verdict(said), verdict(fate)) << to_hex(frame);
    if (said != fate) return "another";
    if (fate.kind() == Fate::Kind::answer) {  // behind its end lies what nobody sends
      quickly.resize(fate.length());
      slowly.resize(fate.length());
    }
    EXPECT_EQ(to_hex(quickly), to_hex(slowly)) << to_hex(frame);
    return verdict(said);
  }
  World world;
  const BurstContext burst = world.burst();
};

class Usual : public Compared, public ::testing::TestWithParam<Case> {
 protected:
  Usual() : Compared(topology()) {
    for (const SlotIndex slot : {kLan, kTagged, kBoth, kTagged6}) world.reign(slot);
    world.poll();
  }

  /// By one that knows nothing yet, and by one that has answered an ordinary request before.
  bool decides(const Bytes& frame) {
    QuickLook fresh(burst);
    const bool decided = compare(fresh, frame) != "undecided";
    QuickLook used(burst);
    for (int n = 0; n < 3; ++n) {
      Bytes request = padded(arp({}));
      EXPECT_EQ(verdict(used.decide(request)), "answer");
    }
    compare(used, frame);
    return decided;
  }

 private:
  static std::shared_ptr<const Topology> topology() {
    TopologyBuilder builder = usual_builder(1, kBothFamilies);
    const unsigned others[] = {0, 600, 10'300};
    for (unsigned n = 0; n < others[static_cast<std::size_t>(GetParam().tables)]; ++n) {
      const auto high = static_cast<std::uint8_t>(n >> 8);
      builder.own(PortIndex(1), VlanId(0), ipv4(10, 0, high, static_cast<std::uint8_t>(n)));
    }
    if (GetParam().host) builder.hosted();
    return builder.build();
  }
};

TEST_P(Usual, AnOrdinaryFrameIsDecided) {
  QuickLook quick(burst);
  EXPECT_EQ(quick.tables(), GetParam().tables);
  const std::vector<Bytes> frames = ordinary();
  const char* const nobodys = GetParam().host ? "undecided" : "arp_not_ours";
  const char* const expected[] = {"answer", "answer", nobodys,       "answer",
                                  "answer", "answer", "not_our_mac", "not_our_mac"};
  for (int n = 0; n < 3; ++n) {
    for (std::size_t i = 0; i < frames.size(); ++i) {
      EXPECT_EQ(compare(quick, frames[i]), expected[i]) << i;
    }
  }
}

/// Every byte changed, one at a time, and each frame cut short anywhere.
TEST_P(Usual, WhateverIsOutOfTheOrdinaryIsDecidedAlike) {
  unsigned decided = 0;
  for (const Bytes& frame : ordinary()) {
    for (std::size_t at = 0; at < frame.size(); ++at) {
      for (const unsigned value : {0x00U, 0x01U, 0x02U, 0x08U, 0x80U, 0x81U, 0xffU}) {
        Bytes changed = frame;
        changed[at] ^= static_cast<std::byte>(value);
        decided += decides(changed) ? 1 : 0;
      }
      decides(Bytes(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(at)));
    }
  }
  EXPECT_GT(decided, 1000U);
}

TEST_P(Usual, EverySenderForEveryTarget) {
  unsigned decided = 0;
  for (const Bytes& request : requests()) decided += decides(request) ? 1 : 0;
  EXPECT_GT(decided, 50U);
}

/// What a quick look keeps of the frames before must not show.
TEST_P(Usual, InWhateverOrder) {
  std::vector<Bytes> frames = ordinary();
  frames.push_back(padded(arp({.target_ip = kForeignSharedIp})));
  const Arp other_vlan{.sender_ip = kTaggedClientIp, .target_ip = kSharedIp};
  frames.push_back(padded(arp(other_vlan, {.tag = 20})));
  const MacAddress group = mac_from({0x33, 0x33, 0xff, 0, 0, 1});  // of both addresses
  frames.push_back(neighbor({.ethernet = {.to = group, .tag = 20}}));
  frames.push_back(neighbor({.target = kTaggedSharedIp6, .ethernet = {.to = group, .tag = 20}}));
  frames.push_back(neighbor({.target = kTaggedSharedIp6, .ethernet = {.to = group}}));
  frames.push_back(neighbor({.ip = {.destination = kSharedIp6}}));
  frames.push_back(neighbor({.ip = {.source = kSharedIp6}}));
  std::mt19937 dice(1);
  unsigned decided = 0;
  for (int round = 0; round < 300; ++round) {
    QuickLook quick(burst);
    for (int n = 0; n < 30; ++n) {
      const Bytes& frame = frames[dice() % frames.size()];
      for (auto times = dice() % 3; times > 0; --times) {
        decided += compare(quick, frame) != "undecided" ? 1 : 0;
      }
    }
  }
  EXPECT_GT(decided, 3000U);
}

/// All zeros, first of all: nothing has been looked up yet.
TEST_P(Usual, ForNoAddress) {
  QuickLook quick(burst);
  EXPECT_EQ(compare(quick, padded(arp({.target_ip = Ipv4Address{}}))),
            GetParam().host ? "undecided" : "arp_not_ours");
}

/// L1: what was answered before is not answered once the lease is over.
TEST_P(Usual, OnlyWithALease) {
  QuickLook before(burst);
  for (int n = 0; n < 3; ++n) {
    EXPECT_EQ(compare(before, padded(arp({}))), "answer");
    EXPECT_EQ(compare(before, neighbor({})), "answer");
  }
  for (const SlotIndex slot : {kLan, kBoth}) world.board->slot(slot).term.store(0);
  world.poll();
  QuickLook quick(burst);
  for (int n = 0; n < 3; ++n) {
    EXPECT_EQ(compare(quick, padded(arp({}))), "undecided");
    EXPECT_EQ(compare(quick, neighbor({})), "undecided");
  }
}

constexpr Case kCases[] = {{false, QuickLook::Tables::near},  {true, QuickLook::Tables::near},
                           {false, QuickLook::Tables::large}, {true, QuickLook::Tables::large},
                           {false, QuickLook::Tables::far},   {true, QuickLook::Tables::far}};
std::string name_of(const ::testing::TestParamInfo<Case>& info) {
  const char* const tables[] = {"Near", "Large", "Far"};
  return std::string(info.param.host ? "Host" : "NoHost") +
         tables[static_cast<std::size_t>(info.param.tables)] + "Tables";
}
INSTANTIATE_TEST_SUITE_P(, Usual, ::testing::ValuesIn(kCases), name_of);

/// The same two addresses untagged and on a VLAN, where the other one is balanced; some slots are
/// not ours, others from burst to burst.
class UsualBalanced : public Compared, public ::testing::Test {
 protected:
  UsualBalanced()
      : Compared(balanced_builder({1, 2, 3, 4}, openbsd_balancer(4))
                     .group({.vlan = kVlan, .vhid = Vhid(9), .addresses = {kSharedIp}})
                     .balanced({.vlan = kVlan, .addresses = {kForeignSharedIp}}, {11, 12},
                               balance::Balancer::freebsd(2))
                     .build()) {}
  static constexpr VlanId kVlan = VlanId(20);
};

TEST_F(UsualBalanced, InWhateverOrder) {
  std::mt19937 dice(2);
  unsigned decided = 0;
  for (int round = 0; round < 300; ++round) {
    for (std::uint16_t slot = 0; slot < world.view.terms.size(); ++slot) {
      world.reign(SlotIndex(slot));
      if (dice() % 4 == 0) world.board->slot(SlotIndex(slot)).term.store(0);
    }
    world.poll();
    QuickLook quick(burst);
    for (int n = 0; n < 40; ++n) {
      const auto who = static_cast<std::uint8_t>(dice() % 12);
      const Ipv4Address targets[] = {kSharedIp, kSharedIp, kForeignSharedIp, kPeerIp};
      const Arp asks{.sender_mac = mac_from({0x52, 0x54, 0, 0, 0, who}),
                     .sender_ip = ipv4(192, 0, 2, static_cast<std::uint8_t>(100 + who)),
                     .target_ip = targets[dice() % 4]};
      const std::uint16_t tag = dice() % 3 == 0 ? kVlan.value() : 0;
      const Bytes frame = padded(tag == 0 ? arp(asks, {.from = asks.sender_mac})
                                          : arp(asks, {.from = asks.sender_mac, .tag = tag}));
      for (auto times = dice() % 3; times > 0; --times) {
        decided += compare(quick, frame) != "undecided" ? 1 : 0;
      }
    }
  }
  EXPECT_GT(decided, 6000U);
}

/// Any address of a network of which this box has a part.
class UsualAddresses : public Compared, public ::testing::TestWithParam<std::size_t> {
 protected:
  UsualAddresses() : Compared(topology()) {
    world.reign(SlotIndex(0));
    world.poll();
  }
  static std::shared_ptr<const Topology> topology() {
    std::mt19937 dice(3);
    Group group{.addresses = {}};
    while (group.addresses.size() < GetParam()) group.addresses.push_back(any(dice));
    return TopologyBuilder()
        .port(kPortMac)
        .own(PortIndex(0), VlanId(0), kOwnIp)
        .group(group)
        .build();
  }
  /// As many as the box has; some of them twice.
  static Ipv4Address any(std::mt19937& dice) {
    return Ipv4Address::from_u32(0x0a00'0000 +
                                 static_cast<std::uint32_t>(dice() % (2 * GetParam())));
  }
};

TEST_P(UsualAddresses, EachTarget) {
  std::mt19937 dice(4);
  QuickLook quick(burst);
  unsigned answered = 0;
  for (int n = 0; n < 4000; ++n) {
    const std::string verdict = compare(quick, padded(arp({.target_ip = any(dice)})));
    EXPECT_NE(verdict, "undecided");
    answered += verdict == "answer" ? 1 : 0;
  }
  EXPECT_GT(answered, 1000U);
  EXPECT_LT(answered, 3000U);
}

INSTANTIATE_TEST_SUITE_P(, UsualAddresses, ::testing::Values(30, 300, 3'000, 12'000));

}  // namespace
}  // namespace koi::dataplane::usual_test
