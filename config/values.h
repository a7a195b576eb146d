#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/time.h"
#include "config/config.h"

namespace koi::config {

/// The forms of single values, without a file around them. Each returns nothing on anything else.

/// Decimal digits only: no sign, no blanks, no leading zeros.
std::optional<std::uint64_t> parse_whole_number(std::string_view text);

/// A whole number and a unit: 500ms, 60s, 2m.
std::optional<Duration> parse_duration(std::string_view text);
/// In the largest unit of s and ms that holds it: 60s, 1500ms.
std::string format_duration(Duration duration);

/// 192.0.2.2/24, 2001:db8::2/64; the length is required.
std::optional<InterfaceAddress> parse_interface_address(std::string_view text);

/// Iff a host can own the address and be reached at it: no multicast, broadcast, loopback,
/// unspecified or IPv4-mapped one. Link-local addresses are hosts'.
bool is_host(const IpAddress& address);
bool is_link_local(const IpAddress& address);  // IPv6: fe80::/10

/// An address and a TCP port.
struct Endpoint {
  IpAddress address;
  std::uint16_t number = 0;
};
/// 192.0.2.9:443, [2001:db8::1]:443; ports 1..65535.
std::optional<Endpoint> parse_endpoint(std::string_view text);
std::string format_endpoint(const Endpoint& endpoint);

/// Iff both are of one family and equal in their first bits.
bool same_subnet(const IpAddress& a, const IpAddress& b, std::uint8_t prefix_length);
/// Why a host cannot have the address in its own subnet, for a message; empty if it can. IPv4: the
/// network's own and its broadcast address, except with /31 and /32 (RFC 3021). IPv6: the
/// Subnet-Router anycast address (RFC 4291, 2.6.1), except with /127 and /128 (RFC 6164).
std::string_view reserved_in_subnet(const InterfaceAddress& address);

/// 1..longest characters of a-z, 0-9 and hyphen.
bool is_name(std::string_view text, std::size_t longest);

/// dddd:bb:dd.f, hexadecimal.
bool is_pci_address(std::string_view text);
/// net_... or eth_..., with arguments after the first comma or without.
bool is_vdev(std::string_view text);
/// A vdev of DPDK's link bonding, which joins other devices.
bool is_bond(std::string_view device);
/// What tells two devices apart: the PCI address in lower case, or the vdev's name.
std::string device_identity(std::string_view device);

inline constexpr std::size_t kMaxPortName = 11;
inline constexpr std::size_t kMaxGroupName = 32;
inline constexpr std::size_t kMaxTrackName = 32;

}  // namespace koi::config
