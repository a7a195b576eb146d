#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "common/contract/channel.h"
#include "common/contract/messages.h"
#include "common/contract/slot_board.h"
#include "common/contract/view.h"

namespace koi::controlplane {

/// The views in use: makes the next one, sends it down every ring, frees those that no worker uses
/// any more (design.md, "View, term and lease"). Control thread.
class ViewKeeper {
 public:
  /// Starts with view 1, in which nobody is MASTER. down: of each worker; not owned, as the board.
  ViewKeeper(const SlotBoard& board, std::vector<Sender<DownMessage>*> down,
             std::shared_ptr<const Topology> topology);

  const Topology& topology() const { return *topology_; }
  /// The view that workers start with. Valid until every worker has adopted a later one.
  const View* first() const { return views_.front().get(); }

  /// Number of the view that the next make() will make.
  ViewNumber next_number() const { return ViewNumber(views_.back()->number.value() + 1); }
  /// What the next views are of.
  void set_topology(std::shared_ptr<const Topology> topology) { topology_ = std::move(topology); }
  /// terms: by SlotIndex.
  void make(std::vector<Term> terms);

  /// Sends the newest view to each worker that has not got it, where its ring has room; frees what
  /// all have left behind.
  void push();

  /// True iff the newest view is in the worker's ring or adopted: what is sent after it is judged
  /// by it.
  bool is_with(WorkerIndex worker) const {
    return pushed_[worker.value()] == views_.back()->number;
  }
  bool is_with_all() const {
    return std::all_of(pushed_.begin(), pushed_.end(),
                       [&](ViewNumber pushed) { return pushed == views_.back()->number; });
  }
  /// True iff all before this view have been freed.
  bool begin_with(ViewNumber number) const { return views_.front()->number >= number; }
  /// True iff every worker uses this view or a later one.
  bool adopted_by_all(ViewNumber number) const;

 private:
  void free_unused();

  const SlotBoard& board_;
  const std::vector<Sender<DownMessage>*> down_;
  std::shared_ptr<const Topology> topology_;
  std::deque<std::unique_ptr<View>> views_;  // oldest first; the last is the newest
  std::vector<ViewNumber> pushed_;           // newest view in each worker's ring
};

}  // namespace koi::controlplane
