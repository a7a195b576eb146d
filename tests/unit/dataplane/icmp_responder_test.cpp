#include "dataplane/icmp_responder.h"

#include <utility>

#include <gtest/gtest.h>

#include "tests/support/world.h"

namespace koi::dataplane::icmp_responder_test {
namespace {

using namespace test;  // NOLINT: the whole file is about its frames

const MacAddress kVirtual = virtual_mac(Vhid(1));
const Ip kToShared{.destination = kSharedIp};

class IcmpResponder : public ::testing::Test {
 protected:
  IcmpResponder() { world.reign(kLan); }

  /// Where the request's first octets were, the answer has these; its checksums are right.
  void expect_reply(const Bytes& request, const MacAddress& from, const Ip& ip) {
    Bytes reply = request;
    const Fate fate = world.receive(reply);
    ASSERT_EQ(verdict(fate), "answer");
    EXPECT_EQ(fate.what(), AnswerKind::icmp);
    // Built afresh by hand: addresses exchanged, TTL 64, type 0, the rest as it was.
    Bytes data(56);
    for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<std::byte>(i + 1);
    Ip back = ip;
    std::swap(back.source, back.destination);
    back.ttl = 64;
    const Bytes expected =
        ethernet({.to = kClientMac, .from = from}, 0x0800, ip_packet(back, icmp(0, 0, data)));
    EXPECT_EQ(to_hex(reply), to_hex(expected));
  }
  World world;
};

// C11.12 kept, C11.13 kept
TEST_F(IcmpResponder, SharedAddress) {
  expect_reply(echo(kToShared, {.to = kVirtual}), kVirtual, kToShared);
}

// C11.4 kept, C11.12 kept, C11.13 kept
TEST_F(IcmpResponder, OwnAddress) { expect_reply(echo({}, {.to = kPortMac}), kPortMac, {}); }

// C11.4 kept
TEST_F(IcmpResponder, OwnAddressNeedsNoLease) {
  World backup;
  EXPECT_EQ(backup.verdict_on(echo({}, {.to = kPortMac})), "answer");
}

TEST_F(IcmpResponder, ServiceAndIdentificationStay) {
  const Ip ip{.tos = 0xb8, .id = 0xffff, .flags = 0, .ttl = 1};
  expect_reply(echo(ip, {.to = kPortMac}), kPortMac, ip);
}

TEST_F(IcmpResponder, EveryTtlLeavesARightHeaderChecksum) {
  for (unsigned ttl = 0; ttl < 256; ++ttl) {
    const Ip ip{.id = static_cast<std::uint16_t>(ttl * 257), .ttl = static_cast<std::uint8_t>(ttl)};
    expect_reply(echo(ip, {.to = kPortMac}), kPortMac, ip);
  }
}

TEST_F(IcmpResponder, PaddingIsCutOff) {
  Bytes padded = echo({}, {.to = kPortMac});
  const std::size_t length = padded.size();
  padded.resize(length + 40, std::byte{0xee});
  ASSERT_EQ(verdict(world.receive(padded)), "answer");
  EXPECT_EQ(padded.size(), length);
}

TEST_F(IcmpResponder, EveryTruncation) {
  const Bytes request = echo({}, {.to = kPortMac});
  for (std::size_t n = 0; n < request.size(); ++n) {
    EXPECT_EQ(world.verdict_on(prefix(request, n)), n < 14 ? "runt" : "ipv4_length") << n;
  }
}

TEST_F(IcmpResponder, EveryShortMessage) {
  for (std::size_t n = 0; n < 8; ++n) {
    const Bytes packet = ip_packet({}, prefix(icmp(8, 0, {}), n));
    EXPECT_EQ(world.verdict_on(ethernet({.to = kPortMac}, 0x0800, packet)), "icmp_length") << n;
  }
  EXPECT_EQ(world.verdict_on(echo({}, {.to = kPortMac}, 0)), "answer");
}

TEST_F(IcmpResponder, OddLengths) {
  for (std::size_t n = 0; n < 9; ++n) {
    Bytes request = echo({}, {.to = kPortMac}, n);
    ASSERT_EQ(verdict(world.receive(request)), "answer") << n;
    EXPECT_EQ(plain_checksum(std::span(request).subspan(34)), 0) << n;
  }
}

// C11.13 refused
TEST_F(IcmpResponder, OnlyAtItsMac) {
  EXPECT_EQ(world.verdict_on(echo(kToShared, {.to = kPortMac})), "not_our_mac");
  EXPECT_EQ(world.verdict_on(echo(kToShared, {.to = virtual_mac(Vhid(7))})), "not_our_mac");
  EXPECT_EQ(world.verdict_on(echo({}, {.to = kVirtual})), "not_our_mac");
}

// C11.13 refused
TEST_F(IcmpResponder, NeverToABroadcastOrMulticast) {
  for (const MacAddress& to : {kBroadcastMac, mac_from({0x01, 0, 0x5e, 0, 0, 1})}) {
    EXPECT_EQ(world.verdict_on(echo({}, {.to = to})), "not_our_mac");
    EXPECT_EQ(world.verdict_on(echo(kToShared, {.to = to})), "not_our_mac");
  }
  for (const Ipv4Address& to :
       {ipv4(255, 255, 255, 255), ipv4(224, 0, 0, 1), ipv4(192, 0, 2, 255)}) {
    EXPECT_EQ(world.verdict_on(echo({.destination = to}, {.to = kPortMac})), "ipv4_not_ours");
  }
}

// C11.2 refused, C11.3 refused
TEST_F(IcmpResponder, BackupAndMasterWithoutLeaseAreSilent) {
  World backup;
  EXPECT_EQ(backup.verdict_on(echo(kToShared, {.to = kVirtual})), "not_master");
  world.board->slot(kLan).term.store(6);
  EXPECT_EQ(world.verdict_on(echo(kToShared, {.to = kVirtual})), "no_lease");
}

TEST_F(IcmpResponder, OtherProtocols) {
  for (unsigned protocol = 0; protocol < 256; ++protocol) {
    if (protocol == 1 || protocol == 2 || protocol == 112) continue;  // ICMP, IGMP, CARP
    const Ip ip{.protocol = static_cast<std::uint8_t>(protocol)};
    EXPECT_EQ(world.verdict_on(echo(ip, {.to = kPortMac})), "ipv4_protocol") << protocol;
  }
}

// C11.13 refused
TEST_F(IcmpResponder, SourcesThatNoHostHasOrOurOwn) {
  for (const Ipv4Address& source :
       {Ipv4Address{}, ipv4(255, 255, 255, 255), ipv4(224, 0, 0, 1), ipv4(239, 1, 2, 3),
        ipv4(127, 0, 0, 1), kOwnIp, kSharedIp, kForeignSharedIp}) {
    EXPECT_EQ(world.verdict_on(echo({.source = source}, {.to = kPortMac})), "ipv4_source")
        << source.to_string();
  }
}

TEST_F(IcmpResponder, OtherTypesAndCodes) {
  for (unsigned type = 0; type < 256; ++type) {
    for (const unsigned code : {0U, 1U, 255U}) {
      const Bytes message =
          icmp(static_cast<std::uint8_t>(type), static_cast<std::uint8_t>(code), {});
      EXPECT_EQ(world.verdict_on(ethernet({.to = kPortMac}, 0x0800, ip_packet({}, message))),
                type == 8 && code == 0 ? "answer" : "icmp_not_echo")
          << type << "/" << code;
    }
  }
}

TEST_F(IcmpResponder, EveryByteOfTheMessageIsUnderItsChecksum) {
  const Bytes request = echo({}, {.to = kPortMac}, 5);
  for (std::size_t at = 34; at < request.size(); ++at) {
    Bytes changed = request;
    changed[at] ^= std::byte{0x20};
    EXPECT_EQ(world.verdict_on(changed), "icmp_checksum") << at;
  }
}

}  // namespace
}  // namespace koi::dataplane::icmp_responder_test
