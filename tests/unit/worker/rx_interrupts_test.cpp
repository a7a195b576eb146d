// The bell of a worker that waits. With a driver's interrupts: tests/system/test_idle.py.
#include "dataplane/rx_interrupts.h"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

namespace koi::dataplane::rx_interrupts_test {
namespace {

constexpr Duration kLong = 10s;

/// A counter as a ring: what was sent is there.
class Counted final : public Sender<DownMessage> {
 public:
  bool try_send(const DownMessage&) override {
    if (full) return false;
    sent.fetch_add(1, std::memory_order_release);
    return true;
  }
  bool full = false;
  std::atomic<int> sent{0};
};

struct Bell {
  Counted ring;
  std::unique_ptr<RxInterrupts> worker = RxInterrupts::open({});
  CallingSender control{ring, *worker};
};

TEST(RxInterrupts, WaitsNoLongerThanItIsTold) {
  Bell bell;
  ASSERT_TRUE(bell.worker->arm());
  EXPECT_FALSE(bell.worker->wait(1ms));
}

TEST(RxInterrupts, WhatControlSendsEndsTheWait) {
  Bell bell;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(bell.worker->arm());
    EXPECT_TRUE(bell.control.try_send(AdoptView{}));
    EXPECT_TRUE(bell.control.try_send(AdoptView{}));
    EXPECT_TRUE(bell.worker->wait(kLong));
    EXPECT_FALSE(bell.worker->wait(1ms));  // once
    bell.worker->disarm();
  }
}

TEST(RxInterrupts, AWorkerThatDoesNotWaitIsNotCalled) {
  Bell bell;
  EXPECT_TRUE(bell.control.try_send(AdoptView{}));
  ASSERT_TRUE(bell.worker->arm());
  EXPECT_FALSE(bell.worker->wait(1ms));
  bell.worker->disarm();
  EXPECT_TRUE(bell.control.try_send(AdoptView{}));
  EXPECT_FALSE(bell.worker->wait(1ms));
}

TEST(RxInterrupts, NorForWhatFoundNoRoom) {
  Bell bell;
  ASSERT_TRUE(bell.worker->arm());
  bell.ring.full = true;
  EXPECT_FALSE(bell.control.try_send(AdoptView{}));
  EXPECT_FALSE(bell.worker->wait(1ms));
}

TEST(RxInterrupts, NothingIsMissedBetweenTwoThreads) {
  constexpr int kMessages = 20'000;
  Bell bell;
  std::thread control([&] {
    for (int i = 0; i < kMessages; ++i) bell.control.try_send(AdoptView{});
  });
  int seen = 0;
  bool missed = false;
  while (seen < kMessages && !missed) {
    bell.worker->arm();
    const int sent = bell.ring.sent.load(std::memory_order_acquire);
    if (sent == seen) missed = !bell.worker->wait(kLong);
    seen = bell.ring.sent.load(std::memory_order_acquire);
    bell.worker->disarm();
  }
  control.join();
  EXPECT_FALSE(missed) << seen;
}

}  // namespace
}  // namespace koi::dataplane::rx_interrupts_test
