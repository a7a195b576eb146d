// The two rings and the slot board between control and one worker, as they are used together: each
// message says what it is, and vouches for plain memory written before it and for a word on the
// board (L2: the term before the view; L7: heard before the advertisement). ThreadSanitizer sees
// whether that order is made by the rings and the board alone.
//
// KOI_CHANNEL_OPERATIONS sets how many sends, receives, stores and loads there are.
#include "dataplane/channel.h"

#include <array>
#include <atomic>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <variant>

#include <gtest/gtest.h>

#include "common/contract/messages.h"
#include "common/contract/slot_board.h"
#include "common/contract/view.h"
#include "tests/support/eal_environment.h"

namespace koi::dataplane::channel_test {
namespace {

constexpr unsigned kRoom = 64;  // messages, a power of two; one less fits
constexpr std::size_t kAhead =
    96;  // rounds control may be ahead: more than fit, so that rings fill
constexpr std::size_t kViews = 128;  // more than kAhead: none is reused while it may be read
constexpr std::uint64_t kOperationsPerRound = 10;  // four of the rings, six of the board
constexpr SlotIndex kSlot{3};

std::uint64_t mark_of(std::uint64_t round) { return round * 0x9e3779b97f4a7c15ULL + 1; }

std::uint64_t rounds() {
  const char* set = std::getenv("KOI_CHANNEL_OPERATIONS");
  return (set == nullptr ? 5'000'000 : std::stoull(set)) / kOperationsPerRound;
}

const auto* const environment = ::testing::AddGlobalTestEnvironment(new test::EalEnvironment);

class ChannelThreads : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(down, nullptr);
    ASSERT_NE(up, nullptr);
  }

  /// Even rounds are views, odd ones frames.
  DownMessage down_message(std::uint64_t round) {
    if (round % 2 == 0) {
      views[round % kViews].number = ViewNumber(mark_of(round));
      return AdoptView{&views[round % kViews]};
    }
    TransmitFrame frame;
    frame.slot = kSlot;
    frame.term = Term(round);
    frame.length = static_cast<std::uint16_t>(round % (TransmitFrame::kMaxBytes + 1));
    frame.bytes.fill(std::byte{static_cast<unsigned char>(round)});
    return frame;
  }
  /// The worker: is this what was sent in that round?
  static bool is_of(const DownMessage& message, std::uint64_t round) {
    if (const auto* adopt = std::get_if<AdoptView>(&message)) {
      return round % 2 == 0 && adopt->view->number == ViewNumber(mark_of(round));
    }
    const auto& frame = std::get<TransmitFrame>(message);
    if (round % 2 == 0 || frame.term != Term(round)) return false;
    if (frame.length != round % (TransmitFrame::kMaxBytes + 1)) return false;
    for (const std::byte b : frame.bytes) {
      if (b != std::byte{static_cast<unsigned char>(round)}) return false;
    }
    return true;
  }

  void work(std::uint64_t last) {
    WorkerWords& words = board->worker(WorkerIndex(0));
    for (std::uint64_t round = 1; round <= last; ++round) {
      DownMessage message;
      while (!down->try_receive(message)) {
        if (failed.load(std::memory_order_relaxed)) return;
        std::this_thread::yield();
      }
      if (!is_of(message, round)) return fail("down", round);
      if (board->slot(kSlot).term.load(std::memory_order_acquire) < round)
        return fail("term", round);
      words.adopted.store(round, std::memory_order_release);
      board->slot(kSlot).heard[0].store(round, std::memory_order_release);
      plain[round % kViews] = mark_of(round);
      VerifiedAdvert advert;
      advert.slot = kSlot;
      advert.counter = round;
      const UpMessage answer = round % 3 == 0
                                   ? UpMessage(PollGap{.number = static_cast<std::uint32_t>(round),
                                                       .frames_lost = false,
                                                       .length = Duration(mark_of(round) >> 8)})
                                   : UpMessage(advert);
      while (!up->try_send(answer)) {
        if (failed.load(std::memory_order_relaxed)) return;
        std::this_thread::yield();
      }
    }
  }

  /// Control: takes one message if there is one.
  bool take(std::uint64_t& received) {
    UpMessage message;
    if (!up->try_receive(message)) return false;
    const std::uint64_t round = ++received;
    const auto* gap = std::get_if<PollGap>(&message);
    const auto* advert = std::get_if<VerifiedAdvert>(&message);
    const bool same = round % 3 == 0
                          ? gap != nullptr && gap->number == static_cast<std::uint32_t>(round) &&
                                gap->length == Duration(mark_of(round) >> 8)
                          : advert != nullptr && advert->counter == round;
    if (!same) fail("up", round);
    if (plain[round % kViews] != mark_of(round)) fail("memory before up", round);
    if (board->slot(kSlot).heard[0].load(std::memory_order_acquire) < round) fail("heard", round);
    if (board->worker(WorkerIndex(0)).adopted.load(std::memory_order_acquire) < round) {
      fail("adopted", round);
    }
    board->slot(kSlot).acknowledged[0].store(static_cast<std::uint32_t>(round),
                                             std::memory_order_release);
    return true;
  }

  void fail(const char* what, std::uint64_t round) {
    if (!failed.exchange(true)) ADD_FAILURE() << what << ", round " << round;
  }

  const std::unique_ptr<Channel<DownMessage>> down = Channel<DownMessage>::create("down", kRoom);
  const std::unique_ptr<Channel<UpMessage>> up = Channel<UpMessage>::create("up", kRoom);
  const std::unique_ptr<SlotBoard> board = std::make_unique<SlotBoard>();
  std::array<View, kViews> views;             // writer: control, before the ring vouches for it
  std::array<std::uint64_t, kViews> plain{};  // writer: worker, likewise
  std::atomic<bool> failed{false};
};

TEST_F(ChannelThreads, EachMessageVouchesForWhatWasDoneBefore) {
  const std::uint64_t last = rounds();
  std::thread worker([&] { work(last); });
  std::uint64_t received = 0;
  bool was_full = false;
  for (std::uint64_t round = 1; round <= last && !failed.load(std::memory_order_relaxed);) {
    while (take(received)) {
    }
    if (round - received > kAhead) {
      std::this_thread::yield();
      continue;
    }
    board->slot(kSlot).term.store(round, std::memory_order_release);
    const DownMessage message = down_message(round);
    if (down->try_send(message)) {
      ++round;
    } else {
      was_full = true;
      std::this_thread::yield();
    }
  }
  while (received < last && !failed.load(std::memory_order_relaxed)) {
    if (!take(received)) std::this_thread::yield();
  }
  worker.join();
  EXPECT_EQ(received, last);
  EXPECT_TRUE(was_full) << "no ring was ever full";
}

}  // namespace
}  // namespace koi::dataplane::channel_test
