// Hellos in the control loop: sent with the trailer's sequences, reported, and never the
// election's.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "common/auth/trailer_sequence.h"
#include "common/wire/bytes.h"
#include "controlplane/loop.h"
#include "tests/support/loop_rig.h"

namespace koi::controlplane::loop_hello_test {
namespace {

using test::LoopRig;

constexpr Duration kToday = 1'790'000'000s;
constexpr std::size_t kHelloBytes = 14 + 20 + 8 + 64 + 28;

config::Config signing_box() {
  config::Config config = test::lan_box(2);
  config.groups[0].trailer = {
      .mode = config::TrailerMode::enforce,
      .key = config::TrailerKey{.file = "a", .id = 3, .key = test::secret(std::string(32, 'k'))}};
  return config;
}

class LoopHello : public ::testing::Test {
 protected:
  LoopHello() {
    rig.command(SetUtc{kToday - rig.clock.time.time_since_epoch()});
    rig.command(SetSequenceCeiling{auth::trailer_sequence(kToday + 600s)});
    rig.turn();
  }
  /// Those sent since the last call.
  std::vector<TransmitFrame> hellos() {
    rig.adopt_all();
    std::erase_if(rig.own_frames, [](const TransmitFrame& f) { return f.length != kHelloBytes; });
    return std::exchange(rig.own_frames, {});
  }
  static std::uint64_t sequence_of(const TransmitFrame& frame) {
    const std::size_t at = 14 + 20 + 8 + 64 + 4;
    return std::uint64_t{wire::get_be32(frame.bytes, at)} << 32 |
           wire::get_be32(frame.bytes, at + 4);
  }
  void hear_hello(std::uint64_t sequence, bool asks = false) {
    HelloHeard hello;
    hello.slot = LoopRig::kSlot;
    hello.node = NodeId(1);
    hello.source = test::ip4("192.0.2.1");
    hello.source_mac = mac_from({2, 0, 0, 0, 1, 1});
    hello.sequence = sequence;
    hello.asks = asks;
    hello.masters = 1;
    rig.up[0].try_send(hello);
  }
  std::uint64_t counted(HelloVerdict verdict) const {
    return rig.counters.slots[0].hellos[static_cast<std::size_t>(verdict)].get();
  }

  LoopRig rig{signing_box()};
  const std::uint64_t today = auth::trailer_sequence(kToday);
};

// C21.9 kept, C21.3 kept
TEST_F(LoopHello, SequencesAreOfTheTrailersSeriesAndRolesAreTrue) {
  rig.become_backup();
  VerifiedAdvert ad = rig.advert(1, 100);
  ad.sequence = today;
  ad.source_mac = virtual_mac(Vhid(1));
  rig.hear(ad);
  rig.turn();
  const auto first = hellos();
  ASSERT_EQ(first.size(), 1U);
  EXPECT_GE(sequence_of(first[0]), today);
  EXPECT_EQ(rig.board->own_sequence.load(), sequence_of(first[0]));
  EXPECT_EQ(wire::get_be32(first[0].bytes, 42 + 16), 0U);  // MASTER of none
  EXPECT_EQ(wire::get_be32(first[0].bytes, 42 + 20), 1U);  // BACKUP of the first
  EXPECT_EQ(rig.counters.slots[0].hellos_sent.get(), 1U);
  const auto reports = rig.reports.take<PeerReport>();
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_EQ(reports[0].heard, Instant{});

  rig.clock.advance(4s);
  rig.listen();
  rig.turn_after(1us);  // MASTER
  rig.grant_all(2850ms);
  hellos();
  rig.turn_after(1100ms);
  const auto second = hellos();
  ASSERT_EQ(second.size(), 1U);
  EXPECT_EQ(wire::get_be32(second[0].bytes, 42 + 16), 1U);
  EXPECT_GT(sequence_of(second[0]), sequence_of(first[0]));
}

// C21.1 kept, C21.1 refused
TEST_F(LoopHello, AHelloMovesNothingOfTheElection) {
  rig.become_backup();
  const Instant due = rig.clock.time + rig.parameters.master_down();
  for (std::uint64_t n = 0; n < 20; ++n) {
    hear_hello(today + 100 + n);
    rig.listen();
    rig.turn_after(100ms);
  }
  EXPECT_TRUE(rig.changes().empty());
  EXPECT_EQ(counted(HelloVerdict::accepted), 20U);
  // Its advertisements' sequences are judged by themselves: a lower one is taken.
  VerifiedAdvert ad = rig.advert(1, 100);
  ad.sequence = today + 1;
  rig.hear(ad);
  rig.turn();
  EXPECT_EQ(rig.reports.take<SlotReport>().size(), 1U);  // the MASTER is known
  rig.listen();
  rig.clock.time = due + 1ms;
  rig.turn();
  EXPECT_TRUE(rig.changes().empty());  // re-armed by the advertisement
  // And no hello keeps it from rising.
  rig.clock.advance(4s);
  hear_hello(today + 900);
  rig.listen();
  rig.turn_after(1us);
  ASSERT_EQ(rig.changes().size(), 1U);
}

// C21.9 refused
TEST_F(LoopHello, RefusedOnesAreCounted) {
  rig.become_backup();
  hear_hello(auth::trailer_sequence(kToday - 31s));
  hear_hello(today);
  hear_hello(today);
  rig.turn();
  EXPECT_EQ(counted(HelloVerdict::clock), 1U);
  EXPECT_EQ(counted(HelloVerdict::accepted), 1U);
  EXPECT_EQ(counted(HelloVerdict::old), 1U);
  EXPECT_EQ(rig.reports.take<PeerReport>().size(), 1U);
}

// C21.8 kept
TEST_F(LoopHello, WhoIsHeardIsAnsweredAndThenEveryTenSeconds) {
  rig.become_backup();
  hear_hello(today, true);
  rig.turn();
  EXPECT_EQ(hellos().size(), 1U);
  rig.turn_after(9999ms);
  EXPECT_TRUE(hellos().empty());
  EXPECT_LE(rig.loop->next_due(), rig.clock.time + 1ms);
  rig.turn_after(1ms);
  EXPECT_EQ(hellos().size(), 1U);
}

}  // namespace
}  // namespace koi::controlplane::loop_hello_test
