#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <smmintrin.h>
#include <span>

#include "common/contract/view.h"
#include "common/wire/arp.h"
#include "common/wire/ethernet.h"
#include "common/wire/nd.h"
#include "dataplane/frame.h"

namespace koi::dataplane {

/// Decides what nearly all frames of a burst are, by a few wide loads: an ARP request as every
/// client sends it, for a shared address that this box answers for or for one that nobody here has;
/// a Neighbor Solicitation with the sender's link-layer address, for such a shared address; a
/// packet on its way through this box; and a frame for another station's MAC. All else is
/// classify()'s, and that is the rule: whatever is decided here, it would decide in the same way
/// (the frame fuzzer compares them).
///
/// Made for one burst, for it keeps what it reads of the view at hand. Workers; allocates nothing.
class QuickLook {
 public:
  explicit QuickLook(const BurstContext& burst);

  /// The tables are too large for a core's first cache: fetch() is worth it.
  bool looks_ahead() const { return large_; }
  /// Brings what decide() will read of them for this frame from memory. A few frames ahead.
  void fetch(std::span<const std::byte> frame) const {
    if (frame.size() < kLeast) return;
    if (load64(frame.data() + kEtherType) == kArpOfIpv4) {
      return fetch_arp(frame.data() + kEtherType, place_);
    }
    fetch_other(frame);
  }

  /// A request or solicitation becomes its answer where the lease allows it (L1). undecided:
  /// classify() is to decide, and the frame is as it was; forget() then.
  Fate decide(std::span<std::byte> frame) {
    return frame.size() < kLeast ? Fate::undecided() : decide_at<kEtherType>(frame, place_);
  }

  /// What the lease allowed may be over: a frame may have been a claim.
  void forget() { answered_ = kNoKey; }

  const BurstContext& burst() const { return burst_; }

 private:
  using Addresses = Topology::Addresses;
  using Addresses6 = Topology::Addresses6;

  // What lies in the frame, as words of the machine.
  static_assert(std::endian::native == std::endian::little);
  static constexpr std::size_t kSource = 6;
  static constexpr std::size_t kEtherType = 12;
  // Offsets from the EtherType: in an ARP request,
  static constexpr std::size_t kProtocolType = 4;
  static constexpr std::size_t kOperation = 8;
  static constexpr std::size_t kSenderAddress = 16;
  static constexpr std::size_t kTargetAddress = 26;
  // and in a solicitation, with its length.
  static constexpr std::size_t kIp6Next = 8;
  static constexpr std::size_t kIp6Source = 10;
  static constexpr std::size_t kIp6Destination = 26;
  static constexpr std::size_t kIcmp6 = 42;
  static constexpr std::size_t kTarget = 50;
  static constexpr std::size_t kOption = 66;
  static constexpr std::size_t kNeighborEnd = 74;

  static constexpr std::uint64_t kAllOnes = ~std::uint64_t{0};
  static constexpr std::uint64_t kNoKey = kAllOnes;  // no port has such a number
  static constexpr std::uint64_t kMacMask = 0xffff'ffff'ffff;
  static constexpr std::uint64_t kMulticast = 1;
  static constexpr std::uint64_t kVirtualPrefix = 0x01'005e'0000;     // 00:00:5e:00:01
  static constexpr std::uint64_t kArpOfIpv4 = 0x0406'0008'0100'0608;  // to the lengths of addresses
  static constexpr std::uint64_t kRequest = 0x0100;
  /// EtherType IPv6, version 6, and the length of a solicitation with one option.
  static constexpr std::uint64_t kNeighbor = 0x2000'0000'0060'dd86;
  static constexpr std::uint64_t kNeighborMask = 0xffff'0000'00f0'ffff;
  static constexpr std::uint16_t kIcmp6HopLimit = 0xff3a;  // ICMPv6, hop limit 255
  static constexpr std::uint16_t kSolicitation = 0x0087;   // type, code 0
  static constexpr std::uint64_t kSourceOption = 0x0101;   // source link-layer address, length 1
  static constexpr std::uint16_t kIpv6 = 0xdd86;
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
  static __m128i load128(const void* from) {
    return _mm_loadu_si128(static_cast<const __m128i*>(from));
  }
  /// For a shuffle, where each byte comes from, 0xff for none; for a mask, what stays.
  static __m128i bytes(std::uint64_t low, std::uint64_t high) {
    return _mm_set_epi64x(static_cast<long long>(high), static_cast<long long>(low));
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
  /// What all ARP replies for one address have in common, as it lies in the frame.
  struct Reply {
    __m128i first;  // of the frame's first twelve bytes the last six: where it is from
    __m128i arp;    // from the protocol's type to the sender's address
    __m128i end;    // the last six of these
  };

  // Of a word whose low 48 bits are a MAC: shifts drop the rest, and cost less than masks.
  static bool is_broadcast(std::uint64_t word) { return word << 16 == ~std::uint64_t{0} << 16; }
  static bool is_virtual(std::uint64_t word) { return word << 24 == kVirtualPrefix << 24; }
  bool is_for_us(std::uint64_t word) const { return word << 16 == port_mac_ || is_virtual(word); }

  /// A source that needs no second look: a station's, and none of our own. Virtual MACs, and none
  /// at all, begin with two zeros, and hardly any station's does. Its low 48 bits are the MAC.
  bool is_known(std::uint64_t word) const {
    return (word & kMulticast) == 0 && static_cast<std::uint16_t>(word) != 0 &&
           word << 16 != port_mac_;
  }

  /// kAt: offset of the EtherType. place: the port's and the VLAN's part of a key.
  template <std::size_t kAt>
  Fate decide_at(std::span<std::byte> frame, std::uint64_t place) {
    std::byte* const at = frame.data();
    const std::uint64_t kind = load64(at + kAt);
    if (kind == kArpOfIpv4) return decide_arp(at, kAt, place);
    const auto ethertype = static_cast<std::uint16_t>(kind);
    if (ethertype == kVlan) {
      return kAt == kEtherType ? decide_tagged(frame) : Fate::undecided();
    }
    // The EtherType is in the mask, too; asked for first, it spares IPv4 the rest.
    if (ethertype == kIpv6 && (kind & kNeighborMask) == kNeighbor &&
        load16(at + kAt + kIp6Next) == kIcmp6HopLimit) {
      return decide_neighbor(frame, kAt, place);
    }
    const std::uint64_t to = load64(at);
    if ((to & kMulticast) != 0 || ethertype == kStackedVlan || !is_known(load64(at + kSource))) {
      return Fate::undecided();
    }
    return is_for_us(to) ? decide_packet(frame, kAt, place) : Fate::drop(DropReason::kNotOurMac);
  }

  /// An ARP request whose sender is the Ethernet source, as it is everywhere but behind a proxy.
  Fate decide_arp(std::byte* frame, std::size_t at, std::uint64_t place) {
    const std::uint64_t operation_and_sender = load64(frame + at + kOperation);
    if (operation_and_sender != (kRequest | load64(frame + kSource) << 16)) {
      return Fate::undecided();
    }
    const std::uint64_t to = load64(frame);
    if (!is_broadcast(to) && !is_for_us(to)) return Fate::undecided();
    if (!is_known(load64(frame + kSource))) return Fate::undecided();
    if (addresses_.may_have(place | load32(frame + at + kSenderAddress))) {
      return decide_doubtful(frame, at, place);
    }
    const std::uint64_t target = place | load32(frame + at + kTargetAddress);
    return target == answered_ ? answer(frame, at, reply_) : decide_other(frame, at, place);
  }

  /// target: the address as it lies in the frame. says: the entry or slot that has it.
  template <class Says>
  static Reply reply_of(std::uint32_t target, const Says& says) {
    static_assert(offsetof(Says, sends_from) == offsetof(Says, told) + sizeof says.told);
    static_assert(offsetof(Says, told) + sizeof(__m128i) <= sizeof says);
    constexpr std::uint64_t kReplyOverIpv4 = 0x0200'0406'0008;
    const __m128i macs = load128(says.told.bytes.data());
    const __m128i told =
        _mm_shuffle_epi8(macs, bytes(0x0100'ffff'ffff'ffff, 0xffff'ffff'0504'0302));
    const __m128i arp = _mm_or_si128(told, bytes(kReplyOverIpv4, std::uint64_t{target} << 32));
    return {.first = _mm_shuffle_epi8(macs, bytes(0x0706'ffff'ffff'ffff, 0xffff'ffff'0b0a'0908)),
            .arp = arp,
            .end = _mm_srli_si128(arp, 10)};
  }

  /// As answer_arp() does with wire::turn_into_arp_reply(), sixteen bytes at a time.
  static Fate answer(std::byte* frame, std::size_t at, const Reply& reply) {
    std::byte* const arp = frame + at + kProtocolType;
    const __m128i asked = load128(arp);  // to the sender's MAC and address, the last ten bytes
    const __m128i asker = _mm_shuffle_epi8(asked, bytes(0xffff'0b0a'0908'0706, kAllOnes));
    const __m128i sender = _mm_and_si128(asked, bytes(~kMacMask, kAllOnes));
    const __m128i first = _mm_or_si128(asker, reply.first);
    store(frame, _mm_cvtsi128_si64(first));
    store(frame + 8, _mm_extract_epi32(first, 2));
    store(arp, reply.arp);
    store(arp + 10, _mm_or_si128(sender, reply.end));
    return Fate::answer(AnswerKind::arp, at + 2 + wire::kArpLength);
  }

  void fetch_arp(const std::byte* at, std::uint64_t place) const {
    addresses_.fetch(Addresses::hash(place | load32(at + kTargetAddress)));
  }
  void fetch_other(std::span<const std::byte> frame) const;

  // Apart, and they read the request again, so that an ordinary one pays nothing for them.
  /// Its sender may be a unicast peer, or claim a shared address: classify() tells of it.
  Fate decide_doubtful(std::byte* frame, std::size_t at, std::uint64_t place);
  /// Not for the address that was asked for before. Of its sender nobody wants to hear. A call
  /// would cost a fifth of all that the worker does for the frame.
  [[gnu::always_inline]] Fate decide_other(std::byte* frame, std::size_t at, std::uint64_t place) {
    const std::uint64_t target = place | load32(frame + at + kTargetAddress);
    const Entry& entry = addresses_.find(target, Addresses::hash(target));
    if (entry.kind != EntryKind::shared) return entry ? Fate::undecided() : unknown_;
    if (entry.is_balanced()) return decide_balanced(frame, at, entry);
    if (!lease_.has_allowed(entry.slot)) return decide_first(frame, at, target, entry);
    return answer_of(frame, at, target, entry);
  }
  /// The first one for its slot since the lease was judged.
  Fate decide_first(std::byte* frame, std::size_t at, std::uint64_t target, const Entry& entry);
  Fate answer_of(std::byte* frame, std::size_t at, std::uint64_t target, const Entry& entry) {
    const Reply reply = reply_of(static_cast<std::uint32_t>(target), entry);
    if (target == asked_) {
      reply_.first = reply.first;  // one by one, for the compiler's copy of the whole is slow
      reply_.arp = reply.arp;
      reply_.end = reply.end;
      answered_ = target;
    }
    asked_ = target;
    return answer(frame, at, reply);
  }
  Fate decide_balanced(std::byte* frame, std::size_t at, const Entry& entry) const {
    const unsigned member =
        askers_.find(entry.balancer, load64(frame + kSource), load32(frame + at + kSenderAddress));
    const SlotIndex slot = slot_of(entry, member);
    if (member == AskerMemory::kNobody || !lease_.has_allowed(slot)) {
      return decide_asker(frame, at, entry, member);
    }
    return answer(frame, at, reply_of(load32(frame + at + kTargetAddress), slots_[slot.value()]));
  }
  /// Who has not asked for long, or is the first one for its slot since the lease was judged.
  /// member: its own, or kNobody.
  Fate decide_asker(std::byte* frame, std::size_t at, const Entry& entry, unsigned member) const;
  static SlotIndex slot_of(const Entry& entry, unsigned member) {
    return SlotIndex(static_cast<std::uint16_t>(entry.slot.value() + member));
  }
  bool is_refused(SlotIndex slot) const;
  Fate decide_tagged(std::span<std::byte> frame);
  /// Whose option is the Ethernet source.
  Fate decide_neighbor(std::span<std::byte> frame, std::size_t ethertype_at,
                       std::uint64_t place) const;
  /// IP to the port's MAC or to a virtual one. length: from the IP header to the frame's end.
  Fate decide_packet(std::span<std::byte> frame, std::size_t ethertype_at,
                     std::uint64_t place) const;
  static bool is_ordinary4(std::span<const std::byte> packet);
  static bool is_ordinary6(std::span<const std::byte> packet);
  /// As to_host(). Nobody here has its destination. otherwise: why it is dropped without a host.
  Fate pass_transit(std::span<std::byte> frame, std::size_t length, std::uint64_t place,
                    DropReason otherwise) const;
  /// To a shared address, which the host may have: answers to what it sent from there.
  Fate pass_to_shared(std::span<std::byte> frame, std::size_t length, const Entry& entry) const;
  /// Sent to the virtual MAC of this slot, which the lease allows.
  Fate pass_by(std::span<std::byte> frame, SlotIndex slot) const;
  /// Of a solicitation, from its EtherType.
  static Ipv6Key target_of(const std::byte* solicitation, std::uint64_t place);

  const BurstContext& burst_;
  WorkerLease& lease_;
  AskerMemory& askers_;
  const Addresses::Reader addresses_;
  const Addresses6::Reader addresses6_;
  const SlotView* const slots_;
  const balance::Balancer* const balancers_;
  const std::uint64_t port_mac_;  // in the high 48 bits
  const std::uint64_t place_;     // the port's part of a key
  const Fate unknown_;            // what becomes of a request for an address that nobody here has
  const bool large_;
  std::uint64_t asked_ = kNoKey;  // the last address that was answered for by a look-up
  // The last reply for one that was asked for twice in a row, while the lease allows it: most
  // clients ask for the same one, their gateway.
  Reply reply_;
  std::uint64_t answered_ = kNoKey;  // the address's key
};

}  // namespace koi::dataplane
