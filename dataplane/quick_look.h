#pragma once

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
/// Made for one burst, for it keeps what it reads of the view at hand. Workers; allocates nothing.
class QuickLook {
 public:
  explicit QuickLook(const BurstContext& burst);

  /// The tables are too large for a core's first cache: fetch() is worth it.
  bool looks_ahead() const { return large_; }
  /// Brings what decide() will read of them for this frame from memory. A few frames ahead.
  void fetch(std::span<const std::byte> frame) const;

  /// A request or solicitation becomes its answer where the lease allows it (L1). undecided:
  /// classify() is to decide, and the frame is as it was.
  Fate decide(std::span<std::byte> frame) const {
    if (frame.size() < kLeast) return Fate::undecided();
    std::byte* const at = frame.data();
    const std::uint64_t kind = load64(at + kEtherType);
    if (kind == kArpOfIpv4) return decide_arp(at, kEtherType, place_);
    const auto ethertype = static_cast<std::uint16_t>(kind);
    if (ethertype == kVlan) return decide_tagged(frame);
    if ((kind & kNeighborMask) == kNeighbor) return decide_neighbor(frame, kEtherType, place_);
    const std::uint64_t to = load64(at);
    if ((to & kMulticast) != 0 || is_for_us(to) || ethertype == kStackedVlan ||
        !is_known(load64(at + kSource) & kMacMask)) {
      return Fate::undecided();
    }
    return Fate::drop(DropReason::kNotOurMac);
  }

  const BurstContext& burst() const { return burst_; }

 private:
  using Addresses = Topology::Addresses;
  using Addresses6 = Topology::Addresses6;

  struct ArpRequest {
    std::byte* frame;
    std::size_t at;        // offset of its EtherType
    std::uint64_t asker;   // MAC, in the low 48 bits
    std::uint64_t sender;  // key of the asker's address
    std::uint64_t target;  // key of the address asked for
  };

  // What lies in the frame, as words of the machine.
  static_assert(std::endian::native == std::endian::little);
  static constexpr std::size_t kSource = 6;
  static constexpr std::size_t kEtherType = 12;
  // Offsets from the EtherType: in an ARP request,
  static constexpr std::size_t kOperation = 8;
  static constexpr std::size_t kSenderAddress = 16;
  static constexpr std::size_t kTargetMac = 20;
  static constexpr std::size_t kTargetAddress = 26;
  // and in a solicitation, with its length.
  static constexpr std::size_t kIp6Next = 8;
  static constexpr std::size_t kIp6Source = 10;
  static constexpr std::size_t kIp6Destination = 26;
  static constexpr std::size_t kIcmp6 = 42;
  static constexpr std::size_t kTarget = 50;
  static constexpr std::size_t kOption = 66;
  static constexpr std::size_t kNeighborEnd = 74;

  static constexpr std::uint64_t kMacMask = 0xffff'ffff'ffff;
  static constexpr std::uint64_t kMulticast = 1;
  static constexpr std::uint64_t kVirtualPrefix = 0x01'005e'0000;     // 00:00:5e:00:01
  static constexpr std::uint64_t kArpOfIpv4 = 0x0406'0008'0100'0608;  // to the lengths of addresses
  static constexpr std::uint64_t kRequest = 0x0100;
  static constexpr std::uint64_t kReply = 0x0200;
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

  static std::uint64_t load64(const std::byte* from) {
    std::uint64_t word;
    std::memcpy(&word, from, sizeof word);
    return word;
  }
  static std::uint32_t load32(const std::byte* from) {
    std::uint32_t word;
    std::memcpy(&word, from, sizeof word);
    return word;
  }
  static std::uint16_t load16(const std::byte* from) {
    std::uint16_t word;
    std::memcpy(&word, from, sizeof word);
    return word;
  }
  template <class Word>
  static void store(std::byte* to, Word word) {
    std::memcpy(to, &word, sizeof word);
  }
  /// The MACs of a slot or an entry in the low 48 bits; above them is what lies behind them there.
  struct Macs {
    template <class Says>
    explicit Macs(const Says& says)
        : from(load64(bytes_of(says) + offsetof(Says, sends_from))),
          told(load64(bytes_of(says) + offsetof(Says, told))) {
      static_assert(offsetof(Says, sends_from) + sizeof from <= sizeof says);
      static_assert(offsetof(Says, told) + sizeof told <= sizeof says);
    }
    std::uint64_t from;
    std::uint64_t told;

   private:
    template <class Says>
    static const std::byte* bytes_of(const Says& says) {
      return reinterpret_cast<const std::byte*>(&says);
    }
  };

  // Of a word whose low 48 bits are a MAC: shifts drop the rest, and cost less than masks.
  static bool is_broadcast(std::uint64_t word) { return word << 16 == ~std::uint64_t{0} << 16; }
  static bool is_virtual(std::uint64_t word) { return word << 24 == kVirtualPrefix << 24; }
  bool is_for_us(std::uint64_t word) const {
    return (word & kMacMask) == port_mac_ || is_virtual(word);
  }

  /// A source that needs no second look: a station's, and none of our own.
  bool is_known(std::uint64_t mac) const {
    return (mac & kMulticast) == 0 && mac != 0 && !is_virtual(mac) && mac != port_mac_;
  }

  /// An ARP request whose sender is the Ethernet source, as it is everywhere but behind a proxy.
  /// at: offset of its EtherType. place: the port's and the VLAN's part of a key.
  Fate decide_arp(std::byte* frame, std::size_t at, std::uint64_t place) const {
    const std::uint64_t operation_and_sender = load64(frame + at + kOperation);
    if (operation_and_sender != (kRequest | load64(frame + kSource) << 16)) {
      return Fate::undecided();
    }
    const std::uint64_t to = load64(frame);
    if (!is_broadcast(to) && !is_for_us(to)) return Fate::undecided();
    if (!is_known(operation_and_sender >> 16)) return Fate::undecided();
    const ArpRequest request = read_arp(frame, at, place);
    if (addresses_.may_have(Addresses::hash(request.sender))) {
      return decide_doubtful(frame, at, place);
    }
    return decide(request, place);
  }

  /// What an ARP request asks. REQUIRES: its sender is the Ethernet source.
  static ArpRequest read_arp(std::byte* frame, std::size_t at, std::uint64_t place) {
    return {.frame = frame,
            .at = at,
            .asker = load64(frame + at + kOperation) >> 16,
            .sender = place | load32(frame + at + kSenderAddress),
            .target = place | load32(frame + at + kTargetAddress)};
  }

  /// What is left to decide over. Of its sender nobody wants to hear.
  Fate decide(const ArpRequest& request, std::uint64_t place) const {
    const Entry& entry = addresses_.find(request.target, Addresses::hash(request.target));
    if (entry.kind != EntryKind::shared) return entry ? Fate::undecided() : unknown_;
    if (entry.is_balanced()) return decide_balanced(request.frame, request.at, place, entry);
    return answer(request, entry.slot, Macs(entry));
  }

  /// As answer_arp() does with wire::turn_into_arp_reply(), eight bytes at a time.
  Fate answer(const ArpRequest& request, SlotIndex slot, const Macs& macs) const {
    if (!lease_.has_allowed(slot) && is_refused(slot)) return Fate::undecided();  // L1
    std::byte* const arp = request.frame + request.at;
    const auto target = static_cast<std::uint32_t>(request.target);
    store(request.frame, request.asker | macs.from << 48);
    store(request.frame + 8, static_cast<std::uint32_t>(macs.from >> 16));
    store(arp + kOperation, kReply | macs.told << 16);
    store(arp + kSenderAddress, target | request.asker << 32);
    store(arp + kTargetMac + 2, request.asker >> 16 | request.sender << 32);
    return Fate::answer(AnswerKind::arp, request.at + 2 + wire::kArpLength);
  }

  bool is_refused(SlotIndex slot) const;

  // Apart, and they read the request again, so that an ordinary one pays nothing for them.
  /// Its sender may be a unicast peer, or claim a shared address: classify() tells of it.
  Fate decide_doubtful(std::byte* frame, std::size_t at, std::uint64_t place) const;
  Fate decide_balanced(std::byte* frame, std::size_t at, std::uint64_t place,
                       const Entry& entry) const;
  Fate decide_tagged(std::span<std::byte> frame) const;
  /// Whose option is the Ethernet source.
  Fate decide_neighbor(std::span<std::byte> frame, std::size_t ethertype_at,
                       std::uint64_t place) const;
  /// Of a solicitation, from its EtherType.
  static Ipv6Key target_of(const std::byte* solicitation, std::uint64_t place);

  const BurstContext& burst_;
  WorkerLease& lease_;
  const Addresses::Reader addresses_;
  const Addresses6::Reader addresses6_;
  const SlotView* const slots_;
  const balance::Balancer* const balancers_;
  const std::uint64_t port_mac_;
  const std::uint64_t place_;  // the port's part of a key
  const Fate unknown_;         // what becomes of a request for an address that nobody here has
  const bool large_;
};

}  // namespace koi::dataplane
