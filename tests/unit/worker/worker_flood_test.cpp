// Floods and exhaustion: what control says and hears gets through (T15, T30).
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <vector>

#include <gtest/gtest.h>

#include "tests/unit/worker/ring_rig.h"

namespace koi::dataplane::worker_flood_test {
namespace {

using namespace test;  // NOLINT: the whole file is about its frames

/// All that are left in the pool, taken as a flood takes them, until the end of the scope.
class Drained {
 public:
  explicit Drained(rte_mempool* pool) {
    while (rte_mbuf* mbuf = rte_pktmbuf_alloc(pool)) taken_.push_back(mbuf);
  }
  ~Drained() { rte_pktmbuf_free_bulk(taken_.data(), static_cast<unsigned>(taken_.size())); }
  Drained(const Drained&) = delete;
  Drained& operator=(const Drained&) = delete;
  std::size_t count() const { return taken_.size(); }

 private:
  std::vector<rte_mbuf*> taken_;
};

TEST(WorkerFlood, T30_WithoutABufferForReceivedFramesAdvertisementsStillLeave) {
  RingRig rig;
  rig.board->slot(kLan).term.store(kTerm.value());
  const Drained all(rig.data_pool);
  ASSERT_EQ(all.count(), RingRig::kDataMbufs);
  rig.start();
  const Bytes bytes = frame(Advert{});
  const TransmitFrame ad = advertisement(rig);
  for (std::uint64_t n = 1; n <= 3; ++n) {
    ASSERT_TRUE(rig.down->try_send(ad));
    EXPECT_TRUE(rig.eventually([&] { return rig.port_counters().transmitted.get() == n; }));
    EXPECT_EQ(rig.take(), bytes);
  }
  rig.stop();
  EXPECT_TRUE(rig.board->deadline(kLan, Family::ipv4).is_number_of(kTerm.value()));
  EXPECT_EQ(rig.drops(DropReason::kFrameNoBuffer), 0U);
}

/// Puts in what the worker takes, inside its driver, so that its queue is never found empty, and
/// looks each time whether what it says to have stamped was taken in an earlier poll.
class Flood {
 public:
  static constexpr std::size_t kWaiting = 500;  // frames, half of what the queue holds
  static constexpr std::size_t kFrames = 20'000;

  explicit Flood(RingRig& rig) : rig_(rig) {
    put_at_.reserve(kFrames + kWaiting);
    put(kWaiting);
    rig.received = [this](std::uint16_t frames) { took(frames); };
  }
  bool is_over() const { return over_.load(std::memory_order_acquire); }
  std::size_t too_early() const { return too_early_; }
  std::size_t advances() const { return advances_; }
  std::size_t longest_wait() const { return longest_wait_; }

 private:
  void put(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) ASSERT_TRUE(rig_.put(junk_));
    put_at_.insert(put_at_.end(), count, rig_.clock.read());
  }
  void took(std::uint16_t frames) {
    if (is_over()) return;
    const Instant emptied = rig_.board->emptied(WorkerIndex(0));
    const auto waited = static_cast<std::size_t>(
        std::upper_bound(put_at_.begin(), put_at_.end(), emptied) - put_at_.begin());
    if (waited > taken_) ++too_early_;
    if (emptied != last_ && last_ != Instant{}) {
      ++advances_;
      longest_wait_ = std::max(longest_wait_, taken_ - waited);
    }
    last_ = emptied;
    taken_ += frames;
    if (taken_ >= kFrames) return over_.store(true, std::memory_order_release);
    put(frames);
  }

  RingRig& rig_;
  const Bytes junk_ = Bytes(60);
  std::vector<Instant> put_at_;  // of each frame, when it surely waited
  std::size_t taken_ = 0;        // before this poll
  Instant last_{};
  std::size_t too_early_ = 0;
  std::size_t advances_ = 0;
  std::size_t longest_wait_ = 0;  // frames taken beyond those that had to be
  std::atomic<bool> over_{false};
};

// C11.17 kept
TEST(WorkerFlood, L7_WhatWaitsBehindABurstIsNotCalledStamped) {
  RingRig rig({.sleeps = false});
  Flood flood(rig);
  rig.start();
  ASSERT_TRUE(rig.eventually([&] { return flood.is_over(); }));
  rig.stop();
  EXPECT_EQ(flood.too_early(), 0U);
  EXPECT_GE(flood.advances(), 5U);
  EXPECT_LE(flood.longest_wait(), 2 * RingPort::kReceiveRoom);
}

TEST(WorkerFlood, ForgeriesReachControlNotAtAllAndCostNoRealAdvertisement) {
  constexpr std::uint64_t kReal = 200;
  constexpr std::uint64_t kForgedForEach = 500;
  RingRig rig({.sleeps = false});
  rig.start();
  // The peer's own address and MAC, its next counter, but not its key.
  std::uint64_t sequence = 1;
  const Instant began = rig.clock.read();
  const auto put = [&](const Bytes& bytes) {
    while (rte_mempool_avail_count(rig.data_pool) == 0 || !rig.put(bytes)) rig.listen();
  };
  for (std::uint64_t n = 0; n < kReal; ++n) {
    const Bytes forged = frame({.counter = counter_of(sequence + 1000), .key = "forger"});
    for (std::uint64_t i = 0; i < kForgedForEach; ++i) put(forged);
    put(frame({.counter = counter_of(sequence++)}));
    rig.listen();
  }
  constexpr std::uint64_t kForged = kReal * kForgedForEach;
  EXPECT_TRUE(rig.eventually([&] {
    return rig.drops(DropReason::kCarpDigest) == kForged &&
           rig.heard<VerifiedAdvert>().size() == kReal;
  }));
  const double seconds = std::chrono::duration<double>(rig.clock.read() - began).count();
  rig.stop();
  EXPECT_EQ(rig.heard<VerifiedAdvert>().size(), kReal);
  // One a second says that somebody has another key; nothing else came up but pauses of the thread.
  const std::size_t told = rig.heard<Conflict>().size();
  EXPECT_LE(told, 1 + static_cast<std::size_t>(seconds));
  EXPECT_EQ(rig.messages.size(), kReal + told + rig.heard<PollGap>().size());
  EXPECT_EQ(rig.drops(DropReason::kCarpReplay), 0U);
  const double rate = static_cast<double>(kForged) / seconds;
  std::printf("%.2f M forged/s, %zu of %llu real ones heard, %zu told of\n", rate / 1e6,
              rig.heard<VerifiedAdvert>().size(), static_cast<unsigned long long>(kReal), told);
}

}  // namespace
}  // namespace koi::dataplane::worker_flood_test
