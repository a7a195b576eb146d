#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "common/auth/carp_auth.h"
#include "common/auth/trailer_auth.h"
#include "common/contract/messages.h"
#include "common/net/ip_address.h"
#include "common/strong_types.h"
#include "controlplane/traffic_class.h"

namespace koi::controlplane {

/// The variable fields of an advertisement.
struct AdvertFields {
  std::uint8_t advbase = 0;
  std::uint8_t advskew = 0;
  std::uint8_t demote = 0;
  std::uint64_t counter = 0;
  std::uint64_t sequence = 0;  // of the signed trailer, where there is one
};

/// Makes the frames of one slot: advertisements (protocol.md §1, §2), bow-outs (§8), gratuitous ARP
/// and unsolicited Neighbor Advertisements (§9). All leave from the same MAC, unicast copies too:
/// the virtual one, or the port's own (§11). It fills kind, family, port, length and bytes; term,
/// slot, not-after, lease and which copy is the last are the caller's (L3, L4). Control thread.
class FrameMaker {
 public:
  /// What is the same in all frames of the slot.
  struct Setup {
    PortIndex port;
    VlanId vlan;
    Vhid vhid;
    MacAddress sends_from;  // SlotView's
    Ipv4Address source;
    Ipv6Address source6;         // of multicast and of copies to link-local peers
    Ipv6Address global_source6;  // of copies to other IPv6 peers; all zero: source6 as well
    std::vector<IpAddress> shared;
    TrafficClass traffic;
    std::uint8_t pcp = 6;  // 802.1Q priority, where the VLAN is not 0
  };

  FrameMaker(Setup setup, const auth::CarpAuth& auth) : setup_(std::move(setup)), auth_(auth) {}

  /// The same with a signed trailer in every advertisement (protocol.md §14).
  FrameMaker signing(const auth::TrailerKey& key) const {
    FrameMaker maker = *this;
    maker.signer_ = key;
    return maker;
  }
  bool signs() const { return signer_.has_value(); }

  /// To the group. REQUIRES: the slot has a source address of the family.
  TransmitFrame advertisement(Family family, const AdvertFields& fields) const;
  /// advbase and advskew 255, whatever the slot's are.
  TransmitFrame bow_out(Family family, std::uint8_t demote, std::uint64_t counter) const;

  /// The copy for a unicast peer. Without its MAC: a frame of length 0, which the worker takes for
  /// sent (L3).
  TransmitFrame advertisement_to(const IpAddress& peer, const std::optional<MacAddress>& mac,
                                 const AdvertFields& fields) const;
  TransmitFrame bow_out_to(const IpAddress& peer, const std::optional<MacAddress>& mac,
                           std::uint8_t demote, std::uint64_t counter) const;

  /// One per shared address, in the configuration's order: gratuitous ARP or an unsolicited
  /// Neighbor Advertisement. REQUIRES: at < addresses().size().
  TransmitFrame announcement(std::size_t at) const;

  std::span<const IpAddress> addresses() const { return setup_.shared; }

 private:
  TransmitFrame advertisement_between(const IpAddress& source, const IpAddress& destination,
                                      const MacAddress& mac, const AdvertFields& fields) const;
  void write_trailer(const IpAddress& source, std::uint64_t sequence, std::span<std::byte> pdu,
                     std::span<std::byte> out) const;
  TransmitFrame gratuitous_arp(const Ipv4Address& shared) const;
  TransmitFrame unsolicited_advertisement(const Ipv6Address& shared) const;
  TransmitFrame begin(FrameKind kind, Family family) const;
  std::size_t ethernet(TransmitFrame& frame, const MacAddress& to, std::uint16_t ethertype) const;

  Setup setup_;
  auth::CarpAuth auth_;
  std::optional<auth::TrailerKey> signer_;
};

}  // namespace koi::controlplane
