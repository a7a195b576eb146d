#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "common/auth/trailer_sequence.h"
#include "common/wire/bytes.h"
#include "controlplane/loop.h"
#include "tests/support/loop_rig.h"

/// The signed trailer in the control loop: what it sends, what it takes, what it reports.
namespace koi::controlplane::loop_trailer_test {
namespace {

using test::LoopRig;

constexpr Duration kToday = 1'790'000'000s;

config::Config signing_box(config::TrailerMode mode) {
  config::Config config = test::dual_stack_box(2);
  config.groups[0].trailer = {
      .mode = mode,
      .key = config::TrailerKey{.file = "a", .id = 3, .key = test::secret(std::string(32, 'k'))},
      .accept = {{.file = "b", .id = 4, .key = test::secret(std::string(64, 'n'))}}};
  return config;
}

/// At that time of day, with sequences reserved up to a minute later.
void set_clock(LoopRig& rig, Duration utc) {
  rig.command(SetUtc{utc - rig.clock.time.time_since_epoch()});
  rig.command(SetSequenceCeiling{auth::trailer_sequence(utc + 60s)});
  rig.turn();
}

std::vector<TransmitFrame> rise(LoopRig& rig) {
  rig.become_backup();
  rig.clock.advance(4s);
  rig.listen();
  rig.turn_after(1us);
  std::vector<TransmitFrame> frames = rig.adopt(0);
  std::erase_if(frames, [](const TransmitFrame& f) { return f.kind == FrameKind::announcement; });
  return frames;
}

/// Where the trailer is, by the frame's family.
std::uint64_t sequence_of(const TransmitFrame& frame) {
  const std::size_t at = 14 + (frame.family == Family::ipv4 ? 20U : 40U) + 36 + 4;
  return std::uint64_t{wire::get_be32(frame.bytes, at)} << 32 | wire::get_be32(frame.bytes, at + 4);
}

VerifiedAdvert signed_advert(LoopRig& rig, std::uint64_t sequence, std::uint8_t node = 1) {
  VerifiedAdvert ad = rig.advert(1, 100, node);
  ad.sequence = sequence;
  ad.key_id = 3;
  return ad;
}

// C19.4 kept, C19.3 kept
TEST(LoopTrailer, SentInPermissiveAndEnforceAlone) {
  using config::TrailerMode;
  for (const auto mode : {TrailerMode::off, TrailerMode::receive_only, TrailerMode::permissive,
                          TrailerMode::enforce}) {
    LoopRig rig(signing_box(mode));
    set_clock(rig, kToday);
    const auto frames = rise(rig);
    ASSERT_EQ(frames.size(), 2U);
    const bool sends = mode == TrailerMode::permissive || mode == TrailerMode::enforce;
    EXPECT_EQ(frames[0].length, sends ? 98 : 70);
    EXPECT_EQ(frames[1].length, sends ? 118 : 90);
    if (!sends) continue;
    const std::uint64_t now = auth::trailer_sequence(kToday + 4s);
    EXPECT_GE(sequence_of(frames[0]), now);
    EXPECT_LT(sequence_of(frames[0]), now + (1 << 20));
    EXPECT_EQ(sequence_of(frames[1]), sequence_of(frames[0]) + 1);
    EXPECT_EQ(rig.board->own_sequence.load(), sequence_of(frames[1]));
  }
}

// C19.3 refused
TEST(LoopTrailer, AStepOfTheClockBackIsNotFollowed) {
  LoopRig rig(signing_box(config::TrailerMode::enforce));
  set_clock(rig, kToday);
  const std::uint64_t before = sequence_of(rise(rig).back());
  rig.grant_all(2850ms);
  set_clock(rig, kToday - 3600s);
  rig.turn_after(1001ms);
  const auto frames = rig.adopt(0);
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(sequence_of(frames[0]), before + 1);
}

// What another worker has taken already decides nothing, but is acknowledged (L7).
// C19.6 refused
TEST(LoopTrailer, AnOldSequenceThroughAnotherWorkerChangesNothing) {
  LoopRig rig(signing_box(config::TrailerMode::enforce), 3, 2);
  set_clock(rig, kToday);
  rig.become_backup();
  const std::uint64_t now = auth::trailer_sequence(kToday);
  rig.hear(signed_advert(rig, now), 0);
  rig.turn();
  EXPECT_EQ(rig.reports.take<SlotReport>().size(), 1U);  // the MASTER is known
  VerifiedAdvert bow_out = signed_advert(rig, now);
  bow_out.advbase = bow_out.advskew = 255;
  rig.hear(bow_out, 1);
  rig.turn();
  EXPECT_EQ(rig.acknowledged(1), bow_out.heard_number);
  rig.listen();
  rig.turn_after(100ms);
  EXPECT_TRUE(rig.changes().empty());
}

TEST(LoopTrailer, ReportsEachSenderAtOnceAndThenEveryTwoSeconds) {
  LoopRig rig(signing_box(config::TrailerMode::enforce));
  set_clock(rig, kToday);
  rig.become_backup();
  const std::uint64_t now = auth::trailer_sequence(kToday);
  const auto reported = [&rig] {
    std::string text;
    for (const SignedHeard& heard : rig.reports.take<SignedHeard>()) {
      EXPECT_EQ(heard.key_id, 3);
      text += heard.source.to_string() + " " +
              std::to_string(heard.sequence - auth::trailer_sequence(kToday)) + ",";
    }
    return text;
  };
  rig.hear(signed_advert(rig, now));
  rig.hear(signed_advert(rig, now + 5, 9));
  rig.turn();
  EXPECT_EQ(reported(), "192.0.2.1 0,192.0.2.9 5,");
  rig.hear(signed_advert(rig, now + 1));
  rig.turn_after(1000ms);
  rig.hear(signed_advert(rig, now + 2));
  rig.turn_after(999ms);
  EXPECT_EQ(reported(), "");
  EXPECT_EQ(rig.loop->next_due(), rig.clock.time + 1ms);
  rig.turn_after(1ms);
  EXPECT_EQ(reported(), "192.0.2.1 2,");
  // What is new goes before the end.
  rig.hear(signed_advert(rig, now + 3));
  rig.turn_after(100ms);
  rig.command(ShutDown{});
  rig.turn();
  rig.turn();
  const auto reports = rig.reports.messages;
  EXPECT_EQ(reported(), "192.0.2.1 3,");
  ASSERT_FALSE(reports.empty());
  EXPECT_TRUE(std::holds_alternative<AllDown>(reports.back()));
}

}  // namespace
}  // namespace koi::controlplane::loop_trailer_test
