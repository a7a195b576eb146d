#pragma once

#include <array>
#include <bit>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/strong_types.h"

namespace koi {

/// An IPv4 address, four bytes in network order. Comparison is unsigned, in network order.
struct Ipv4Address {
  std::array<std::byte, 4> bytes{};
  constexpr auto operator<=>(const Ipv4Address&) const = default;

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

  constexpr bool is_multicast() const { return bytes[0] == std::byte{0xff}; }
  constexpr bool is_link_local() const {
    return bytes[0] == std::byte{0xfe} && (bytes[1] & std::byte{0xc0}) == std::byte{0x80};
  }

  std::string to_string() const;
  static std::optional<Ipv6Address> parse(std::string_view text);
};

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
