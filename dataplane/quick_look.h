#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "common/contract/view.h"
#include "common/wire/arp.h"
#include "common/wire/ethernet.h"
#include "common/wire/nd.h"
#include "dataplane/frame.h"

namespace koi::dataplane {

/// Decides what nearly all frames of a burst are, by a few wide loads: an ARP request as every
/// client sends it, for a shared address that this box answers for or for one that nobody here has;
/// a Neighbor Solicitation with the sender's link-layer address, for such a shared address; and a
/// frame for another station's MAC. All else is classify()'s, and that is the rule: whatever
/// is decided here, it would decide in the same way (the frame fuzzer compares them).
///
/// Made for one burst: look() at each frame, then answer() all of them at once, for then what it
/// needs of the tables has come from memory; then ask each one's fate(). Workers; allocates
/// nothing.
class QuickLook {
 public:
  static constexpr std::size_t kMost = 80;  // frames of a burst

  explicit QuickLook(const BurstContext& burst)
      : burst_(burst),
        addresses_(burst.topology().addresses),
        addresses6_(burst.topology().addresses6),
        port_mac_(burst.port_mac().word()),
        place_(std::uint64_t{burst.port.value()} << 48) {}

  /// n: the frame's number in its burst, less than kMost.
  void look(std::size_t n, std::span<std::byte> frame) {
    fates_[n] = Fate::undecided();
    if (frame.size() < kLeast) return;
    if (load64(frame, 12) == kArpOfIpv4) return look_at_arp(n, frame, 12, 0);
    const std::uint16_t ethertype = load16(frame, 12);
    if (ethertype == kVlan) {
      // 802.1Q: the VLAN's number is the low 12 bits of the tag
      const std::uint16_t vlan = wire::get_be16(frame, 14) & 0x0fff;
      const std::uint64_t tagged = load64(frame, 16);
      if (tagged == kArpOfIpv4) return look_at_arp(n, frame, 16, vlan);
      if ((tagged & kNeighborMask) == kNeighbor) look_at_neighbor(n, frame, 16, vlan);
      return;
    }
    if ((load64(frame, 12) & kNeighborMask) == kNeighbor) return look_at_neighbor(n, frame, 12, 0);
    const std::uint64_t to = load64(frame, 0) & kMacMask;
    if ((to & kMulticast) != 0 || to == port_mac_ || (to & kPrefixMask) == kVirtualPrefix) return;
    if (ethertype == kStackedVlan || !is_known(load64(frame, 6) & kMacMask)) return;
    fates_[n] = Fate::drop(DropReason::kNotOurMac);
  }

  /// The requests and solicitations among them become their answers where the lease allows it (L1).
  void answer();

  /// undecided: classify() is to decide.
  Fate fate(std::size_t n) const { return fates_[n]; }

  const BurstContext& burst() const { return burst_; }

 private:
  /// An ARP request. Addresses as they lie in memory.
  struct Request {
    std::byte* frame;
    std::uint64_t asker;   // MAC, in the low 48 bits
    std::uint64_t target;  // key of the address asked for
    std::uint64_t sender;  // key of the asker's
    std::uint32_t arp_at;  // offset of the EtherType before it
    std::uint32_t n;
  };

  struct Solicitation {
    std::byte* frame;
    std::uint64_t asker;
    std::uint64_t high, low;  // of the address asked for
    std::uint32_t at;         // offset of the EtherType
    std::uint16_t vlan;
    std::uint8_t n;
  };
  static_assert(kMost <= UINT8_MAX);
  // Offsets in a solicitation from its EtherType, and its length from there.
  static constexpr std::size_t kIp6Next = 8;
  static constexpr std::size_t kIp6Source = 10;
  static constexpr std::size_t kIp6Destination = 26;
  static constexpr std::size_t kIcmp6 = 42;
  static constexpr std::size_t kTarget = 50;
  static constexpr std::size_t kOption = 66;
  static constexpr std::size_t kNeighborEnd = 74;

  // What lies in the frame, as words of the machine.
  static_assert(std::endian::native == std::endian::little);
  static constexpr std::uint64_t kMacMask = 0xffff'ffff'ffff;
  static constexpr std::uint64_t kMulticast = 1;
  static constexpr std::uint64_t kPrefixMask = 0xff'ffff'ffff;
  static constexpr std::uint64_t kVirtualPrefix = 0x01'005e'0000;     // 00:00:5e:00:01
  static constexpr std::uint64_t kArpOfIpv4 = 0x0406'0008'0100'0608;  // to the lengths of addresses
  static constexpr std::uint64_t kRequest = 0x0100;
  /// EtherType IPv6, version 6, and the length of a solicitation with one option.
  static constexpr std::uint64_t kNeighbor = 0x2000'0000'0060'dd86;
  static constexpr std::uint64_t kNeighborMask = 0xffff'0000'00f0'ffff;
  static constexpr std::uint16_t kIcmp6HopLimit = 0xff3a;  // ICMPv6, hop limit 255
  static constexpr std::uint16_t kSolicitation = 0x0087;   // type, code 0
  static constexpr std::uint64_t kSourceOption = 0x0101;   // source link-layer address, length 1
  static constexpr std::uint16_t kVlan = 0x0081;
  static constexpr std::uint16_t kStackedVlan = 0xa888;
  /// A tagged request. Shorter ones are rare, for Ethernet fills frames up to 60 bytes.
  static constexpr std::size_t kLeast =
      wire::kEthernetLength + wire::kVlanTagLength + wire::kArpLength;

  static std::uint64_t load64(std::span<const std::byte> frame, std::size_t at) {
    std::uint64_t word;
    std::memcpy(&word, frame.data() + at, sizeof word);
    return word;
  }
  static std::uint32_t load32(std::span<const std::byte> frame, std::size_t at) {
    std::uint32_t word;
    std::memcpy(&word, frame.data() + at, sizeof word);
    return word;
  }
  static std::uint16_t load16(std::span<const std::byte> frame, std::size_t at) {
    std::uint16_t word;
    std::memcpy(&word, frame.data() + at, sizeof word);
    return word;
  }

  /// A source that needs no second look: a station's, and none of our own.
  bool is_known(std::uint64_t mac) const {
    return (mac & kMulticast) == 0 && mac != 0 && (mac & kPrefixMask) != kVirtualPrefix &&
           mac != port_mac_;
  }

  /// Whose sender is the Ethernet source, as it is everywhere but behind a proxy.
  void look_at_arp(std::size_t n, std::span<std::byte> frame, std::uint32_t at,
                   std::uint64_t vlan) {
    const std::uint64_t operation_and_sender = load64(frame, at + 8);
    if (operation_and_sender != (kRequest | load64(frame, 6) << 16)) return;
    const std::uint64_t to = load64(frame, 0) & kMacMask;
    if (to != kMacMask && to != port_mac_ && (to & kPrefixMask) != kVirtualPrefix) return;
    const std::uint64_t asker = operation_and_sender >> 16;
    if (!is_known(asker)) return;
    const std::uint64_t place = place_ | vlan << 32;
    Request& r = requests_[count_++];
    r.frame = frame.data();
    r.asker = asker;
    r.target = place | load32(frame, at + 26);
    r.sender = place | load32(frame, at + 16);
    r.arp_at = at;
    r.n = static_cast<std::uint32_t>(n);
    if (!addresses_.is_large()) return;
    addresses_.reader().fetch(addresses_.hash(r.target));
    addresses_.reader().fetch_filter(addresses_.hash(r.sender));
  }

  /// Whose option is the Ethernet source. Apart, so that an ARP request pays nothing for it.
  void look_at_neighbor(std::size_t n, std::span<std::byte> frame, std::uint32_t at,
                        std::uint16_t vlan);

  static Ipv6Key key_of(const Solicitation& solicitation, PortIndex port);
  struct Tables;
  static Fate decide(const Request& request, const Tables& tables);
  static Fate decide(const Solicitation& solicitation, const Tables& tables);

  const BurstContext& burst_;
  const FlatTable<std::uint64_t>& addresses_;
  const FlatTable<Ipv6Key>& addresses6_;
  const std::uint64_t port_mac_;
  const std::uint64_t place_;  // the port's part of a key
  std::size_t count_ = 0;
  std::size_t solicitation_count_ = 0;
  std::array<Request, kMost> requests_;            // the first count_ of them
  std::array<Solicitation, kMost> solicitations_;  // the same
  std::array<Fate, kMost> fates_;                  // of those looked at
};

}  // namespace koi::dataplane
