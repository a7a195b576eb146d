#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "common/contract/counters.h"
#include "common/contract/slot_board.h"
#include "controlplane/loop.h"
#include "dataplane/advert_receiver.h"
#include "dataplane/drain.h"
#include "tests/support/fake_channel.h"

/// A small deterministic world for the lease: boxes of one group on one wire and one virtual clock.
/// Each box is the real ControlLoop with real WorkerLeases and AdvertReceivers; only rings, clock,
/// NIC and the worker's loop are models. Threads are actors that run one after the other; any of
/// them can be paused at any of its pause points (a look at the clock, a ring's end, between poll
/// and hand-over), and the others go on meanwhile.
///
/// Asked all the time: may this box answer? From that the two promises are checked (design.md).
namespace koi::test {

class LeaseWorld {
 public:
  struct BoxSetup {
    std::uint8_t advskew = 0;
    bool preempt = false;
    Duration joins_after{};  // when its link comes up
  };
  struct Setup {
    std::vector<BoxSetup> boxes;
    unsigned workers = 1;  // per box; every one of them receives
    std::uint8_t advbase = 0;
    std::uint8_t lowest_advskew = 1;
    Duration poll = 50us;
    Duration turn = 80us;
    Duration wire = 10us;
    std::size_t queue_depth = 16;  // frames that a worker's receive queue holds
    std::size_t burst = 64;        // frames that one poll takes at most
    std::uint32_t seed = 1;        // of the jitter
  };
  enum class Who : std::uint8_t { control, worker };
  struct Pause {
    Instant from{};
    unsigned skip = 0;  // pause points passed after `from` before it takes hold
    Duration length{};
  };

  explicit LeaseWorld(const Setup& setup);
  ~LeaseWorld();

  Instant now() const { return now_; }
  void pause(std::size_t box, Who who, std::size_t worker, const Pause& pause);
  void kill(std::size_t box, Instant at);
  void demote(std::size_t box, Instant at, std::uint8_t count);
  void run_until(Instant end);

  /// The first broken promise, and what led to it; empty: none.
  const std::string& violation() const { return violation_; }
  std::string history() const;
  /// Boxes that answered within the last millisecond.
  std::size_t answering() const;
  /// When the box began to answer in its latest reign; 0: never yet.
  Instant began(std::size_t box) const;
  Duration longest_double() const { return longest_double_; }

 private:
  struct Frame {
    Instant arrival{};
    std::vector<std::byte> bytes;
  };
  struct Actor;
  struct Worker;
  struct Box;
  class ActorClock;
  struct Plan {
    Instant at{};
    std::function<void()> what;
  };

  void pause_point(Actor& actor);
  void step(Actor& actor);
  void run_plans();
  void poll(Actor& actor, Worker& worker);
  static void report_gap(Worker& worker);
  void receive_down(Actor& actor, Worker& worker);
  void broadcast(const Box& from, const TransmitFrame& frame);
  void answered(Box& box, Term term);
  void check_frame(Box& box, const TransmitFrame& frame);
  void check_silence();
  void note(std::string text);
  void fail(std::string text);

  const Setup setup_;
  Duration longest_wait_{};  // longest master-down time of a box
  std::mt19937 random_;
  Instant now_{Duration(1s)};
  std::vector<std::unique_ptr<Box>> boxes_;
  std::vector<std::unique_ptr<Actor>> actors_;
  std::vector<Plan> plans_;
  unsigned paused_ = 0;
  Instant disturbed_until_{};
  Instant last_answer_{};
  Duration longest_double_{};
  std::string violation_;
  std::deque<std::string> history_;
};

}  // namespace koi::test
