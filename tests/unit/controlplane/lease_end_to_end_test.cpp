#include <cmath>
#include <random>

#include <gtest/gtest.h>

#include "tests/support/lease_world.h"
#include "tests/support/sample.h"

/// The lease from end to end: real control loops, real worker leases, real frames, threads that
/// stop at random moments. Seeds are fixed, so a failure repeats itself.
namespace koi::test::lease_end_to_end_test {
namespace {

using Who = LeaseWorld::Who;

struct Shape {
  std::size_t boxes = 2;
  unsigned workers = 1;
  bool preempt = false;
  bool demotions = false;
  bool kills = false;
  Duration poll = 50us;
};

/// Lengths from 0.1 ms to 60 ms, each order of magnitude as often as the next.
Duration some_length(std::mt19937& random) {
  std::uniform_real_distribution<double> exponent(std::log(100.0), std::log(60'000.0));
  return Duration(static_cast<std::int64_t>(std::exp(exponent(random)) * 1000));
}

void run_seed(std::uint32_t seed, const Shape& shape) {
  std::mt19937 random(seed);
  LeaseWorld::Setup setup;
  setup.seed = seed;
  setup.workers = shape.workers;
  setup.poll = shape.poll;
  setup.burst = 1 + random() % 3;  // so that what waited comes in several polls
  for (std::size_t b = 0; b < shape.boxes; ++b) {
    setup.boxes.push_back({.advskew = static_cast<std::uint8_t>(random() % 3),
                           .preempt = shape.preempt && random() % 2 == 0});
  }
  LeaseWorld world(setup);
  const Instant start = world.now();
  const Instant end = start + 200ms;
  for (unsigned i = 0; i < 12; ++i) {
    const Instant from = start + Duration(random() % 180'000 * 1000LL);
    const std::size_t box = random() % shape.boxes;
    const Who who = random() % 2 == 0 ? Who::control : Who::worker;
    const std::size_t worker = random() % shape.workers;
    world.pause(box, who, worker,
                {from, static_cast<unsigned>(random() % 12), some_length(random)});
  }
  if (shape.demotions) {
    const std::size_t box = random() % shape.boxes;
    const Instant at = start + 40ms + Duration(random() % 60'000 * 1000LL);
    world.demote(box, at, 1);
    if (random() % 2 == 0) world.demote(box, at + 30ms, 0);
  }
  if (shape.kills) world.kill(random() % shape.boxes, start + 60ms);
  world.run_until(end);
  ASSERT_EQ(world.violation(), "") << "seed " << seed << "\n" << world.history();
}

void run_seeds(std::uint32_t first, std::uint32_t count, const Shape& shape) {
  for (std::uint32_t seed = first; seed < first + count; ++seed) {
    run_seed(seed, shape);
    if (testing::Test::HasFatalFailure()) return;
  }
}

TEST(LeaseEndToEnd, OneBoxAnswersAndTheOtherTakesOverWhenItDies) {
  LeaseWorld world({.boxes = {{.advskew = 1}, {.advskew = 2}}});
  const Instant start = world.now();
  world.run_until(start + 60ms);
  EXPECT_EQ(world.answering(), 1U);
  world.kill(0, world.now());
  world.run_until(world.now() + 100ms);
  EXPECT_EQ(world.violation(), "") << world.history();
  EXPECT_EQ(world.answering(), 1U);
}

constexpr std::uint32_t kSeeds = 120 / kStride;

TEST(LeaseEndToEnd, PausesAtRandomMoments) { run_seeds(1, kSeeds, {}); }
TEST(LeaseEndToEnd, Preemption) { run_seeds(10'001, kSeeds, {.preempt = true}); }
TEST(LeaseEndToEnd, TwoWorkers) { run_seeds(20'001, kSeeds, {.workers = 2, .preempt = true}); }
TEST(LeaseEndToEnd, HandOver) { run_seeds(30'001, kSeeds, {.demotions = true}); }
TEST(LeaseEndToEnd, Deaths) { run_seeds(40'001, kSeeds, {.preempt = true, .kills = true}); }
TEST(LeaseEndToEnd, ThreeBoxes) {
  run_seeds(50'001, kSeeds,
            {.boxes = 3, .workers = 2, .preempt = true, .demotions = true, .kills = true});
}
/// So many polls share a judgement (WorkerLease::kJudgedFor).
TEST(LeaseEndToEnd, PollsInQuickSuccession) {
  run_seeds(60'001, kSeeds / 4,
            {.workers = 2, .preempt = true, .demotions = true, .kills = true, .poll = 5us});
}

// ---- a better box comes and takes it; the old master's worker stops just then
// ---------------------

LeaseWorld::Setup taken_over(unsigned workers) {
  return {.boxes = {{.advskew = 2}, {.advskew = 1, .preempt = true, .joins_after = 40ms}},
          .workers = workers};
}

/// When the better box begins to answer, if nobody stops.
Instant moment_of_takeover(unsigned workers) {
  LeaseWorld calm(taken_over(workers));
  calm.run_until(calm.now() + 60ms);
  EXPECT_EQ(calm.violation(), "");
  EXPECT_GT(calm.began(1), calm.began(0) + 10ms);
  return calm.began(1);
}

/// A stop of a thread of the old master.
struct Stop {
  Who who;
  std::size_t worker;
  unsigned skip;
  Duration length;
};

/// The same stops again and again, a little later each time, from well before the takeover on.
void stop_around_takeover(unsigned workers, const std::vector<Stop>& stops, Duration step) {
  const Instant takeover = moment_of_takeover(workers);
  for (Duration at = -1200us; at < 300us; at += step * static_cast<int>(kStride)) {
    LeaseWorld world(taken_over(workers));
    for (const Stop& stop : stops) {
      world.pause(0, stop.who, stop.worker, {takeover + at, stop.skip, stop.length});
    }
    world.run_until(takeover + 30ms);
    ASSERT_EQ(world.violation(), "") << at / 1us << " us from it\n" << world.history();
  }
}

TEST(LeaseEndToEnd, L1OneStopOfAnyLength) {
  for (const Duration length : {300us, 600us, 940us, 990us, 1100us, 5000us}) {
    for (const unsigned skip : {0U, 2U, 3U, 5U, 6U}) {
      stop_around_takeover(1, {{Who::worker, 0, skip, length}}, 50us);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(LeaseEndToEnd, L1AndL7AFrozenControlPlaneCannotSitOutABetterMaster) {
  for (const unsigned skip : {0U, 2U, 4U, 6U}) {
    stop_around_takeover(1, {{Who::control, 0, skip, 9ms}}, 50us);
    stop_around_takeover(2, {{Who::control, 0, skip, 9ms}}, 50us);
    if (HasFatalFailure()) return;
  }
}

TEST(LeaseEndToEnd, L7ClaimIsAsOldAsThePollBeforeIt) {
  stop_around_takeover(1, {{Who::control, 0, 0, 9ms}, {Who::worker, 0, 0, 900us}}, 20us);
}

TEST(LeaseEndToEnd, L1NobodyAnswersWhileAnotherReceiverDoesNotPoll) {
  for (const std::size_t worker : {0U, 1U}) {
    stop_around_takeover(2, {{Who::worker, worker, 0, 9ms}}, 50us);
    if (HasFatalFailure()) return;
  }
}

TEST(LeaseEndToEnd, L8NobodyAnswersUntilAnotherReceiversGapIsAcknowledged) {
  // It wakes up, publishes its poll and stops again before it looks at its queue.
  for (const std::size_t worker : {0U, 1U}) {
    stop_around_takeover(2, {{Who::worker, worker, 0, 4ms}, {Who::worker, worker, 1, 900us}}, 50us);
    if (HasFatalFailure()) return;
  }
}

// The old master comes back while its earlier term's deadline has not passed yet, and its control
// plane stops between the view that promotes and the first advertisement.
TEST(LeaseEndToEnd, L1DeadlineOfAnEarlierTermLetsNobodyAnswer) {
  const Instant takeover = moment_of_takeover(1);
  const auto come_back = [&](LeaseWorld& world) {
    world.demote(1, takeover + 2ms, 1);
    world.run_until(takeover + 8ms);
    EXPECT_EQ(world.violation(), "") << world.history();
  };
  LeaseWorld calm(taken_over(1));
  come_back(calm);
  ASSERT_GT(calm.began(0), takeover);
  for (unsigned skip = 0; skip < 20; ++skip) {
    LeaseWorld world(taken_over(1));
    world.pause(0, Who::control, 0, {calm.began(0) - 200us, skip, 600us});
    come_back(world);
  }
}

// The worker stops for just under 1 ms between two polls, and again between poll and hand-over.
TEST(LeaseEndToEnd, L1TwoShortStopsInARow) {
  stop_around_takeover(1, {{Who::worker, 0, 0, 940us}, {Who::worker, 0, 0, 950us}}, 10us);
}

}  // namespace
}  // namespace koi::test::lease_end_to_end_test
