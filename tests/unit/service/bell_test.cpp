#include "controlplane/app/bell.h"

#include <atomic>
#include <poll.h>
#include <thread>

#include <gtest/gtest.h>

#include "tests/support/fake_channel.h"

namespace koi::app::bell_test {
namespace {

using controlplane::Report;
using controlplane::RoleChange;
using controlplane::SlotReport;

bool rings(const Bell& bell, int within_ms = 0) {
  pollfd p{bell.fd(), POLLIN, 0};
  return poll(&p, 1, within_ms) == 1;
}

TEST(Bell, RingsForAChangeOfRoleThatWentIn) {
  test::FakeChannel<Report> ring(2);
  Bell bell(ring);
  EXPECT_TRUE(bell.try_send(SlotReport{}));
  EXPECT_FALSE(rings(bell));
  EXPECT_TRUE(bell.try_send(RoleChange{}));
  EXPECT_TRUE(rings(bell));
  bell.answer();
  EXPECT_FALSE(rings(bell));
  EXPECT_FALSE(bell.try_send(RoleChange{}));  // full
  EXPECT_FALSE(rings(bell));
  EXPECT_EQ(ring.take_all().size(), 2U);
}

/// A counter as a ring: what was sent is there.
class Counted final : public Sender<Report> {
 public:
  bool try_send(const Report&) override {
    sent.fetch_add(1, std::memory_order_release);
    return true;
  }
  std::atomic<int> sent{0};
};

TEST(Bell, NoChangeIsMissedBetweenTwoThreads) {
  constexpr int kChanges = 20'000;
  Counted ring;
  Bell bell(ring);
  std::thread control([&] {
    for (int i = 0; i < kChanges; ++i) bell.try_send(RoleChange{});
  });
  int seen = 0;
  while (seen < kChanges) {
    ASSERT_TRUE(rings(bell, 10'000)) << seen;
    bell.answer();
    seen = ring.sent.load(std::memory_order_acquire);
  }
  control.join();
}

}  // namespace
}  // namespace koi::app::bell_test
