#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <new>
#include <smmintrin.h>
#include <span>

#include "common/contract/view.h"
#include "common/wire/arp.h"
#include "common/wire/checksum.h"
#include "common/wire/ethernet.h"
#include "common/wire/ipv6.h"
#include "common/wire/nd.h"
#include "dataplane/frame.h"
#include "dataplane/words.h"

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

  /// Where the tables of addresses are, which says how to look them up.
  enum class Tables : std::uint8_t {
    near,   // that of IPv4 in a core's first cache; nothing is fetched for IPv6 either, then
    large,  // it is not, but both are in the second one, which needs no help of ours
    far     // one is too large for that: fetch() is worth it
  };
  Tables tables() const { return tables_; }
  /// Calls of function, a template, what is compiled for these.
  template <class Function>
  static auto compiled_for(Tables tables, Function function) {
    switch (tables) {
      case Tables::near:
        return function.template operator()<Tables::near>();
      case Tables::large:
        return function.template operator()<Tables::large>();
      case Tables::far:
        break;
    }
    return function.template operator()<Tables::far>();
  }
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
    return compiled_for(tables_, [&]<Tables kTables> { return decide<kTables>(frame); });
  }
  /// kTables: tables(), for who looks at a burst.
  template <Tables kTables>
  Fate decide(std::span<std::byte> frame) {
    const Usual said = usual<kTables>(frame);
    switch (said) {
      case Usual::answered:
        return kAnswered;
      case Usual::answered_tagged:
        return kAnsweredTagged;
      case Usual::answered_neighbor:
        return kAnsweredNeighbor;
      case Usual::not_ours:
        return Fate::drop(DropReason::kArpNotOurs);
      case Usual::not_our_mac:
        return Fate::drop(DropReason::kNotOurMac);
      default:
        return decide_unusual(said, frame);
    }
  }

  // The same in two steps, for a loop that has ways of their own for what usual() says of nearly
  // all frames.
  enum class Usual : std::uint8_t {
    no,                 // decide_unusual()
    packet,             // the same, it is IP to us
    undecided,          // the same, it is classify()'s
    answered,           // kAnswered: an untagged request by broadcast
    answered_tagged,    // kAnsweredTagged
    answered_neighbor,  // kAnsweredNeighbor: an untagged solicitation by multicast
    not_ours,           // a drop, kArpNotOurs: a request by broadcast
    not_our_mac,        // a drop, kNotOurMac: untagged, to another station
  };
  static constexpr Fate kAnswered =
      Fate::answer(AnswerKind::arp, wire::kEthernetLength + wire::kArpLength);
  static constexpr Fate kAnsweredTagged = Fate::answer(
      AnswerKind::arp, wire::kEthernetLength + wire::kVlanTagLength + wire::kArpLength);
  static constexpr Fate kAnsweredNeighbor = Fate::answer(
      AnswerKind::nd, wire::kEthernetLength + wire::kIpv6Length + wire::kNeighborAnswerLength);
  template <Tables kTables>
  Usual usual(std::span<std::byte> frame) {
    if (frame.size() < kLeast) return Usual::no;
    std::byte* const at = frame.data();
    if (load32(at) != UINT32_MAX || load16(at + 4) != UINT16_MAX) [[unlikely]] {
      return usual_to_some(frame);
    }
    if (load64(at + kEtherType) == kArpOfIpv4) [[likely]] {
      return usual_request<kTables, kEtherType>(at, 0);
    }
    return load16(at + kEtherType) == kVlan ? usual_tagged(frame) : Usual::no;
  }
  /// usual: what usual() said, one of the first three.
  Fate decide_unusual(Usual usual, std::span<std::byte> frame);

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

  static constexpr std::uint64_t kNoKey = ~std::uint64_t{0};  // no port has such a number
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
  static constexpr std::uint16_t kIpv4 = 0x0008;
  static constexpr std::uint16_t kIpv6 = 0xdd86;
  static constexpr std::uint16_t kVlan = 0x0081;
  static constexpr std::uint16_t kStackedVlan = 0xa888;
  /// A tagged request, and what answer() writes behind it. Ethernet fills frames up to 60 bytes;
  /// what comes shorter, from a virtual NIC, is classify()'s.
  static constexpr std::size_t kLeast =
      wire::kEthernetLength + wire::kVlanTagLength + wire::kArpLength + 6;
  static_assert(kLeast >= kEtherType + wire::kVlanTagLength + kProtocolType + 2 * sizeof(__m128i));

  /// wire::ArpReplyParts, as the processor has it.
  struct Reply {
    __m128i start;
    __m128i arp;
  };

  // Of a word whose low 48 bits are a MAC: shifts drop the rest, and cost less than masks.
  static bool is_broadcast(std::uint64_t word) { return word << 16 == ~std::uint64_t{0} << 16; }
  static bool is_virtual(std::uint64_t word) { return word << 24 == kVirtualPrefix << 24; }
  bool is_for_us(std::uint64_t word) const { return word << 16 == port_mac_ || is_virtual(word); }

  /// A source that needs no second look: a station's, and none of our own. Virtual MACs, and none
  /// at all, begin with two zeros, and hardly any station's does. Its low 48 bits are the MAC.
  bool is_known(std::uint64_t word) const { return is_station(word) && word << 16 != port_mac_; }
  static bool is_station(std::uint64_t word) {
    // The multicast bit becomes the sign: one question for it and for the zeros.
    const auto first_two =
        static_cast<std::int16_t>(std::rotr(static_cast<std::uint16_t>(word), 1));
    return first_two > 0;
  }

  /// A request by broadcast. kAt: offset of the EtherType. vlan: its part of a key.
  template <Tables kTables, std::size_t kAt>
  Usual usual_request(std::byte* frame, std::uint64_t vlan) {
    const std::uint64_t source = load64(frame + kSource);
    if (load64(frame + kAt + kOperation) != asked_by(source) || !is_station(source) ||
        asked_by(source) == asked_by_us_) {
      return Usual::no;
    }
    const std::uint32_t sender = load32(frame + kAt + kSenderAddress);
    if (may_have<kTables>(sender)) return Usual::no;
    if (kTables == Tables::near) {
      if ((vlan | load32(frame + kAt + kTargetAddress)) == answered_) [[likely]] {
        answer(frame, kAt, reply_);
        return kAnsweredAt<kAt>;
      }
      // Laundered, so that the compiler reads it again: what it keeps for what follows, it saves
      // for every frame.
      frame = std::launder(frame);
    }
    const std::uint32_t address = load32(frame + kAt + kTargetAddress);
    const std::uint64_t asked = vlan | address;
    if (kTables == Tables::near) {
      if (asked == balanced_) return usual_balanced<kAt>(frame, vlan);
      if (!addresses_.small_may_have(address)) return nobodys_;
    }
    const std::uint64_t target = place_ | asked;
    const Entry* const entry = addresses_.find_first(target, Addresses::hash(target));
    if (entry != nullptr) [[likely]] {
      if (entry->is_shared_by_all() && lease_.has_allowed(entry->slot)) [[likely]] {
        if (kTables == Tables::near) remember(asked, entry->slot);
        answer(frame, kAt, address, entry->slot);
        return kAnsweredAt<kAt>;
      }
      if (!*entry) return nobodys_;
    }
    return usual_other<kAt>(frame, vlan);
  }
  /// For balanced_. Its askers come again.
  template <std::size_t kAt>
  [[gnu::always_inline]] Usual usual_balanced(std::byte* frame, std::uint64_t vlan) {
    const SlotIndex* const slot = askers_.find(balanced_entry_->balancer, load64(frame + kSource),
                                               load32(frame + kAt + kSenderAddress));
    if (slot == nullptr || !lease_.has_allowed(*slot)) [[unlikely]] {
      return usual_other<kAt>(frame, vlan);
    }
    answer(frame, kAt, load32(frame + kAt + kTargetAddress), *slot);
    return kAnsweredAt<kAt>;
  }
  /// The reply for one that is asked for twice in a row is kept.
  void remember(std::uint64_t asked, SlotIndex slot) {
    if (asked != asked_) {
      asked_ = asked;
      return;
    }
    reply_ = reply_of(slot);
    reply_.arp = _mm_or_si128(reply_.arp, two_words(0, asked << 32));
    answered_ = asked;
  }
  /// The same, whatever it is; apart, for there it needs registers of its own.
  template <std::size_t kAt>
  Usual usual_other(std::byte* frame, std::uint64_t vlan);
  template <std::size_t kAt>
  static constexpr Usual kAnsweredAt = kAt == kEtherType ? Usual::answered : Usual::answered_tagged;
  /// Of what is absent nearly always.
  template <Tables kTables>
  bool may_have(std::uint32_t sender) const {
    return kTables == Tables::near ? addresses_.small_may_have(sender)
                                   : addresses_.large_may_have(sender);
  }
  Usual usual_tagged(std::span<std::byte> frame);
  /// Not by broadcast.
  [[gnu::always_inline]] Usual usual_to_some(std::span<std::byte> frame) {
    const std::byte* const at = frame.data();
    const std::uint64_t to = load64(at);
    if ((to & kMulticast) != 0) return usual_multicast(frame);
    if (!is_known(load64(at + kSource))) return Usual::no;
    const std::uint16_t ethertype = load16(at + kEtherType);
    if (!is_for_us(to)) {
      return ethertype == kVlan || ethertype == kStackedVlan ? Usual::no : Usual::not_our_mac;
    }
    const bool packet =
        ethertype == kIpv4 ||
        (ethertype == kIpv6 && load16(at + kEtherType + kIp6Next) != kIcmp6HopLimit);
    return packet ? Usual::packet : Usual::no;
  }
  Usual usual_multicast(std::span<std::byte> frame) {
    const std::byte* const at = frame.data() + kEtherType;
    const bool neighbor =
        (load64(at) & kNeighborMask) == kNeighbor && load16(at + kIp6Next) == kIcmp6HopLimit;
    if (!neighbor) return Usual::no;
    const Fate fate = decide_neighbor(frame, kEtherType, place_);
    return fate.kind() == Fate::Kind::answer ? Usual::answered_neighbor : Usual::undecided;
  }

  // What is not usual: not part of a worker's loop, so not in here.
  /// kAt: offset of the EtherType. place: the port's and the VLAN's part of a key.
  template <std::size_t kAt>
  Fate decide_at(std::span<std::byte> frame, std::uint64_t place);
  /// An ARP request whose sender is the Ethernet source, as it is everywhere but behind a proxy.
  Fate decide_arp(std::byte* frame, std::size_t at, std::uint64_t place);

  /// A request's operation and sender, if the Ethernet source, as it lies in the frame, is the one.
  static std::uint64_t asked_by(std::uint64_t source) { return kRequest | source << 16; }

  Reply reply_of(SlotIndex slot) const {
    const wire::ArpReplyParts& parts = replies_[slot.value()];
    return {.start = load_aligned(parts.start.data()), .arp = load_aligned(parts.arp.data())};
  }

  /// As answer_arp() does with wire::turn_into_arp_reply(), sixteen bytes at a time. What it writes
  /// beyond the answer's end is within kLeast.
  static Fate answer(std::byte* frame, std::size_t at, Reply reply) {
    const __m128i ethernet = load128(frame);
    const __m128i asker = load128(frame + at + kOperation + 2);  // its MAC and address, ten bytes
    const __m128i to_asker =
        _mm_shuffle_epi8(ethernet, two_words(0xffff'0b0a'0908'0706, 0x0f0e'0d0c'ffff'ffff));
    store(frame, _mm_or_si128(to_asker, reply.start));
    store(frame + at + kProtocolType, reply.arp);
    store(frame + at + kProtocolType + sizeof reply.arp, asker);
    return Fate::answer(AnswerKind::arp, at + 2 + wire::kArpLength);
  }

  /// The same, of the address that it asks for, which this slot has.
  Fate answer(std::byte* frame, std::size_t at, std::uint32_t target, SlotIndex slot) const {
    const Fate fate = answer(frame, at, reply_of(slot));
    store(frame + at + kSenderAddress, target);
    return fate;
  }

  void fetch_arp(const std::byte* at, std::uint64_t place) const {
    addresses_.fetch(Addresses::hash(place | load32(at + kTargetAddress)));
  }
  void fetch_other(std::span<const std::byte> frame) const;

  // Apart, and they read the request again, so that an ordinary one pays nothing for them.
  /// Its sender may be a unicast peer, or claim a shared address: classify() tells of it.
  Fate decide_doubtful(std::byte* frame, std::size_t at, std::uint64_t place);
  /// Of its sender nobody wants to hear.
  Fate decide_other(std::byte* frame, std::size_t at, std::uint64_t place);
  /// The first one for its slot since the lease was judged.
  Fate decide_first(std::byte* frame, std::size_t at, const Entry& entry) const;
  /// A balanced one's, who may not have asked for long.
  Fate decide_asker(std::byte* frame, std::size_t at, const Entry& entry) const;
  bool is_refused(SlotIndex slot) const { return lease_.refusal(burst_.view, slot).has_value(); }
  Fate decide_tagged(std::span<std::byte> frame);
  /// Whose option is the Ethernet source.
  Fate decide_neighbor(std::span<std::byte> frame, std::size_t ethertype_at, std::uint64_t place);
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
  void ask_for(const Ipv6Key& target);
  /// Of a solicitation, from its EtherType.
  static Ipv6Key target_of(const std::byte* solicitation, std::uint64_t place);

  const BurstContext& burst_;
  WorkerLease& lease_;
  AskerMemory& askers_;
  const Addresses::Reader addresses_;
  const Addresses6::Reader addresses6_;
  const SlotView* const slots_;
  const wire::ArpReplyParts* const replies_;
  const balance::Balancer* const balancers_;
  const std::uint64_t port_mac_;     // in the high 48 bits
  const std::uint64_t asked_by_us_;  // asked_by() of the port's MAC
  const std::uint64_t place_;        // the port's part of a key
  const Usual nobodys_;  // what becomes of a request for an address that nobody here has
  const Tables tables_;
  // Keys ^ place_, which of an untagged one is the address alone.
  std::uint64_t asked_ = kNoKey;     // answered last, out of the table
  std::uint64_t balanced_ = kNoKey;  // a balanced one that was asked for
  const Entry* balanced_entry_ = nullptr;
  /// The target that was solicited last, and what all answers for it have in common.
  struct Asked6 {
    Ipv6Key target;
    bool shared = false;  // and not balanced; if not, there is no more
    SlotIndex slot;
    std::uint64_t group_low;     // of its solicited-node address
    std::uint64_t from;          // the low 48 bits: the MAC that answers are from
    std::uint64_t option;        // target link-layer address
    wire::ChecksumSum question;  // of a solicitation what is the same in all
    wire::ChecksumSum answer;    // all but the asker's address
  };
  Asked6 asked6_;
  // The last reply for one that was asked for twice in a row, while the lease allows it: most
  // clients ask for the same one, their gateway.
  Reply reply_;
  std::uint64_t answered_ = kNoKey;  // its key ^ place_
};

}  // namespace koi::dataplane
