#include "controlplane/view_keeper.h"

#include <algorithm>
#include <utility>

namespace koi::controlplane {

ViewKeeper::ViewKeeper(const SlotBoard& board, std::vector<Sender<DownMessage>*> down,
                       std::shared_ptr<const Topology> topology)
    : board_(board),
      down_(std::move(down)),
      topology_(std::move(topology)),
      pushed_(down_.size(), ViewNumber(1)) {
  views_.push_back(std::make_unique<View>(
      View{ViewNumber(1), topology_, std::vector<Term>(topology_->slots.size())}));
}

void ViewKeeper::make(std::vector<Term> terms) {
  views_.push_back(std::make_unique<View>(View{next_number(), topology_, std::move(terms)}));
}

void ViewKeeper::push() {
  const View* newest = views_.back().get();
  for (std::size_t w = 0; w < down_.size(); ++w) {
    if (pushed_[w] == newest->number) continue;
    if (down_[w]->try_send(AdoptView{newest})) pushed_[w] = newest->number;
  }
  free_unused();
}

void ViewKeeper::free_unused() {
  // Once every worker has adopted a later one; one still in a ring is later by definition.
  std::uint64_t oldest_in_use = views_.back()->number.value();
  for (std::size_t w = 0; w < down_.size(); ++w) {
    const WorkerWords& words = board_.worker(WorkerIndex(static_cast<std::uint8_t>(w)));
    oldest_in_use = std::min(oldest_in_use, words.adopted.load(std::memory_order_acquire));
  }
  while (views_.size() > 1 && views_.front()->number.value() < oldest_in_use) views_.pop_front();
}

bool ViewKeeper::adopted_by_all(ViewNumber number) const {
  for (std::size_t w = 0; w < down_.size(); ++w) {
    const WorkerWords& words = board_.worker(WorkerIndex(static_cast<std::uint8_t>(w)));
    if (words.adopted.load(std::memory_order_acquire) < number.value()) return false;
  }
  return true;
}

}  // namespace koi::controlplane
