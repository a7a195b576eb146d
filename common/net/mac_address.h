#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "common/strong_types.h"

namespace koi {

/// An Ethernet address, six bytes in the order in which they are on the wire.
struct MacAddress {
  std::array<std::byte, 6> bytes{};

  constexpr auto operator<=>(const MacAddress&) const = default;
  /// By words: the compiler's own goes byte by byte, which shows in the packet path.
  constexpr bool operator==(const MacAddress& other) const {
    if (std::is_constant_evaluated()) return bytes == other.bytes;
    return first_four() == other.first_four() && last_two() == other.last_two();
  }

  /// Group bit (IEEE 802): multicast, broadcast included.
  constexpr bool is_multicast() const { return (bytes[0] & std::byte{1}) != std::byte{0}; }
  constexpr bool is_zero() const {
    if (std::is_constant_evaluated()) return *this == MacAddress{};
    return (first_four() | last_two()) == 0;
  }

  /// The bytes as they lie in memory, in the low 48 bits.
  std::uint64_t word() const { return first_four() | std::uint64_t{last_two()} << 32; }

  /// Lower case, with colons: 00:00:5e:00:01:07.
  std::string to_string() const;
  /// Accepts six pairs of hex digits separated by colons. Returns nothing on anything else.
  static std::optional<MacAddress> parse(std::string_view text);

 private:
  std::uint32_t first_four() const {
    std::uint32_t word;
    std::memcpy(&word, bytes.data(), sizeof word);
    return word;
  }
  std::uint16_t last_two() const {
    std::uint16_t word;
    std::memcpy(&word, bytes.data() + 4, sizeof word);
    return word;
  }
};

constexpr MacAddress mac_from(std::array<std::uint8_t, 6> b) {
  return MacAddress{{std::byte{b[0]}, std::byte{b[1]}, std::byte{b[2]}, std::byte{b[3]},
                     std::byte{b[4]}, std::byte{b[5]}}};
}

inline constexpr MacAddress kBroadcastMac = mac_from({0xff, 0xff, 0xff, 0xff, 0xff, 0xff});
/// 224.0.0.18, the group of CARP and VRRP (protocol.md §2).
inline constexpr MacAddress kCarpIpv4Mac = mac_from({0x01, 0x00, 0x5e, 0x00, 0x00, 0x12});

/// 00:00:5e:00:01:XX and 00:00:5e:00:02:XX, of CARP and VRRP (protocol.md §2, §12): whoever reigns
/// has it, so nobody in particular.
constexpr bool is_virtual(const MacAddress& mac) {
  constexpr std::byte kLeast{1};
  constexpr std::byte kMost{2};
  return mac.bytes[0] == std::byte{0} && mac.bytes[1] == std::byte{0} &&
         mac.bytes[2] == std::byte{0x5e} && mac.bytes[3] == std::byte{0} &&
         mac.bytes[4] >= kLeast && mac.bytes[4] <= kMost;
}

/// Virtual MAC of a vhid, the same for both families (protocol.md §2): 00:00:5e:00:01:vhid.
constexpr MacAddress virtual_mac(Vhid vhid) {
  return mac_from({0x00, 0x00, 0x5e, 0x00, 0x01, vhid.value()});
}
/// Group MAC of balancing `ip` (protocol.md §2, §11), the vhid its first member's: switches send it
/// to all.
constexpr MacAddress multicast_virtual_mac(Vhid vhid) {
  MacAddress mac = virtual_mac(vhid);
  mac.bytes[0] = std::byte{1};
  return mac;
}

}  // namespace koi
