#include "controlplane/self_watch.h"

#include <gtest/gtest.h>

#include "controlplane/port_ears.h"

namespace koi::controlplane::self_watch_test {
namespace {

/// A control loop that turns every 200 µs and a worker that polls just before, unless told not to.
struct Box {
  SelfWatch watch{1, 10ms};
  Instant now{100s};
  Instant polled{100s};
  bool polls = true;

  void run(Duration time, Duration turn = 200us) {
    for (const Instant end = now + time; now < end;) {
      now += turn;
      if (polls) polled = now - 50us;
      watch.turn(now, {polled});
    }
  }
};

TEST(SelfWatch, AllIsWell) {
  Box box;
  box.run(1s);
  EXPECT_FALSE(box.watch.late() || box.watch.stalled(WorkerIndex(0)));
}

// C18.9 kept
TEST(SelfWatch, AStalledWorkerIsFoundWithinAMillisecondAndForgivenAfterASecond) {
  Box box;
  box.run(50ms);
  box.polls = false;
  box.run(9ms);
  EXPECT_FALSE(box.watch.stalled(WorkerIndex(0)));
  box.run(2ms);
  EXPECT_TRUE(box.watch.stalled(WorkerIndex(0)));
  EXPECT_TRUE(box.watch.late() || box.watch.stalled(WorkerIndex(0)));
  box.polls = true;
  box.run(900ms);
  EXPECT_TRUE(box.watch.late() || box.watch.stalled(WorkerIndex(0)));
  box.run(200ms);
  EXPECT_FALSE(box.watch.late() || box.watch.stalled(WorkerIndex(0)));
}

TEST(SelfWatch, TellsWhenADemotionEnds) {
  Box box;
  EXPECT_EQ(box.watch.next_end(), Instant::max());
  box.polls = false;
  box.run(20ms);
  const Instant end = box.watch.next_end();
  EXPECT_EQ(end, box.now + 1s + 1ns);
  box.watch.turn(end - 1ns, {end - 1ns});
  EXPECT_TRUE(box.watch.stalled(WorkerIndex(0)));
  box.watch.turn(end, {end});
  EXPECT_FALSE(box.watch.stalled(WorkerIndex(0)));
  EXPECT_EQ(box.watch.next_end(), Instant::max());
}

// C18.9 kept
TEST(SelfWatch, ALongerStallAfterBearsLongerPausesOfControlToo) {
  Box box{.watch = SelfWatch(1, 200ms)};
  box.run(900ms, 180ms);
  EXPECT_FALSE(box.watch.late());
  box.run(900ms, 220ms);
  EXPECT_TRUE(box.watch.late());
}

TEST(SelfWatch, APauseOfTheWholeBoxIsNoStalledWorker) {
  Box box;
  box.run(50ms);
  box.polls = false;
  box.run(40ms, 40ms);  // both slept; control wakes first
  EXPECT_FALSE(box.watch.stalled(WorkerIndex(0)));
  box.run(9ms);
  EXPECT_FALSE(box.watch.stalled(WorkerIndex(0)));
  box.run(2ms);
  EXPECT_TRUE(box.watch.stalled(WorkerIndex(0)));
}

TEST(SelfWatch, AWorkerThatHasNotStartedIsNotStalled) {
  SelfWatch watch(1, 10ms);
  for (Instant now{100s}; now < Instant{101s}; now += 1ms) watch.turn(now, {});
  EXPECT_FALSE(watch.late() || watch.stalled(WorkerIndex(0)));
}

// C18.9 kept
TEST(SelfWatch, ThreeLateTurnsDemoteUntilTenQuietSeconds) {
  Box box;
  box.run(1ms);
  for (int late = 0; late < 3; ++late) {
    EXPECT_FALSE(box.watch.late()) << late;
    box.run(51ms, 51ms);
    box.run(1s);
  }
  EXPECT_TRUE(box.watch.late());
  EXPECT_TRUE(box.watch.late() || box.watch.stalled(WorkerIndex(0)));
  box.run(8s);
  EXPECT_TRUE(box.watch.late());
  box.run(2s);
  EXPECT_FALSE(box.watch.late() || box.watch.stalled(WorkerIndex(0)));
}

// C18.9 kept
TEST(SelfWatch, EachLateTurnCountsTenSecondsFromTheOneBefore) {
  Box box;
  box.run(1ms);
  for (int late = 0; late < 3; ++late) {
    EXPECT_FALSE(box.watch.late()) << late;
    box.run(50ms, 50ms);  // no more than that
    box.run(51ms, 51ms);
    box.run(9s);
  }
  EXPECT_TRUE(box.watch.late());
}

TEST(SelfWatch, LateTurnsFarApartAreNoDemotion) {
  Box box;
  box.run(1ms);
  for (int late = 0; late < 5; ++late) {
    box.run(51ms, 51ms);
    box.run(11s);
    EXPECT_FALSE(box.watch.late()) << late;
  }
}

// C17.1 kept
TEST(PortEars, APortIsDeafOnceItsCountersStandStill) {
  const auto counters = std::make_unique<WorkerCounters>();
  PortEars ears({counters.get()});
  Instant now{100s};
  ears.listen_now(now);
  EXPECT_FALSE(ears.deaf(PortIndex(0), now, 10ms));  // it has just begun to listen
  now += 10ms;
  counters->ports[1].received.add(3);  // within these 10 ms, nobody knows when
  ears.listen_now(now);
  EXPECT_TRUE(ears.deaf(PortIndex(0), now, 10ms));
  EXPECT_FALSE(ears.deaf(PortIndex(0), now, 11ms));
  EXPECT_TRUE(ears.deaf(PortIndex(1), now, 10ms));
  now += 1ms;
  counters->ports[1].received.add();
  ears.listen_now(now);
  EXPECT_FALSE(ears.deaf(PortIndex(1), now, 2ms));
}

TEST(PortEars, LooksOnceInAMillisecond) {
  const auto counters = std::make_unique<WorkerCounters>();
  PortEars ears({counters.get()});
  Instant now{100s};
  ears.listen(now);
  counters->ports[0].received.add();
  now += 999us;
  ears.listen(now);
  EXPECT_TRUE(ears.deaf(PortIndex(0), now, 999us));
  now += 1us;
  ears.listen(now);
  counters->ports[0].received.add();
  now += 1ms;
  ears.listen(now);
  EXPECT_FALSE(ears.deaf(PortIndex(0), now, 2ms));
}

TEST(PortEars, WithoutCountersNoPortIsDeaf) {
  PortEars ears({});
  ears.listen_now(Instant{100s});
  EXPECT_FALSE(ears.deaf(PortIndex(0), Instant{100s}, 1ms));
}

}  // namespace
}  // namespace koi::controlplane::self_watch_test
