#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/auth/carp_auth.h"
#include "common/contract/messages.h"
#include "common/net/ip_address.h"
#include "common/strong_types.h"

namespace koi::controlplane {

/// The variable fields of an advertisement.
struct AdvertFields {
  std::uint8_t advbase = 0;
  std::uint8_t advskew = 0;
  std::uint8_t demote = 0;
  std::uint64_t counter = 0;
};

/// Makes the frames of one slot: advertisements (protocol.md §1, §2), bow-outs (§8) and gratuitous
/// ARP (§9). It fills kind, family, port, length and bytes; term, slot, not-after and lease are the
/// caller's (L4). Control thread.
class FrameMaker {
 public:
  FrameMaker(PortIndex port, VlanId vlan, Vhid vhid, Ipv4Address source,
             std::vector<Ipv4Address> shared, const auth::CarpAuth& auth)
      : port_(port),
        vlan_(vlan),
        vhid_(vhid),
        source_(source),
        shared_(std::move(shared)),
        auth_(auth) {}

  TransmitFrame advertisement(const AdvertFields& fields) const;
  /// advbase and advskew 255, whatever the slot's are.
  TransmitFrame bow_out(std::uint8_t demote, std::uint64_t counter) const;
  /// One per shared address. REQUIRES: at < addresses().size().
  TransmitFrame gratuitous_arp(std::size_t at) const;

  std::span<const Ipv4Address> addresses() const { return shared_; }

 private:
  PortIndex port_;
  VlanId vlan_;
  Vhid vhid_;
  Ipv4Address source_;
  std::vector<Ipv4Address> shared_;
  auth::CarpAuth auth_;
};

}  // namespace koi::controlplane
