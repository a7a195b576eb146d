// Packets in transit, and those to an address that the host has. A quick look decides over most; in
// whatever byte they differ from an ordinary one, classify() is the oracle of what it decides.
#include <gtest/gtest.h>

#include "common/wire/checksum.h"
#include "tests/support/balanced.h"
#include "tests/support/world.h"

namespace koi::dataplane::transit_test {
namespace {

using namespace test;  // NOLINT: the whole file is about its frames

constexpr MacAddress kGateway = virtual_mac(Vhid(1));
constexpr MacAddress kOfTagged = virtual_mac(Vhid(7));
constexpr Ipv4Address kElsewhere = ipv4(203, 0, 113, 9);
constexpr Ipv6Address kElsewhere6 = ipv6_from({0x2001, 0xdb8, 0, 9, 0, 0, 0, 9});
constexpr std::uint16_t kTag = 0x6014;  // priority 3, VLAN 20

Bytes transit4(const Ethernet& e, std::uint8_t protocol = 17) {
  return ethernet(e, 0x0800,
                  ip_packet({.protocol = protocol, .destination = kElsewhere}, Bytes(26)));
}
Bytes transit6(const Ethernet& e, std::uint8_t next = 17, std::size_t payload = 20) {
  return ethernet(e, 0x86dd,
                  ip6_packet({.next = next, .destination = kElsewhere6}, Bytes(payload)));
}

enum class Host : std::uint8_t { none, plain, has_shared };

std::shared_ptr<const Topology> topology(Host host) {
  TopologyBuilder builder = usual_builder(1, kBothFamilies);
  if (host != Host::none) builder.hosted(host == Host::has_shared);
  return builder.build();
}

class Transit : public ::testing::TestWithParam<Host> {
 protected:
  Transit() : world(topology(GetParam())) {
    for (const SlotIndex slot : {kLan, kTagged}) world.reign(slot);
    world.poll();
  }
  /// Without classify(): "undecided" where it is to decide.
  std::string quickly(Bytes& frame) {
    const BurstContext burst = world.burst();
    return verdict(QuickLook(burst).decide(frame));
  }
  void expect(const char* hosted, const char* alone, Bytes frame, const MacAddress& to) {
    Bytes left = frame;
    EXPECT_EQ(quickly(left), has_host() ? hosted : alone);
    if (has_host()) std::copy(to.bytes.begin(), to.bytes.end(), frame.begin());
    EXPECT_EQ(to_hex(left), to_hex(frame));
  }

  static bool has_host() { return GetParam() != Host::none; }

  World world;
};

TEST_P(Transit, ToThePort) {
  for (const std::uint8_t protocol : {6, 17, 50}) {
    expect("pass", "ipv4_not_ours", transit4({.to = kPortMac}, protocol), kPortMac);
  }
  for (const std::uint8_t next : {6, 17}) {
    expect("pass", "ipv6_not_ours", transit6({.to = kPortMac}, next), kPortMac);
  }
  // As long as a Neighbor Solicitation: TCP's acknowledgements are.
  expect("pass", "ipv6_not_ours", transit6({.to = kPortMac}, 6, 32), kPortMac);
  expect("pass", "ipv4_not_ours", transit4({.to = kPortMac, .tag = kTag}), kPortMac);
  expect("pass", "ipv6_not_ours", transit6({.to = kPortMac, .tag = kTag}), kPortMac);
}

/// The gateway's virtual MAC becomes the port's, which is the host's.
TEST_P(Transit, ToTheGateway) {
  expect("pass", "ipv4_not_ours", transit4({.to = kGateway}), kPortMac);
  expect("pass", "ipv6_not_ours", transit6({.to = kGateway}), kPortMac);
  expect("pass", "ipv4_not_ours", transit4({.to = kOfTagged, .tag = kTag}), kPortMac);
}

// L1
TEST_P(Transit, ToAGatewayThatIsNotOurs) {
  world.view.terms[kLan.value()] = Term{};
  world.poll();
  expect("undecided", "ipv4_not_ours", transit4({.to = kGateway}), kGateway);
  // The other VLAN's, and one that nobody has.
  expect("undecided", "ipv4_not_ours", transit4({.to = kOfTagged}), kOfTagged);
  expect("undecided", "ipv6_not_ours", transit6({.to = virtual_mac(Vhid(99))}),
         virtual_mac(Vhid(99)));
  EXPECT_EQ(world.verdict_on(transit4({.to = kGateway})),
            has_host() ? "not_master" : "ipv4_not_ours");
}

TEST_P(Transit, ToAGatewayWithoutALease) {
  world.board->slot(kLan).term.store(0);
  world.poll();
  expect("undecided", "ipv4_not_ours", transit4({.to = kGateway}), kGateway);
  EXPECT_EQ(world.verdict_on(transit4({.to = kGateway})),
            has_host() ? "no_lease" : "ipv4_not_ours");
}

/// What answers the host's own, which it sent from a shared address that it has.
TEST_P(Transit, ToASharedAddress) {
  const Ip shared{.protocol = 6, .destination = kSharedIp};
  Bytes frame = ethernet({.to = kGateway}, 0x0800, ip_packet(shared, Bytes(26)));
  EXPECT_EQ(quickly(frame), GetParam() == Host::has_shared ? "pass" : "undecided");
  const Ip own{.protocol = 6, .destination = kOwnIp};
  Bytes to_own = ethernet({.to = kGateway}, 0x0800, ip_packet(own, Bytes(26)));
  EXPECT_EQ(quickly(to_own), "undecided");
  Bytes by_port = ethernet({.to = kPortMac}, 0x0800, ip_packet(shared, Bytes(26)));
  EXPECT_EQ(quickly(by_port), "undecided");
  world.view.terms[kLan.value()] = Term{};
  world.poll();
  Bytes no_longer = ethernet({.to = kGateway}, 0x0800, ip_packet(shared, Bytes(26)));
  EXPECT_EQ(quickly(no_longer), "undecided");
}

/// Of a group balanced by askers the first member's MAC is decided quickly, the others' are not.
TEST(TransitOfABalancedGroup, ToASharedAddressByEachMember) {
  World world(balanced_builder({1, 2}, openbsd_balancer(2)).hosted(true).build());
  for (const bool reigns : {false, true}) {
    if (reigns) world.reign(SlotIndex(0));
    world.poll();
    for (const std::uint8_t vhid : {1, 2, 200}) {
      const Ethernet to_member{.to = virtual_mac(Vhid(vhid))};
      Bytes frame = ethernet(to_member, 0x0800,
                             ip_packet({.protocol = 6, .destination = kSharedIp}, Bytes(26)));
      Bytes by_classify = frame;
      const BurstContext burst = world.burst();
      const std::string quick = verdict(QuickLook(burst).decide(frame));
      const std::string slow = verdict(classify(by_classify, 0, burst, world.adverts));
      EXPECT_EQ(quick, reigns && vhid == 1 ? "pass" : "undecided");
      EXPECT_EQ(slow == "pass", reigns && vhid == 1) << slow;
      if (quick == "pass") EXPECT_EQ(to_hex(frame), to_hex(by_classify));
    }
  }
}

TEST_P(Transit, ToAnotherStation) {
  for (Bytes frame : {transit4({.to = kSecondPortMac}), transit6({.to = kSecondPortMac}),
                      transit4({.to = kSecondPortMac, .tag = kTag})}) {
    EXPECT_EQ(quickly(frame), "not_our_mac");
  }
}

TEST_P(Transit, LongerThanTheMtu) {
  const std::size_t most = 1500 - 20;
  for (const std::size_t more : {0, 1}) {
    Bytes frame =
        ethernet({.to = kPortMac}, 0x0800,
                 ip_packet({.protocol = 17, .destination = kElsewhere}, Bytes(most + more)));
    EXPECT_EQ(world.verdict_on(frame), !has_host() ? "ipv4_not_ours"
                                       : more != 0 ? "jumbo"
                                                   : "pass");
  }
}

/// Every byte of every frame changed, one at a time, and each frame cut short anywhere.
TEST_P(Transit, WhateverIsOutOfTheOrdinaryIsDecidedAlike) {
  unsigned decided = 0;
  const auto compare = [&](const Bytes& frame) {
    Bytes by_quick_look = frame;
    Bytes by_classify = frame;
    const std::string quick = quickly(by_quick_look);
    if (quick == "undecided") {
      EXPECT_EQ(to_hex(by_quick_look), to_hex(frame));
      return;
    }
    ++decided;
    const BurstContext burst = world.burst();
    EXPECT_EQ(quick, verdict(classify(by_classify, 0, burst, world.adverts))) << to_hex(frame);
    EXPECT_EQ(to_hex(by_quick_look), to_hex(by_classify)) << to_hex(frame);
  };
  const Bytes to_shared = ethernet({.to = kGateway}, 0x0800,
                                   ip_packet({.protocol = 6, .destination = kSharedIp}, Bytes(26)));
  for (const Bytes& frame :
       {transit4({.to = kPortMac}), transit4({.to = kGateway}), to_shared,
        transit6({.to = kPortMac}), transit6({.to = kGateway}),
        transit4({.to = kOfTagged, .tag = kTag}), transit6({.to = kOfTagged, .tag = kTag}),
        transit4({.to = kSecondPortMac, .tag = kTag})}) {
    for (std::size_t at = 0; at < frame.size(); ++at) {
      for (unsigned value = 0; value < 256; ++value) {
        Bytes changed = frame;
        changed[at] = static_cast<std::byte>(value);
        compare(changed);
      }
      compare(Bytes(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(at)));
    }
  }
  EXPECT_GT(decided, 20'000U);
}

/// What changed bytes hardly ever give: a right checksum, and each destination of the box's
/// networks.
TEST_P(Transit, WithARightChecksum) {
  unsigned decided = 0;
  const auto compare = [&](std::uint16_t type, const Bytes& packet) {
    for (const MacAddress& to : {kPortMac, kGateway, kOfTagged}) {
      Bytes by_quick_look = ethernet({.to = to}, type, packet);
      Bytes by_classify = by_quick_look;
      const std::string quick = quickly(by_quick_look);
      if (quick == "undecided") continue;
      ++decided;
      const BurstContext burst = world.burst();
      EXPECT_EQ(quick, verdict(classify(by_classify, 0, burst, world.adverts)));
      EXPECT_EQ(to_hex(by_quick_look), to_hex(by_classify));
    }
  };
  const auto compare4 = [&](const Ip& ip) { compare(0x0800, ip_packet(ip, Bytes(26))); };
  for (unsigned n = 0; n < 256; ++n) {
    const auto byte = static_cast<std::uint8_t>(n);
    compare4({.protocol = byte, .destination = kElsewhere});
    compare4({.protocol = 17, .destination = ipv4(192, 0, 2, byte)});
    compare4({.protocol = 17, .destination = ipv4(224, 0, 0, byte)});
    compare4(
        {.flags = static_cast<std::uint16_t>(n << 8), .protocol = 17, .destination = kElsewhere});
    Bytes packet = ip_packet({.protocol = 17, .destination = kElsewhere}, Bytes(26));
    wire::put_be16(packet, 10, wire::checksum_update(wire::get_be16(packet, 10), 46, byte));
    wire::put_be16(packet, 2, byte);  // the length
    compare(0x0800, packet);
    const Ipv6Address near = ipv6_from({0x2001, 0xdb8, 0, 0, 0, 0, 0, byte});
    compare(0x86dd, ip6_packet({.next = 17, .destination = near}, Bytes(26)));
  }
  EXPECT_GT(decided, 1'000U);
}

INSTANTIATE_TEST_SUITE_P(Hosts, Transit,
                         ::testing::Values(Host::none, Host::plain, Host::has_shared));

}  // namespace
}  // namespace koi::dataplane::transit_test
