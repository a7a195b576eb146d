#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "common/net/mac_address.h"
#include "common/strong_types.h"

namespace koi {

/// An IPv4 address, four bytes in network order. Comparison is unsigned, in network order.
struct Ipv4Address {
  std::array<std::byte, 4> bytes{};
  constexpr auto operator<=>(const Ipv4Address&) const = default;
  /// As one word, see MacAddress.
  constexpr bool operator==(const Ipv4Address& other) const {
    return std::bit_cast<std::uint32_t>(bytes) == std::bit_cast<std::uint32_t>(other.bytes);
  }

  /// As a host-order integer: 192.0.2.1 is 0xc0000201.
  constexpr std::uint32_t to_u32() const {
    return (std::to_integer<std::uint32_t>(bytes[0]) << 24) |
           (std::to_integer<std::uint32_t>(bytes[1]) << 16) |
           (std::to_integer<std::uint32_t>(bytes[2]) << 8) |
           std::to_integer<std::uint32_t>(bytes[3]);
  }
  static constexpr Ipv4Address from_u32(std::uint32_t v) {
    return {{std::byte(v >> 24), std::byte((v >> 16) & 0xff), std::byte((v >> 8) & 0xff),
             std::byte(v & 0xff)}};
  }

  constexpr bool is_zero() const { return to_u32() == 0; }
  constexpr bool is_multicast() const { return (to_u32() >> 28) == 0xe; }
  constexpr bool is_broadcast() const { return to_u32() == 0xffffffff; }
  constexpr bool is_loopback() const { return (to_u32() >> 24) == 127; }
  /// Iff a host can own it and be answered at it: not 0.0.0.0, broadcast, multicast or loopback.
  constexpr bool is_host() const {
    return !is_zero() && !is_multicast() && !is_broadcast() && !is_loopback();
  }

  std::string to_string() const;
  static std::optional<Ipv4Address> parse(std::string_view text);
};

/// 224.0.0.18 (protocol.md §2).
inline constexpr Ipv4Address kCarpIpv4Group = Ipv4Address::from_u32(0xe0000012);

/// An IPv6 address, sixteen bytes in network order.
struct Ipv6Address {
  std::array<std::byte, 16> bytes{};
  constexpr auto operator<=>(const Ipv6Address&) const = default;
  /// As two words, see MacAddress.
  constexpr bool operator==(const Ipv6Address& other) const {
    using Words = std::array<std::uint64_t, 2>;
    const auto a = std::bit_cast<Words>(bytes);
    const auto b = std::bit_cast<Words>(other.bytes);
    return ((a[0] ^ b[0]) | (a[1] ^ b[1])) == 0;
  }

  constexpr bool is_multicast() const { return bytes[0] == std::byte{0xff}; }
  constexpr bool is_link_local() const {
    return bytes[0] == std::byte{0xfe} && (bytes[1] & std::byte{0xc0}) == std::byte{0x80};
  }
  /// `::`, the source of who has no address yet.
  constexpr bool is_unspecified() const { return has_only(0); }
  /// `::1`.
  constexpr bool is_loopback() const { return has_only(1); }
  /// Iff a host can own it and be answered at it: not `::`, multicast or `::1`.
  constexpr bool is_host() const { return !is_multicast() && !is_unspecified() && !is_loopback(); }

  std::string to_string() const;
  static std::optional<Ipv6Address> parse(std::string_view text);

 private:
  /// All zero but the last byte, which is this.
  constexpr bool has_only(std::uint8_t last) const {
    if (std::is_constant_evaluated()) {
      Ipv6Address only;
      only.bytes[15] = std::byte{last};
      return *this == only;
    }
    std::uint64_t high;  // two loads: byte by byte it shows in the packet path
    std::uint64_t low;
    std::memcpy(&high, bytes.data(), sizeof high);
    std::memcpy(&low, bytes.data() + sizeof high, sizeof low);
    return (high | (low ^ (std::uint64_t{last} << 56))) == 0;  // little-endian, as bytes.h
  }
};

/// From its eight 16-bit groups, as it is written: {0xff02, 0, 0, 0, 0, 0, 0, 0x12}.
constexpr Ipv6Address ipv6_from(const std::array<std::uint16_t, 8>& groups) {
  Ipv6Address address;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    address.bytes[2 * i] = static_cast<std::byte>(groups[i] >> 8);
    address.bytes[2 * i + 1] = static_cast<std::byte>(groups[i] & 0xff);
  }
  return address;
}

/// ff02::12, the group of CARP and VRRP (protocol.md §2).
inline constexpr Ipv6Address kCarpIpv6Group = ipv6_from({0xff02, 0, 0, 0, 0, 0, 0, 0x12});
/// ff02::1, all nodes on the link (RFC 4291 §2.7.1).
inline constexpr Ipv6Address kAllNodes = ipv6_from({0xff02, 0, 0, 0, 0, 0, 0, 1});

/// The group in which an address is asked for: ff02::1:ff and its last 24 bits (RFC 4291 §2.7.1).
constexpr Ipv6Address solicited_node(const Ipv6Address& address) {
  Ipv6Address group = ipv6_from({0xff02, 0, 0, 0, 0, 1, 0xff00, 0});
  std::copy(address.bytes.begin() + 13, address.bytes.end(), group.bytes.begin() + 13);
  return group;
}

/// Iff group is solicited_node(address), without building it: that shows in the packet path.
inline bool is_solicited_node_of(const Ipv6Address& group, const Ipv6Address& address) {
  constexpr Ipv6Address kPrefix = solicited_node({});
  constexpr std::uint64_t kLast24 = ~std::uint64_t{0} << 40;  // little-endian, as bytes.h
  std::uint64_t have[2];
  std::uint64_t want[2];
  std::uint64_t low;
  std::memcpy(have, group.bytes.data(), sizeof have);
  std::memcpy(want, kPrefix.bytes.data(), sizeof want);
  std::memcpy(&low, address.bytes.data() + 8, sizeof low);
  return have[0] == want[0] && have[1] == (want[1] | (low & kLast24));
}

/// fe80:: and the modified EUI-64 of a MAC: ff:fe in its middle, the universal bit inverted
/// (RFC 4291 appendix A).
constexpr Ipv6Address link_local_from(const MacAddress& mac) {
  Ipv6Address address = ipv6_from({0xfe80, 0, 0, 0, 0, 0x00ff, 0xfe00, 0});
  std::copy(mac.bytes.begin(), mac.bytes.begin() + 3, address.bytes.begin() + 8);
  std::copy(mac.bytes.begin() + 3, mac.bytes.end(), address.bytes.begin() + 13);
  address.bytes[8] ^= std::byte{0x02};
  return address;
}

/// Where a group's frames go: 33:33 and its last 32 bits (RFC 2464 §7).
constexpr MacAddress multicast_mac(const Ipv6Address& group) {
  MacAddress mac = mac_from({0x33, 0x33, 0, 0, 0, 0});
  std::copy(group.bytes.begin() + 12, group.bytes.end(), mac.bytes.begin() + 2);
  return mac;
}
inline constexpr MacAddress kCarpIpv6Mac = multicast_mac(kCarpIpv6Group);

/// An address of either family, by value. The unused bytes of an IPv4 address are zero.
class IpAddress {
 public:
  constexpr IpAddress() = default;
  constexpr IpAddress(Ipv4Address a)
      : family_(Family::ipv4) {  // NOLINT(google-explicit-constructor)
    for (std::size_t i = 0; i < 4; ++i) bytes_[i] = a.bytes[i];
  }
  constexpr IpAddress(Ipv6Address a)  // NOLINT(google-explicit-constructor)
      : family_(Family::ipv6), bytes_(a.bytes) {}

  constexpr Family family() const { return family_; }
  constexpr bool is_v4() const { return family_ == Family::ipv4; }
  /// REQUIRES: is_v4().
  constexpr Ipv4Address v4() const { return {{bytes_[0], bytes_[1], bytes_[2], bytes_[3]}}; }
  /// REQUIRES: !is_v4().
  constexpr Ipv6Address v6() const { return {bytes_}; }

  /// IPv4 before IPv6, then unsigned in network order.
  constexpr auto operator<=>(const IpAddress&) const = default;

  std::string to_string() const;
  static std::optional<IpAddress> parse(std::string_view text);

 private:
  Family family_ = Family::ipv4;
  std::array<std::byte, 16> bytes_{};
};

}  // namespace koi
