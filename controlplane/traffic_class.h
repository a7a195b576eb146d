#pragma once

#include <cstdint>
#include <optional>

#include "config/config.h"

namespace koi::controlplane {

/// The ToS byte of IPv4 and the traffic class byte of IPv6.
struct TrafficClass {
  std::uint8_t ipv4 = 0xc0;
  std::uint8_t ipv6 = 0xc0;
  bool operator==(const TrafficClass&) const = default;
};

/// Of what a group of this dialect sends: as its boxes do (protocol.md §2), CS6 among koi boxes;
/// the port's own setting wins.
constexpr TrafficClass traffic_class(config::Dialect dialect, std::optional<std::uint8_t> dscp) {
  if (dscp) {
    const auto byte = static_cast<std::uint8_t>(*dscp << 2);
    return {byte, byte};
  }
  switch (dialect) {
    case config::Dialect::openbsd:
    case config::Dialect::ucarp:
      return {0x10, 0};  // IPTOS_LOWDELAY
    case config::Dialect::freebsd:
      return {0xe0, 0xe0};  // DSCP 56
    case config::Dialect::koi:
      break;
  }
  return {0xc0, 0xc0};
}

}  // namespace koi::controlplane
