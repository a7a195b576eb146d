#include "dataplane/quick_look.h"

#include "common/wire/carp.h"
#include "common/wire/checksum.h"
#include "common/wire/igmp.h"
#include "common/wire/ipv4.h"
#include "common/wire/ipv6.h"
#include "common/wire/udp.h"

namespace koi::dataplane {
namespace {

// As they lie in the frame.
constexpr std::uint32_t kVersion4 = 0x45;  // and a header of 20 bytes
constexpr std::uint32_t kVersion6 = 0x60;
constexpr std::uint64_t kAdvertisement = 0x0088;  // type, code 0
constexpr std::uint64_t kTargetOption = 0x0102;   // target link-layer address, length 1
constexpr std::uint64_t kFlags =
    std::uint64_t{wire::kNdRouter | wire::kNdSolicited | wire::kNdOverride} << 32;
constexpr std::uint64_t kPseudoHeader = 0x2000 + 0x3a00;  // length 32, ICMPv6

/// An Ipv6Address::is_host(), of two words.
bool is_host(std::uint64_t high, std::uint64_t low) {
  constexpr std::uint64_t kLoopback = std::uint64_t{1} << 56;
  const bool multicast = (high & 0xff) == 0xff;
  return !multicast && !(high == 0 && (low == 0 || low == kLoopback));
}

/// RFC 4291 §2.7.1: ff02::1:ff00:0/104 and the last 24 bits of the target.
constexpr std::uint64_t kSolicitedNode = 0x02ff;
std::uint64_t solicited_node_low(std::uint64_t target_low) {
  constexpr std::uint64_t kLow = 0xff'0100'0000;
  constexpr std::uint64_t kLast24 = ~std::uint64_t{0} << 40;
  return kLow | (target_low & kLast24);
}

std::uint64_t low32(std::uint64_t word) { return static_cast<std::uint32_t>(word); }

std::uint16_t vlan_of(std::span<const std::byte> tagged) {
  return wire::get_be16(tagged, wire::kEthernetLength) & 0x0fff;  // 802.1Q: the tag's low 12 bits
}

}  // namespace

QuickLook::QuickLook(const BurstContext& burst)
    : burst_(burst),
      lease_(burst.lease),
      askers_(burst.askers),
      addresses_(burst.topology().addresses.reader()),
      addresses6_(burst.topology().addresses6.reader()),
      slots_(burst.topology().slots.data()),
      replies_(burst.topology().replies.data()),
      balancers_(burst.topology().balancers.data()),
      port_mac_(burst.port_mac().word() << 16),
      asked_by_us_(asked_by(burst.port_mac().word())),
      place_(std::uint64_t{burst.port.value()} << 48),
      nobodys_(burst.port_view().host ? Usual::undecided : Usual::not_ours),
      tables_(!addresses_.is_large()                        ? Tables::near
              : addresses_.is_far() || addresses6_.is_far() ? Tables::far
                                                            : Tables::large) {}

inline Fate QuickLook::decide_arp(std::byte* frame, std::size_t at, std::uint64_t place) {
  const std::uint64_t source = load64(frame + kSource);
  if (load64(frame + at + kOperation) != asked_by(source)) return Fate::undecided();
  const std::uint64_t to = load64(frame);
  if (!is_broadcast(to) && !is_for_us(to)) return Fate::undecided();
  if (!is_known(source)) return Fate::undecided();
  if (addresses_.may_have(load32(frame + at + kSenderAddress))) {
    return decide_doubtful(frame, at, place);
  }
  const std::uint64_t target = place | load32(frame + at + kTargetAddress);
  return (target ^ place_) == answered_ ? answer(frame, at, reply_)
                                        : decide_other(frame, at, place);
}

template <std::size_t kAt>
Fate QuickLook::decide_at(std::span<std::byte> frame, std::uint64_t place) {
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
  if (kAt == kEtherType) return Fate::undecided();  // usual() has seen to all else
  const std::uint64_t to = load64(at);
  if ((to & kMulticast) != 0 || ethertype == kStackedVlan || !is_known(load64(at + kSource))) {
    return Fate::undecided();
  }
  return is_for_us(to) ? decide_packet(frame, kAt, place) : Fate::drop(DropReason::kNotOurMac);
}

Fate QuickLook::decide_unusual(Usual usual, std::span<std::byte> frame) {
  if (usual == Usual::packet) return decide_packet(frame, kEtherType, place_);
  if (usual == Usual::undecided) return Fate::undecided();
  return frame.size() < kLeast ? Fate::undecided() : decide_at<kEtherType>(frame, place_);
}

Fate QuickLook::decide_doubtful(std::byte* frame, std::size_t at, std::uint64_t place) {
  const std::uint64_t sender = place | load32(frame + at + kSenderAddress);
  const bool known{addresses_.find(sender, Addresses::hash(sender))};
  return known ? Fate::undecided() : decide_other(frame, at, place);
}

Fate QuickLook::decide_other(std::byte* frame, std::size_t at, std::uint64_t place) {
  const std::uint32_t address = load32(frame + at + kTargetAddress);
  const std::uint64_t target = place | address;
  const Entry& entry = addresses_.find(target, Addresses::hash(target));
  if (!entry && nobodys_ == Usual::not_ours) return Fate::drop(DropReason::kArpNotOurs);
  if (entry.kind != EntryKind::shared) return Fate::undecided();
  if (entry.is_balanced()) {
    balanced_ = target ^ place_;
    balanced_entry_ = &entry;
    return decide_asker(frame, at, entry);
  }
  if (!lease_.has_allowed(entry.slot)) return decide_first(frame, at, entry);
  return answer(frame, at, address, entry.slot);
}

template <std::size_t kAt>
QuickLook::Usual QuickLook::usual_other(std::byte* frame, std::uint64_t vlan) {
  const Fate fate = decide_other(frame, kAt, place_ | vlan);
  if (fate.kind() == Fate::Kind::answer) return kAnsweredAt<kAt>;
  return fate.kind() == Fate::Kind::drop ? Usual::not_ours : Usual::undecided;
}
template QuickLook::Usual QuickLook::usual_other<QuickLook::kEtherType>(std::byte*, std::uint64_t);

Fate QuickLook::decide_first(std::byte* frame, std::size_t at, const Entry& entry) const {
  if (lease_.judge(burst_.view, entry.slot)) return Fate::undecided();  // L1
  return answer(frame, at, load32(frame + at + kTargetAddress), entry.slot);
}

Fate QuickLook::decide_asker(std::byte* frame, std::size_t at, const Entry& entry) const {
  const std::uint64_t mac = load64(frame + kSource) & kMacMask;
  const std::uint32_t ip = load32(frame + at + kSenderAddress);
  const SlotIndex* known = askers_.find(entry.balancer, mac, ip);
  if (known == nullptr) {
    const unsigned member = balancers_[entry.balancer].member_for_arp(mac, ip);
    askers_.learn(entry.balancer, mac, ip,
                  SlotIndex(static_cast<std::uint16_t>(entry.slot.value() + member)));
    known = askers_.find(entry.balancer, mac, ip);
  }
  if (is_refused(*known)) return Fate::undecided();  // L1
  return answer(frame, at, load32(frame + at + kTargetAddress), *known);
}

QuickLook::Usual QuickLook::usual_tagged(std::span<std::byte> frame) {
  constexpr std::size_t kAt = kEtherType + wire::kVlanTagLength;
  if (load64(frame.data() + kAt) != kArpOfIpv4) return Usual::no;
  const std::uint64_t vlan = std::uint64_t{vlan_of(frame)} << 32;
  return compiled_for(
      tables_, [&]<Tables kTables> { return usual_request<kTables, kAt>(frame.data(), vlan); });
}

Fate QuickLook::decide_tagged(std::span<std::byte> frame) {
  return decide_at<kEtherType + wire::kVlanTagLength>(frame,
                                                      place_ | std::uint64_t{vlan_of(frame)} << 32);
}

inline Fate QuickLook::pass_by(std::span<std::byte> frame, SlotIndex slot) const {
  const SlotView& view = slots_[slot.value()];
  const bool meant = view.mac.word() == (load64(frame.data()) & kMacMask) && !view.by_packet;
  if (!meant || is_refused(slot)) return Fate::undecided();  // L1
  wire::put_mac(frame, 0, burst_.port_mac());
  return Fate::pass();
}

inline Fate QuickLook::pass_transit(std::span<std::byte> frame, std::size_t length,
                                    std::uint64_t place, DropReason otherwise) const {
  if (!burst_.port_view().host) return Fate::drop(otherwise);
  if (length > burst_.port_view().mtu) return Fate::undecided();
  const std::uint64_t to = load64(frame.data());
  if (!is_virtual(to)) return Fate::pass();  // the port's
  const std::optional<SlotIndex>& slot = burst_.topology().vhids.find(place | (to >> 40 & 0xff));
  return slot ? pass_by(frame, *slot) : Fate::undecided();
}

inline Fate QuickLook::pass_to_shared(std::span<std::byte> frame, std::size_t length,
                                      const Entry& entry) const {
  if (entry.kind != EntryKind::shared || !entry.on_host || length > burst_.port_view().mtu) {
    return Fate::undecided();
  }
  return pass_by(frame, entry.slot);
}

/// As parse_ipv4() has it: no options, no fragment, the length, the checksum. Of protocols, those
/// that no responder asks for.
inline bool QuickLook::is_ordinary4(std::span<const std::byte> packet) {
  if (packet.size() < wire::kIpv4Length) return false;
  const std::uint8_t protocol = wire::get_u8(packet, wire::kIpv4ProtocolAt);
  if (protocol == wire::kProtocolIcmp || protocol == wire::kProtocolIgmp ||
      protocol == wire::kCarpProtocol) {
    return false;
  }
  constexpr std::uint64_t kVersionAndFragment = 0xff3f'0000'0000'00ff;
  const std::uint64_t first = load64(packet.data());
  const std::uint64_t second = load64(packet.data() + 8);
  const std::uint32_t third = load32(packet.data() + 16);
  const std::size_t length = wire::get_be16(packet, 2);
  // RFC 1071: a sum of words of any width that is 0 modulo 0xffff, and not of zeros alone.
  const std::uint64_t sum = low32(first) + (first >> 32) + low32(second) + (second >> 32) + third;
  return (first & kVersionAndFragment) == kVersion4 && length >= wire::kIpv4Length &&
         length <= packet.size() && sum % 0xffff == 0;
}

/// As parse_ipv6() has it; of what may be behind the header only what has no say in it.
inline bool QuickLook::is_ordinary6(std::span<const std::byte> packet) {
  if (packet.size() < wire::kIpv6Length) return false;
  const std::uint8_t next = wire::get_u8(packet, wire::kIpv6NextAt);
  return (wire::get_u8(packet, 0) & 0xf0) == kVersion6 &&
         wire::get_be16(packet, 4) <= packet.size() - wire::kIpv6Length &&
         (next == wire::kProtocolTcp || next == wire::kProtocolUdp);
}

Fate QuickLook::decide_packet(std::span<std::byte> frame, std::size_t ethertype_at,
                              std::uint64_t place) const {
  const std::span<const std::byte> packet = frame.subspan(ethertype_at + 2);
  const std::uint16_t ethertype = wire::get_be16(frame, ethertype_at);
  if (ethertype == wire::kEtherIpv4 && is_ordinary4(packet)) {
    const std::uint64_t to = place | load32(packet.data() + wire::kIpv4DestinationAt);
    if (addresses_.may_have(to)) {
      const Entry& entry = addresses_.find(to, Addresses::hash(to));
      if (entry) return pass_to_shared(frame, packet.size(), entry);
    }
    return pass_transit(frame, packet.size(), place, DropReason::kIpv4NotOurs);
  }
  if (ethertype == wire::kEtherIpv6 && is_ordinary6(packet)) {
    const Ipv6Key to{.high = load64(packet.data() + wire::kIpv6DestinationAt),
                     .low = load64(packet.data() + wire::kIpv6DestinationAt + 8),
                     .place = static_cast<std::uint32_t>(place >> 32)};
    if (addresses6_.may_have(to) && addresses6_.find(to, Addresses6::hash(to))) {
      return Fate::undecided();
    }
    return pass_transit(frame, packet.size(), place, DropReason::kIpv6NotOurs);
  }
  return Fate::undecided();
}

void QuickLook::fetch_other(std::span<const std::byte> frame) const {
  std::size_t ethertype_at = kEtherType;
  std::uint64_t place = place_;
  std::uint64_t kind = load64(frame.data() + kEtherType);
  if (static_cast<std::uint16_t>(kind) == kVlan) {
    ethertype_at += wire::kVlanTagLength;
    place |= std::uint64_t{vlan_of(frame)} << 32;
    kind = load64(frame.data() + ethertype_at);
  }
  const std::byte* const at = frame.data() + ethertype_at;
  if (kind == kArpOfIpv4) {
    fetch_arp(at, place);
  } else if ((kind & kNeighborMask) == kNeighbor && frame.size() >= ethertype_at + kNeighborEnd) {
    addresses6_.fetch(Addresses6::hash(target_of(at, place)));
  }
}

inline Ipv6Key QuickLook::target_of(const std::byte* solicitation, std::uint64_t place) {
  return {.high = load64(solicitation + kTarget),
          .low = load64(solicitation + kTarget + 8),
          .place = static_cast<std::uint32_t>(place >> 32)};
}

void QuickLook::ask_for(const Ipv6Key& target) {
  const Entry& entry = addresses6_.find(target, Addresses6::hash(target));
  asked6_.target = target;
  asked6_.shared = entry.kind == EntryKind::shared && !entry.is_balanced();
  if (!asked6_.shared) return;
  // Of the MACs there the low 48 bits of a word, with zeros behind them.
  const wire::ArpReplyParts& parts = replies_[entry.slot.value()];
  asked6_.slot = entry.slot;
  asked6_.group_low = solicited_node_low(target.low);
  asked6_.from = load64(parts.start.data() + sizeof(MacAddress));
  asked6_.option = kTargetOption | load64(parts.arp.data() + sizeof(MacAddress)) << 16;
  wire::ChecksumSum sum;
  sum.add_native(target.high);
  sum.add_native(target.low);
  sum.add_native(kPseudoHeader);
  asked6_.question = sum;
  sum.add_native(target.high);
  sum.add_native(target.low);
  sum.add_native(kAdvertisement | kFlags);
  sum.add_native(asked6_.option);
  asked6_.answer = sum;
}

Fate QuickLook::decide_neighbor(std::span<std::byte> frame, std::size_t ethertype_at,
                                std::uint64_t place) {
  if (frame.size() < ethertype_at + kNeighborEnd) return Fate::undecided();
  std::byte* const at = frame.data() + ethertype_at;
  const std::uint64_t asked_option = load64(at + kOption);
  if (load16(at + kIcmp6) != kSolicitation ||
      asked_option != (kSourceOption | load64(frame.data() + kSource) << 16)) {
    return Fate::undecided();
  }
  const std::uint64_t to = load64(frame.data());
  if ((to & kMulticast) == 0 && !is_for_us(to)) return Fate::undecided();
  if (!is_known(load64(frame.data() + kSource))) return Fate::undecided();
  const Ipv6Key target = target_of(at, place);
  if (target != asked6_.target) ask_for(target);
  if (!asked6_.shared) return Fate::undecided();

  const std::uint64_t source = load64(at + kIp6Source);
  const std::uint64_t source_low = load64(at + kIp6Source + 8);
  const std::uint64_t destination = load64(at + kIp6Destination);
  const std::uint64_t destination_low = load64(at + kIp6Destination + 8);
  // Who asks for its own address says where it is; who has none yet detects a duplicate.
  const bool own = source == target.high && source_low == target.low;
  const bool to_group = destination == kSolicitedNode && destination_low == asked6_.group_low;
  const bool to_target = destination == target.high && destination_low == target.low;
  if (own || !is_host(source, source_low) || !(to_group || to_target)) return Fate::undecided();
  wire::ChecksumSum asker;  // in the question and in the answer
  asker.add_native(source);
  asker.add_native(source_low);
  wire::ChecksumSum question = asked6_.question;
  question.add(asker);
  question.add_native(destination);
  question.add_native(destination_low);
  question.add_native(load64(at + kIcmp6));
  question.add_native(asked_option);
  if (question.folded() != 0xffff) return Fate::undecided();
  if (is_refused(asked6_.slot)) return Fate::undecided();  // L1

  // As answer_solicitation() does: the target stays where it is and becomes the source.
  wire::ChecksumSum answer = asked6_.answer;
  answer.add(asker);
  const std::uint16_t checksum = __builtin_bswap16(answer.checksum());
  store(frame.data(), asked_option >> 16 | asked6_.from << 48);
  store(frame.data() + 8, static_cast<std::uint32_t>(asked6_.from >> 16));
  store(at + 2, kVersion6);
  store(at + kIp6Destination, load128(at + kIp6Source));
  store(at + kIp6Source, load128(at + kTarget));
  store(at + kIcmp6, kAdvertisement | std::uint64_t{checksum} << 16 | kFlags);
  store(at + kOption, asked6_.option);
  return Fate::answer(AnswerKind::nd, ethertype_at + kNeighborEnd);
}

}  // namespace koi::dataplane
