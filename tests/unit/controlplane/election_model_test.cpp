#include <cstdint>
#include <random>

#include <gtest/gtest.h>

#include "controlplane/election/step.h"
#include "tests/support/sample.h"
#include "tests/support/slot_rig.h"

/// The state machine of FreeBSD, NetBSD and OpenBSD of 2007 a second time, in their own terms
/// (microseconds, comparisons of protocol.md §7), side by side with ours in dialect ucarp.
namespace koi::election::election_model_test {
namespace {

struct Bsd {
  enum State { kInit, kBackup, kMaster };

  long advbase = 1, advskew = 0;
  bool preempt = false;
  bool suppressed = false;
  State state = kInit;
  long long adv_due = -1, down_due = -1;  // us, -1: not armed

  /// A demoted node counts itself as advskew 240 (OpenBSD 2007, NetBSD).
  long skew_shown() const { return suppressed && advskew < 240 ? 240 : advskew; }
  static long long us(long base, long skew) { return base * 1000000LL + skew * 1000000LL / 256; }

  void up(long long now) {
    if (state != kInit) return;
    to_backup(now);
  }
  void down() {
    state = kInit;
    adv_due = down_due = -1;
  }
  void to_backup(long long now) {
    state = kBackup;
    adv_due = -1;
    down_due = now + us(3 * advbase, advskew);
  }
  void to_master(long long now) {
    state = kMaster;
    down_due = -1;
    adv_due = now + us(advbase, skew_shown());
  }
  void hears(long long now, long base, long skew) {
    const long long mine = us(advbase, skew_shown()), theirs = us(base, skew);
    if (state == kMaster && mine >= theirs) return to_backup(now);
    if (state != kBackup) return;
    if (preempt && mine < theirs) return to_master(now);
    if (us(3 * advbase, skew_shown()) < theirs) return to_master(now);
    down_due = now + us(3 * advbase, advskew);
  }
  /// Whether it matters that the demoted skew counts in the last comparison.
  bool decided_by_demoted_skew(long base, long skew) const {
    return us(3 * advbase, advskew) < us(base, skew) &&
           us(base, skew) <= us(3 * advbase, skew_shown());
  }
  void time(long long now) {
    if (state == kBackup && down_due <= now) return to_master(now);
    if (state == kMaster && adv_due <= now) adv_due = now + us(advbase, skew_shown());
  }
};

class Pair {
 public:
  Pair(std::mt19937& random, bool all) : random_(random), all_(all) {
    // advskew in steps whose microseconds are whole, so that rounding decides nothing.
    rig_.p.dialect = config::Dialect::ucarp;
    bsd_.advbase = 1 + pick(4);
    bsd_.advskew = 32 * pick(8);
    bsd_.preempt = pick(2) == 0;
    rig_.p.advbase = static_cast<std::uint8_t>(bsd_.advbase);
    rig_.p.advskew = static_cast<std::uint8_t>(bsd_.advskew);
    rig_.p.preempt = bsd_.preempt;
  }

  void one_event() {
    rig_.now += Duration(pick(1'500'000) * 1000LL);
    run_timers();
    switch (pick(12)) {
      case 0:
        rig_.feed(LinkUp{});
        return bsd_.up(now());
      case 1:
        rig_.feed(LinkDown{});
        return bsd_.down();
      case 2:
        return demote();
      case 3:
        return hear(255, 255);
      default:
        return hear(1 + pick(6), 32 * pick(8));
    }
  }
  bool agree() const {
    return static_cast<int>(rig_.s.role) == static_cast<int>(bsd_.state) &&
           (bsd_.state != Bsd::kBackup ||
            rig_.s.timer(Timer::master_down_ipv4) == Instant(bsd_.down_due * 1us));
  }

 private:
  long pick(long below) { return static_cast<long>(random_() % static_cast<unsigned long>(below)); }
  long long now() const { return rig_.now.time_since_epoch() / 1us; }

  /// Whatever is due happens now; a BSD promotes within the input function, we at the next turn.
  void run_timers() {
    for (std::size_t t = 0; t < kTimers; ++t) {
      const auto timer = static_cast<Timer>(t);
      if (rig_.s.timer(timer) <= rig_.now) rig_.feed(TimerDue{timer});
    }
    bsd_.time(now());
  }
  void hear(long base, long skew) {
    if (!all_ && bsd_.decided_by_demoted_skew(base, skew)) return;
    rig_.hear(static_cast<unsigned>(base), static_cast<unsigned>(skew));
    if (rig_.s.timer(Timer::takeover) <= rig_.now) rig_.feed(TimerDue{Timer::takeover});
    bsd_.hears(now(), base, skew);
  }
  /// A master that is demoted bows out and goes to BACKUP: koi's own, so the BSD is told to as
  /// well.
  void demote() {
    const bool was = bsd_.suppressed;
    bsd_.suppressed = pick(2) == 0;
    rig_.feed(DemotionChanged{static_cast<std::uint8_t>(bsd_.suppressed ? 1 : 0)});
    if (bsd_.suppressed && !was && bsd_.state == Bsd::kMaster) bsd_.to_backup(now());
  }

  std::mt19937& random_;
  const bool all_;
  test::SlotRig rig_;
  Bsd bsd_;
};

void compare(bool all) {
  std::mt19937 random(20260101);
  for (int sequence = 0; sequence < static_cast<int>(100'000 / test::kStride); ++sequence) {
    Pair pair(random, all);
    for (int event = 0; event < 20; ++event) {
      pair.one_event();
      ASSERT_TRUE(pair.agree()) << "sequence " << sequence << ", event " << event;
    }
  }
}

// C7.3 kept, C8.3 kept, C8.6 kept, C8.9 kept, C8.11 kept
TEST(ElectionModel, SameRolesAsTheBsdsInAHundredThousandSequences) { compare(false); }

// protocol.md §7: "with demoted skew on both sides", the last comparison of a BACKUP included.
TEST(ElectionModel, DemotedSkewCountsInTheLastComparisonToo) { compare(true); }

}  // namespace
}  // namespace koi::election::election_model_test
