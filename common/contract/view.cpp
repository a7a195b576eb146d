#include "common/contract/view.h"

#include <algorithm>

namespace koi {

template <class Key, class Value>
FlatTable<Key, Value>::FlatTable(std::span<const Item> items) {
  const std::size_t size =
      std::bit_ceil(std::max(kLeastCells, items.size() * 8 / kMostInEight + 1));
  shift_ = static_cast<unsigned>(64 - std::countr_zero(size));
  mask_ = size - 1;
  cells_.resize(size);
  filter_shift_ = std::min(shift_ - 32 - kFilterBits, 32 - kLeastFilterBits);
  const std::size_t marks = std::size_t{1} << (32 - filter_shift_);
  filter_.assign(is_large() ? marks / 8 : marks, 0);
  for (const Item& item : items) {
    const std::uint32_t marked = mark(item.key) >> filter_shift_;
    if (is_large()) {
      filter_[marked / 8] = static_cast<std::uint8_t>(filter_[marked / 8] | 1U << (marked % 8));
    } else {
      filter_[marked] = 1;
    }
    std::size_t at = hash(item.key) >> shift_;
    while (cells_[at].value && !(cells_[at].key == item.key)) at = (at + 1) & mask_;
    if (!cells_[at].value) cells_[at] = item;
  }
}

void Topology::prepare_replies() {
  replies.clear();
  for (const SlotView& slot : slots) {
    replies.push_back(wire::arp_reply_parts(slot.sends_from, slot.told));
  }
}

template class FlatTable<std::uint64_t, Entry>;
template class FlatTable<Ipv6Key, Entry>;
template class FlatTable<std::uint64_t, std::optional<SlotIndex>>;

}  // namespace koi
