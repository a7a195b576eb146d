#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>

#include <gtest/gtest.h>

#include "tests/support/world.h"

/// A group balanced by packet, for the tests of what workers do with it.
namespace koi::test {

inline constexpr ByPacket kByPacketModes[] = {ByPacket::ip, ByPacket::ip_stealth,
                                              ByPacket::ip_unicast};
inline std::string by_packet_name(const ::testing::TestParamInfo<ByPacket>& mode) {
  constexpr const char* kNames[] = {"ip", "ip_stealth", "ip_unicast"};
  return kNames[static_cast<std::size_t>(mode.param)];
}

inline constexpr MacAddress kGroupMac = mac_from({0x01, 0, 0x5e, 0, 0x01, 2});
inline constexpr MacAddress kFirstMac = mac_from({0x00, 0, 0x5e, 0, 0x01, 2});
inline constexpr MacAddress kSecondMac = mac_from({0x00, 0, 0x5e, 0, 0x01, 5});
inline constexpr Ipv4Address kRemoteIp = ipv4(203, 0, 113, 9);

/// Vhids 2, 5 and 9 at kSharedIp and kSharedIp6, its slots the first; then vhid 200 alone.
inline std::shared_ptr<const Topology> three_by_packet(ByPacket how, bool assigned = false) {
  return TopologyBuilder()
      .port(kPortMac)
      .own(PortIndex(0), VlanId(0), kOwnIp)
      .own6(PortIndex(0), VlanId(0), kOwnIp6)
      .by_packet({.addresses = {kSharedIp}, .addresses6 = {kSharedIp6}, .families = kBothFamilies},
                 {2, 5, 9}, how)
      .group({.vhid = Vhid(200), .addresses = {kForeignSharedIp}})
      .hosted(assigned)
      .build();
}
inline MacAddress told(ByPacket how) { return how == ByPacket::ip ? kGroupMac : kFirstMac; }

/// protocol.md §11 read once more, byte by byte: the remainder of a number in base 256.
template <class Address>
unsigned member_of(const Address& source, const Address& destination, unsigned members) {
  std::array<unsigned, 4> folded{};
  for (std::size_t i = 0; i < source.bytes.size(); ++i) {
    folded[i % 4] ^= std::to_integer<unsigned>(source.bytes[i]);
    folded[i % 4] ^= std::to_integer<unsigned>(destination.bytes[i]);
  }
  unsigned remainder = 0;
  for (const unsigned byte : folded) remainder = (remainder * 256 + byte) % members;
  return remainder;
}

inline Bytes udp(Ip ip, const Ethernet& e) {
  ip.protocol = 17;
  return ethernet(e, 0x0800, ip_packet(ip, Bytes(26)));
}
inline Bytes udp6(Ip6 ip, const Ethernet& e) {
  ip.next = 17;
  return ethernet(e, 0x86dd, ip6_packet(ip, Bytes(26)));
}
inline std::string hex_at(const Bytes& frame, std::size_t at, std::size_t length) {
  return to_hex(std::span(frame).subspan(at, length));
}

class ByPacketTest : public ::testing::TestWithParam<ByPacket> {
 protected:
  void reign(std::initializer_list<std::uint16_t> slots) {
    for (const std::uint16_t slot : slots) world.reign(SlotIndex(slot));
  }
  /// The Ethernet source of what a box sends for the slot.
  static MacAddress sends_from(std::size_t slot) {
    constexpr std::uint8_t kVhids[] = {2, 5, 9};
    const bool hides = GetParam() != ByPacket::ip_unicast;
    return hides ? kPortMac : mac_from({0x00, 0, 0x5e, 0, 0x01, kVhids[slot]});
  }

  World world{three_by_packet(GetParam())};
  const Ethernet to_group{.to = told(GetParam())};
};

}  // namespace koi::test
