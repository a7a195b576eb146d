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

/// 1..longest characters of a-z, 0-9 and hyphen.
bool is_name(std::string_view text, std::size_t longest);

/// dddd:bb:dd.f, hexadecimal.
bool is_pci_address(std::string_view text);
/// net_... or eth_..., with arguments after the first comma or without.
bool is_vdev(std::string_view text);
/// What tells two devices apart: the PCI address in lower case, or the vdev's name.
std::string device_identity(std::string_view device);

inline constexpr std::size_t kMaxPortName = 11;
inline constexpr std::size_t kMaxGroupName = 32;

}  // namespace koi::config
