// The worker's loop with interrupts that the test raises.
#include <algorithm>
#include <atomic>
#include <functional>
#include <time.h>

#include <gtest/gtest.h>

#include "tests/unit/worker/ring_rig.h"

namespace koi::dataplane::worker_idle_test {
namespace {

using namespace test;  // NOLINT: the whole file is about its frames

Bytes own_request() {
  Bytes request = arp({.target_ip = kOwnIp});
  request.resize(60);  // as padded on the wire
  return request;
}

class FakeInterrupts final : public Interrupts {
 public:
  bool arm() override {
    if (on_arm) on_arm();
    ++arms;
    return !refuses;
  }
  void disarm() override { ++disarms; }
  bool wait(Duration longest) override {
    if (on_wait) on_wait();
    longest_wait = std::max(longest_wait.load(), longest);
    ++waits;
    constexpr timespec kShort{.tv_sec = 0, .tv_nsec = 50'000};
    nanosleep(&kShort, nullptr);
    return calls.exchange(false);
  }

  std::function<void()> on_arm;  // by the worker, as on_wait; REQUIRES: set before start()
  std::function<void()> on_wait;
  bool refuses = false;
  std::atomic<unsigned> arms{0};  // writer: worker, as the next three
  std::atomic<unsigned> disarms{0};
  std::atomic<unsigned> waits{0};
  std::atomic<Duration> longest_wait{Duration(0)};
  std::atomic<bool> calls{false};  // writers: both
};

TEST(WorkerIdle, WaitsWhenItIsQuiet) {
  FakeInterrupts interrupts;
  RingRig rig({.interrupts = &interrupts});
  rig.start();
  ASSERT_TRUE(rig.eventually([&] { return interrupts.waits >= 10; }));
  EXPECT_GE(interrupts.arms, 1U);
  EXPECT_EQ(interrupts.longest_wait.load(), Idle::kLongestWait);
}

TEST(WorkerIdle, AFrameThatCameBeforeItWasArmedIsNotWaitedFor) {
  FakeInterrupts interrupts;
  RingRig rig({.interrupts = &interrupts});
  bool put = false;
  unsigned received_at_wait = 99;
  interrupts.on_arm = [&] { put = put || rig.put(own_request()); };
  interrupts.on_wait = [&] {
    if (received_at_wait == 99) {
      received_at_wait = static_cast<unsigned>(rig.port_counters().received.get());
    }
  };
  rig.start();
  ASSERT_TRUE(rig.eventually([&] { return interrupts.waits >= 1; }));
  rig.stop();
  EXPECT_TRUE(put);
  EXPECT_EQ(received_at_wait, 1U);
  EXPECT_EQ(interrupts.disarms, 1U);
}

TEST(WorkerIdle, WhatControlSentBeforeItWasArmedIsNotWaitedFor) {
  FakeInterrupts interrupts;
  RingRig rig({.interrupts = &interrupts});
  View next = rig.view;
  next.number = ViewNumber(2);
  const auto adopted = [&] { return rig.board->worker(WorkerIndex(0)).adopted.load(); };
  bool sent = false;
  std::uint64_t adopted_at_wait = 0;
  interrupts.on_arm = [&] { sent = sent || rig.down->try_send(AdoptView{&next}); };
  interrupts.on_wait = [&] {
    if (adopted_at_wait == 0) adopted_at_wait = adopted();
  };
  rig.start();
  ASSERT_TRUE(rig.eventually([&] { return interrupts.waits >= 1; }));
  rig.stop();
  EXPECT_TRUE(sent);
  EXPECT_EQ(adopted_at_wait, 2U);
}

TEST(WorkerIdle, PollsAndIsDisarmedOnceCalled) {
  FakeInterrupts interrupts;
  RingRig rig({.interrupts = &interrupts});
  rig.start();
  ASSERT_TRUE(rig.eventually([&] { return interrupts.waits >= 10; }));
  const unsigned before = interrupts.disarms;
  interrupts.calls = true;
  ASSERT_TRUE(rig.eventually([&] { return interrupts.disarms > before; }));
  ASSERT_TRUE(rig.eventually([&] { return interrupts.arms >= 2; }));
}

TEST(WorkerIdle, NapsWhenTheDriverRefuses) {
  FakeInterrupts interrupts;
  interrupts.refuses = true;
  RingRig rig({.interrupts = &interrupts});
  rig.start();
  ASSERT_TRUE(rig.eventually([&] { return interrupts.arms >= 1; }));
  EXPECT_EQ(rig.fate_beyond_gaps(own_request()), "answer");
  rig.stop();
  EXPECT_EQ(interrupts.arms, 1U);
  EXPECT_EQ(interrupts.waits, 0U);
}

TEST(WorkerIdle, PollNeverWaits) {
  FakeInterrupts interrupts;
  RingRig rig({.sleeps = false, .interrupts = &interrupts});
  rig.start();
  const Instant from = rig.clock.read();
  ASSERT_TRUE(rig.eventually([&] { return rig.clock.read() - from > 3 * Idle::kQuiet; }));
  EXPECT_EQ(interrupts.arms, 0U);
}

}  // namespace
}  // namespace koi::dataplane::worker_idle_test
