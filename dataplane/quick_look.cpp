#include "dataplane/quick_look.h"

namespace koi::dataplane {
namespace {

constexpr std::uint64_t kReply = 0x0200;  // as it lies in the frame

template <class Word>
void store(std::byte* frame, std::size_t at, Word word) {
  std::memcpy(frame + at, &word, sizeof word);
}

}  // namespace

/// What each decision reads, for the whole burst: a frame's bytes could be any of it, as far as the
/// compiler knows, and it would read all of it again after each answer.
struct QuickLook::Tables {
  FlatTable<std::uint64_t>::Reader addresses;
  const Entry* entries;
  const SlotView* slots;
  const balance::Balancer* balancers;
  const View& view;
  WorkerLease& lease;
  Fate unknown;  // what becomes of a request for an address that nobody here has
};

void QuickLook::answer() {
  const Topology& topology = burst_.topology();
  const Tables tables{
      .addresses = addresses_.reader(),
      .entries = topology.entries.data(),
      .slots = topology.slots.data(),
      .balancers = topology.balancers.data(),
      .view = burst_.view,
      .lease = burst_.lease,
      .unknown = burst_.port_view().host ? Fate::undecided() : Fate::drop(DropReason::kArpNotOurs)};
  const std::size_t count = count_;
  for (std::size_t i = 0; i < count; ++i) {
    const Request& request = requests_[i];
    fates_[request.n] = decide(request, tables);
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
  const std::uint64_t from = word_of(view.sends_from);
  const auto target = static_cast<std::uint32_t>(request.target);
  const auto sender = static_cast<std::uint32_t>(request.sender);
  const std::uint32_t at = request.arp_at;
  store(request.frame, 0, request.asker | from << 48);
  store(request.frame, 8, static_cast<std::uint32_t>(from >> 16));
  store(request.frame, at + 8, kReply | word_of(view.told) << 16);
  store(request.frame, at + 16, target | request.asker << 32);
  store(request.frame, at + 22, request.asker >> 16 | std::uint64_t{sender} << 32);
  return Fate::answer(AnswerKind::arp, at + 2U + wire::kArpLength);
}

}  // namespace koi::dataplane
