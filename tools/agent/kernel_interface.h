#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/net/ip_address.h"
#include "common/net/mac_address.h"

namespace koi::agent {

struct KernelAddress {
  IpAddress address;
  std::uint8_t prefix = 0;
  std::uint32_t flags = 0;    // IFA_F_*
  std::uint8_t protocol = 0;  // IFAPROT_*: who has put it there; 0 also: this kernel does not say

  bool operator==(const KernelAddress&) const = default;
};

/// An interface as the kernel has it.
struct KernelInterface {
  unsigned index = 0;
  std::string name;
  MacAddress mac;
  unsigned mtu = 0;
  bool up = false;              // IFF_UP
  std::optional<bool> carrier;  // nothing: the kernel does not say, as the next
  std::optional<std::uint32_t> arp_ignore;
  std::optional<std::uint32_t> arp_announce;
  std::optional<std::uint8_t> address_generation;  // IN6_ADDR_GEN_MODE_*
  std::vector<KernelAddress> addresses;
};

}  // namespace koi::agent
