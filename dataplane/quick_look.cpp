#include "dataplane/quick_look.h"

#include "common/wire/checksum.h"

namespace koi::dataplane {
namespace {

// As they lie in the frame.
constexpr std::uint64_t kReply = 0x0200;
constexpr std::uint32_t kVersion6 = 0x60;
constexpr std::uint64_t kAdvertisement = 0x0088;  // type, code 0
constexpr std::uint64_t kTargetOption = 0x0102;   // target link-layer address, length 1
constexpr std::uint64_t kFlags =
    std::uint64_t{wire::kNdRouter | wire::kNdSolicited | wire::kNdOverride} << 32;
constexpr std::uint64_t kPseudoHeader = 0x2000 + 0x3a00;  // length 32, ICMPv6

std::uint64_t word_at(const std::byte* frame, std::size_t at) {
  std::uint64_t word;
  std::memcpy(&word, frame + at, sizeof word);
  return word;
}

/// An Ipv6Address::is_host(), of two words.
bool is_host(std::uint64_t high, std::uint64_t low) {
  constexpr std::uint64_t kLoopback = std::uint64_t{1} << 56;
  const bool multicast = (high & 0xff) == 0xff;
  return !multicast && !(high == 0 && (low == 0 || low == kLoopback));
}

/// RFC 4291 §2.7.1: ff02::1:ff00:0/104 and the last 24 bits of the target.
bool is_solicited_node(std::uint64_t high, std::uint64_t low, std::uint64_t target_low) {
  constexpr std::uint64_t kHigh = 0x02ff;
  constexpr std::uint64_t kLow = 0xff'0100'0000;
  constexpr std::uint64_t kLast24 = ~std::uint64_t{0} << 40;
  return high == kHigh && low == (kLow | (target_low & kLast24));
}

template <class Word>
void store(std::byte* frame, std::size_t at, Word word) {
  std::memcpy(frame + at, &word, sizeof word);
}

}  // namespace

inline Ipv6Key QuickLook::key_of(const Solicitation& solicitation, PortIndex port) {
  return {.high = solicitation.high,
          .low = solicitation.low,
          .place = std::uint32_t{port.value()} << 16 | solicitation.vlan};
}

void QuickLook::look_at_neighbor(std::size_t n, std::span<std::byte> frame, std::uint32_t at,
                                 std::uint16_t vlan) {
  if (frame.size() < at + kNeighborEnd || load16(frame, at + kIp6Next) != kIcmp6HopLimit ||
      load16(frame, at + kIcmp6) != kSolicitation) {
    return;
  }
  const std::uint64_t option = load64(frame, at + kOption);
  if (option != (kSourceOption | load64(frame, 6) << 16)) return;
  const std::uint64_t to = load64(frame, 0) & kMacMask;
  if ((to & kMulticast) == 0 && to != port_mac_ && (to & kPrefixMask) != kVirtualPrefix) return;
  const std::uint64_t asker = option >> 16;
  if (!is_known(asker)) return;
  Solicitation& s = solicitations_[solicitation_count_++];
  s.frame = frame.data();
  s.asker = asker;
  s.high = load64(frame, at + kTarget);
  s.low = load64(frame, at + kTarget + 8);
  s.at = at;
  s.vlan = vlan;
  s.n = static_cast<std::uint8_t>(n);
  if (!addresses6_.is_large()) return;
  addresses6_.reader().fetch(addresses6_.hash(key_of(s, burst_.port)));
}

/// What each decision reads, for the whole burst: a frame's bytes could be any of it, as far as the
/// compiler knows, and it would read all of it again after each answer.
struct QuickLook::Tables {
  FlatTable<std::uint64_t>::Reader addresses;
  FlatTable<Ipv6Key>::Reader addresses6;
  const Entry* entries;
  const SlotView* slots;
  const balance::Balancer* balancers;
  const View& view;
  WorkerLease& lease;
  PortIndex port;
  Fate unknown;  // what becomes of a request for an address that nobody here has
};

void QuickLook::answer() {
  const Topology& topology = burst_.topology();
  const Tables tables{
      .addresses = addresses_.reader(),
      .addresses6 = addresses6_.reader(),
      .entries = topology.entries.data(),
      .slots = topology.slots.data(),
      .balancers = topology.balancers.data(),
      .view = burst_.view,
      .lease = burst_.lease,
      .port = burst_.port,
      .unknown = burst_.port_view().host ? Fate::undecided() : Fate::drop(DropReason::kArpNotOurs)};
  const std::size_t count = count_;
  for (std::size_t i = 0; i < count; ++i) {
    const Request& request = requests_[i];
    fates_[request.n] = decide(request, tables);
  }
  for (std::size_t i = 0; i < solicitation_count_; ++i) {
    const Solicitation& solicitation = solicitations_[i];
    fates_[solicitation.n] = decide(solicitation, tables);
  }
}

inline Fate QuickLook::decide(const Request& request, const Tables& tables) {
  using Addresses = FlatTable<std::uint64_t>;
  // A sender that is a unicast peer, or claims a shared address: classify() tells of it.
  const std::uint64_t sender_hash = Addresses::hash(request.sender);
  if (tables.addresses.may_have(sender_hash) &&
      tables.addresses.find(request.sender, sender_hash) != Addresses::kNone) {
    return Fate::undecided();
  }
  const std::uint32_t index =
      tables.addresses.find(request.target, Addresses::hash(request.target));
  if (index == Addresses::kNone) return tables.unknown;
  const Entry& entry = tables.entries[index];
  if (entry.kind != EntryKind::shared) return Fate::undecided();
  SlotIndex slot = entry.slot;
  if (entry.is_balanced()) {
    const unsigned member = tables.balancers[entry.balancer].member_for_arp(
        request.asker, static_cast<std::uint32_t>(request.sender));
    slot = SlotIndex(static_cast<std::uint16_t>(slot.value() + member));
  }
  if (tables.lease.refusal(tables.view, slot)) return Fate::undecided();  // L1

  // As answer_arp() does with wire::turn_into_arp_reply(), eight bytes at a time.
  const SlotView& view = tables.slots[slot.value()];
  const std::uint64_t from = view.sends_from.word();
  const auto target = static_cast<std::uint32_t>(request.target);
  const auto sender = static_cast<std::uint32_t>(request.sender);
  const std::uint32_t at = request.arp_at;
  store(request.frame, 0, request.asker | from << 48);
  store(request.frame, 8, static_cast<std::uint32_t>(from >> 16));
  store(request.frame, at + 8, kReply | view.told.word() << 16);
  store(request.frame, at + 16, target | request.asker << 32);
  store(request.frame, at + 22, request.asker >> 16 | std::uint64_t{sender} << 32);
  return Fate::answer(AnswerKind::arp, at + 2U + wire::kArpLength);
}

inline Fate QuickLook::decide(const Solicitation& solicitation, const Tables& tables) {
  using Addresses = FlatTable<Ipv6Key>;
  const Ipv6Key target = key_of(solicitation, tables.port);
  const std::uint32_t index = tables.addresses6.find(target, Addresses::hash(target));
  if (index == Addresses::kNone) return Fate::undecided();
  const Entry& entry = tables.entries[index];
  if (entry.kind != EntryKind::shared || entry.is_balanced()) return Fate::undecided();

  std::byte* const at = solicitation.frame + solicitation.at;
  const std::uint64_t source[] = {word_at(at, kIp6Source), word_at(at, kIp6Source + 8)};
  const std::uint64_t destination[] = {word_at(at, kIp6Destination),
                                       word_at(at, kIp6Destination + 8)};
  // Who asks for its own address says where it is; who has none yet detects a duplicate.
  const bool own = source[0] == target.high && source[1] == target.low;
  const bool to_target = destination[0] == target.high && destination[1] == target.low;
  if (own || !is_host(source[0], source[1]) ||
      !(to_target || is_solicited_node(destination[0], destination[1], target.low))) {
    return Fate::undecided();
  }
  wire::ChecksumSum sum;  // of what the answer has as well
  sum.add_native(source[0]);
  sum.add_native(source[1]);
  sum.add_native(target.high);
  sum.add_native(target.low);
  sum.add_native(kPseudoHeader);
  wire::ChecksumSum asked = sum;
  asked.add_native(destination[0]);
  asked.add_native(destination[1]);
  asked.add_native(word_at(at, kIcmp6));
  asked.add_native(word_at(at, kOption));
  if (asked.folded() != 0xffff) return Fate::undecided();
  if (tables.lease.refusal(tables.view, entry.slot)) return Fate::undecided();  // L1

  // As answer_solicitation() does: the target stays where it is and becomes the source.
  const SlotView& view = tables.slots[entry.slot.value()];
  const std::uint64_t from = view.sends_from.word();
  const std::uint64_t option = kTargetOption | view.told.word() << 16;
  sum.add_native(target.high);
  sum.add_native(target.low);
  sum.add_native(kAdvertisement | kFlags);
  sum.add_native(option);
  const std::uint16_t checksum = __builtin_bswap16(sum.checksum());
  store(solicitation.frame, 0, solicitation.asker | from << 48);
  store(solicitation.frame, 8, static_cast<std::uint32_t>(from >> 16));
  store(at, 2, kVersion6);
  store(at, kIp6Source, target.high);
  store(at, kIp6Source + 8, target.low);
  store(at, kIp6Destination, source[0]);
  store(at, kIp6Destination + 8, source[1]);
  store(at, kIcmp6, kAdvertisement | std::uint64_t{checksum} << 16 | kFlags);
  store(at, kOption, option);
  return Fate::answer(AnswerKind::nd, solicitation.at + kNeighborEnd);
}

}  // namespace koi::dataplane
