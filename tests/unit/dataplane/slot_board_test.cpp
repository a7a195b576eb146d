// The slot board between two threads. Each word is stored after what it vouches for (slot_board.h);
// whoever reads the word checks that. ThreadSanitizer runs this too.
#include "common/contract/slot_board.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/unit/dataplane/two_workers.h"

namespace koi::dataplane::slot_board_test {
namespace {

constexpr std::uint32_t kRounds = 20'000;
constexpr WorkerIndex kWorker{0};
constexpr SlotIndex kSlot{3};

std::uint64_t payload_of(std::uint64_t round) { return round * 0x9e3779b97f4a7c15ULL + 1; }

/// Plain memory, each element written once and then vouched for by a word on the board.
using Payload = std::vector<std::uint64_t>;

class SlotBoardThreads : public ::testing::Test {
 protected:
  /// Runs both to their ends at the same time. Whatever is relaxed in here orders nothing: that is
  /// for the board to do.
  template <class Writer, class Reader>
  void run(Writer writer, Reader reader) {
    std::atomic<int> ready{0};
    const auto meet = [&ready] {
      ready.fetch_add(1, std::memory_order_relaxed);
      while (ready.load(std::memory_order_relaxed) != 2) std::this_thread::yield();
    };
    std::thread other([&] {
      meet();
      writer();
      written_.store(true, std::memory_order_relaxed);
    });
    meet();
    reader();
    other.join();
  }
  /// Calls check(round) for what it reads until it reads the last round; never going back.
  template <class Read, class Check>
  void follow(Read read, Check check) {
    std::uint32_t in_vain = 0;
    for (std::uint64_t last = 0; last < kRounds;) {
      const std::uint64_t round = read();
      if (round < last) return ADD_FAILURE() << round << " after " << last;
      if (round == last) std::this_thread::yield();
      if (round == last && written_.load(std::memory_order_relaxed) && ++in_vain > kRounds) {
        return ADD_FAILURE() << "ends at " << round;
      }
      last = round;
      if (!check(round)) return ADD_FAILURE() << "round " << round;
    }
  }

  const std::unique_ptr<SlotBoard> board = std::make_unique<SlotBoard>();
  WorkerLease lease{*board, kWorker};
  Payload payload = Payload(kRounds + 2);

 private:
  std::atomic<bool> written_{false};
};

TEST_F(SlotBoardThreads, HeardAndAcknowledged) {
  // The worker hears one after another; control decides and acknowledges; each sees what the other
  // did before.
  Payload decided(kRounds + 1);
  std::atomic<std::uint32_t>& acknowledged = board->slot(kSlot).acknowledged[kWorker.value()];
  const auto worker = [&] {
    lease.begin_poll(kStart);
    for (std::uint32_t n = 1; n <= kRounds; ++n) {
      payload[n] = payload_of(n);
      if (lease.stamp_heard(kSlot) != n) return ADD_FAILURE() << n;
      const std::uint32_t done = acknowledged.load(std::memory_order_acquire);
      if (done > n || (done != 0 && decided[done] != payload_of(done) + 1)) {
        return ADD_FAILURE() << n << " acknowledged " << done;
      }
    }
  };
  std::uint64_t last = 0;
  const auto control = [&] {
    follow(
        [&] {
          return Stamp::from_word(
                     board->slot(kSlot).heard[kWorker.value()].load(std::memory_order_acquire))
              .number();
        },
        [&](std::uint64_t n) {
          if (n == last) return true;
          last = n;
          decided[n] = payload[n] + 1;
          acknowledged.store(static_cast<std::uint32_t>(n), std::memory_order_release);
          return decided[n] == payload_of(n) + 1;
        });
  };
  run(worker, control);
}

TEST_F(SlotBoardThreads, DeadlineIsOneWord) {
  // Term and moment belong together: a torn one would lengthen another reign.
  const auto at = [](std::uint64_t term) { return kStart + static_cast<std::int64_t>(term) * 1ms; };
  const auto worker = [&] {
    TransmitFrame frame;
    frame.slot = kSlot;
    frame.lease = 250ms;
    for (std::uint64_t term = 1; term <= kRounds; ++term) {
      frame.term = Term(term);
      payload[term] = payload_of(term);
      lease.sent(frame, at(term));
    }
  };
  const auto other = [&] {
    follow([&] { return board->deadline(kSlot, Family::ipv4).number(); },
           [&](std::uint64_t) {
             const Stamp stamp = board->deadline(kSlot, Family::ipv4);
             const std::uint64_t term = stamp.number();
             return term == 0 || (stamp.word() == Stamp(term, at(term) + 250ms).word() &&
                                  payload[term] == payload_of(term));
           });
  };
  run(worker, other);
}

TEST_F(SlotBoardThreads, GapIsThereBeforeThePollThatEndsIt) {
  // Every poll of this worker is a gap: whoever sees it awake sees the gap as well (L1, L8).
  const auto worker = [&] {
    for (std::uint32_t n = 0; n <= kRounds + 1; ++n) {  // the last one makes the one before known
      payload[n] = payload_of(n);
      lease.begin_poll(kStart + n * 2ms);
    }
  };
  const auto other = [&] {
    follow(
        [&] {
          const Duration polled = board->polled(kWorker) - kStart;
          return polled.count() < 0 ? 0 : static_cast<std::uint64_t>(polled / 2ms);
        },
        [&](std::uint64_t n) {
          if (n != 0 && payload[n] != payload_of(n)) return false;
          const std::uint32_t gap = board->worker(kWorker).gap.load(std::memory_order_acquire);
          return gap >= n && (gap == 0 || payload[gap] == payload_of(gap));
        });
  };
  run(worker, other);
}

TEST_F(SlotBoardThreads, EmptiedComesAfterWhatThePollBrought) {
  const auto worker = [&] {
    for (std::uint32_t n = 0; n <= kRounds; ++n) {
      const Instant now = kStart + n * 500us;
      lease.begin_poll(now);
      payload[n] = payload_of(n);  // stands for the up ring
      lease.end_poll(now);
    }
  };
  const auto control = [&] {
    follow(
        [&] {
          const Duration emptied = board->emptied(kWorker) - kStart;
          return emptied.count() < 0 ? 0 : static_cast<std::uint64_t>(emptied / 500us);
        },
        [&](std::uint64_t n) { return n == 0 || payload[n] == payload_of(n); });
  };
  run(worker, control);
}

TEST_F(SlotBoardThreads, AdoptedViewIsNoLongerRead) {
  // Control frees a view when a later one is adopted: what the worker did with it is done.
  std::vector<View> views(kRounds + 1);
  for (std::size_t n = 0; n < views.size(); ++n) views[n].number = ViewNumber(n);
  std::uint64_t sum = 0;
  const auto worker = [&] {
    for (const View& view : views) {
      lease.adopted(view);
      sum += view.number.value();
    }
  };
  const auto control = [&] {
    std::uint64_t freed = 0;
    follow([&] { return board->worker(kWorker).adopted.load(std::memory_order_acquire); },
           [&](std::uint64_t n) {
             for (; freed < n; ++freed) views[freed].number = ViewNumber(UINT64_MAX);
             return true;
           });
  };
  run(worker, control);
  EXPECT_EQ(sum, std::uint64_t{kRounds} * (kRounds + 1) / 2);
}

}  // namespace
}  // namespace koi::dataplane::slot_board_test
