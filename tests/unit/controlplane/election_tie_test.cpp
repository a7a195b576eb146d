#include <algorithm>
#include <array>
#include <cctype>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "controlplane/election/send_errors.h"
#include "controlplane/election/step.h"
#include "controlplane/election/tie.h"
#include "tests/support/slot_rig.h"

namespace koi::election::election_tie_test {
namespace {

constexpr Instant kNow{Duration(100s)};

State in_role(Role role) {
  State s;
  s.role = role;
  return s;
}
State due_at(Timer timer, Instant at) {
  State s = in_role(Role::backup);
  s.arm(timer, at);
  return s;
}
State waiting(Duration since) { return due_at(Timer::master_down_ipv4, kNow - since); }

struct Tie {
  explicit Tie(std::vector<State> s) : states(std::move(s)) {}
  /// One letter for each slot: x where it is named.
  std::string released(Instant now = kNow) {
    return named([&](auto tied, auto out) { return release_promotions(tied, now, out); });
  }
  std::string down() {
    return named([](auto tied, auto out) { return follow_step_down(tied, out); });
  }
  std::vector<State> states;

 private:
  template <class F>
  std::string named(F function) {
    std::vector<const State*> tied;
    for (const State& s : states) tied.push_back(&s);
    std::array<bool, 8> out{};
    out.fill(true);  // whatever was there before
    const std::size_t count =
        function(std::span<const State* const>(tied), std::span(out).first(tied.size()));
    std::string text;
    for (std::size_t i = 0; i < tied.size(); ++i) text += out[i] ? 'x' : '-';
    EXPECT_EQ(count, static_cast<std::size_t>(std::count(text.begin(), text.end(), 'x')));
    return text;
  }
};

// ---- promotions ---------------------------------------------------------------------------------

TEST(ElectionTie, NobodyIsDue) {
  EXPECT_EQ(Tie({waiting(-1ns), waiting(-1s)}).released(), "--");
  EXPECT_EQ(Tie({in_role(Role::init), in_role(Role::backup), in_role(Role::master)}).released(),
            "---");
  EXPECT_EQ(Tie({}).released(), "");
}

// C18.1 kept
TEST(ElectionTie, AllDueGoTogetherAtOnce) {
  EXPECT_EQ(Tie({waiting(0ns), waiting(0ns)}).released(), "xx");
  EXPECT_EQ(Tie({waiting(1ms), waiting(0ns), waiting(100us)}).released(), "xxx");
}

// C18.1 kept, C18.1 refused
TEST(ElectionTie, OneThatIsDueWaitsForTheOthersButNotLong) {
  EXPECT_EQ(Tie({waiting(0ns), waiting(-1us)}).released(), "--");
  EXPECT_EQ(Tie({waiting(kTieWait - 1ns), waiting(-1us)}).released(), "--");
  EXPECT_EQ(Tie({waiting(kTieWait), waiting(-1us)}).released(), "x-");
  EXPECT_EQ(Tie({waiting(kTieWait), in_role(Role::backup)}).released(), "x-");  // no timer at all
}

// C18.1 kept
TEST(ElectionTie, WhenTheFirstHasWaitedAllThatAreDueGo) {
  EXPECT_EQ(Tie({waiting(kTieWait), waiting(0ns), waiting(-1us)}).released(), "xx-");
}

TEST(ElectionTie, OnlyBackupsAreWaitedFor) {
  EXPECT_EQ(Tie({waiting(0ns), in_role(Role::master), in_role(Role::init)}).released(), "x--");
}

TEST(ElectionTie, EachTimerThatMayPromoteCounts) {
  for (const Timer timer :
       {Timer::master_down_ipv4, Timer::master_down_ipv6, Timer::takeover, Timer::preempt}) {
    EXPECT_EQ(Tie({waiting(0ns), due_at(timer, kNow)}).released(), "xx");
  }
  EXPECT_EQ(Tie({due_at(Timer::refresh, kNow)}).released(), "-");
}

// C18.1 kept
TEST(ElectionTie, NobodyWaitsLongerThanPromiseTwoAllows) {
  for (Duration other = -10ms; other <= Duration(10ms); other += 100us) {
    Tie tie({waiting(0ns), due_at(Timer::takeover, kNow + other)});
    const Instant first = std::min(kNow, kNow + other);
    Instant t = first;
    while (tie.released(t) == "--" && t < first + 1s) t += 50us;
    EXPECT_LE(t - first, Duration(2ms));
    EXPECT_EQ(tie.released(std::max(kNow, kNow + other) + kTieWait), "xx");
  }
}

TEST(ElectionTie, TiedSlotsPreemptInOneTurn) {
  test::SlotRig lan, wan;
  for (test::SlotRig* rig : {&lan, &wan}) {
    rig->p.preempt = rig->p.tied = true;
    rig->become_backup();
    EXPECT_EQ(rig->hear(1, 200), "");
    rig->now += 1ms;  // the second one is heard a millisecond later
    wan.now = rig->now;
  }
  Tie tie({lan.s, wan.s});
  EXPECT_EQ(tie.released(wan.now), "xx");
  EXPECT_EQ(lan.due(Timer::preempt), "Mag");
  EXPECT_EQ(lan.s.cause, Cause::preempt);
}

// C18.1 kept
TEST(ElectionTie, PreemptingWaitsUntilEveryTiedBackupHasHeardItsMaster) {
  test::SlotRig lan, wan;
  for (test::SlotRig* rig : {&lan, &wan}) {
    rig->p.preempt = rig->p.tied = true;
    rig->become_backup();
  }
  wan.hear(1, 200);
  EXPECT_EQ(Tie({lan.s, wan.s}).released(wan.now + 500ms), "--");
  lan.now = wan.now + 600ms;
  lan.hear(1, 200);
  EXPECT_EQ(Tie({lan.s, wan.s}).released(lan.now), "xx");
  // Nobody there: the timer ends the wait.
  test::SlotRig alone;
  alone.become_backup();
  const Instant due = alone.s.timer(Timer::master_down_ipv4);
  EXPECT_EQ(Tie({alone.s, wan.s}).released(due - 1ns), "--");
  EXPECT_EQ(Tie({alone.s, wan.s}).released(due), "xx");
}

TEST(ElectionTie, AMasterThatIsGoneIsNotWaitedFor) {
  State unheard = in_role(Role::backup);
  unheard.arm(Timer::master_down_ipv4, kNow + 1s);
  EXPECT_EQ(Tie({unheard, waiting(kTieWait)}).released(), "-x");
}

// ---- stepping down ------------------------------------------------------------------------------

TEST(ElectionTie, AllMastersFollow) {
  EXPECT_EQ(Tie({in_role(Role::master), in_role(Role::backup), in_role(Role::init),
                 in_role(Role::master)})
                .down(),
            "x--x");
  EXPECT_EQ(Tie({in_role(Role::backup), in_role(Role::init)}).down(), "--");
}

// C18.2 kept
TEST(ElectionTie, FollowersAreSilentFirstAndBowOut) {
  test::SlotRig rig;
  rig.become_master();
  EXPECT_EQ(rig.feed(StepDown{Cause::tied}), "B");
  EXPECT_EQ(to_string(rig.s.cause), "tied group");
  EXPECT_EQ(rig.feed(WorkersSilent{}), "o");
}

// ---- send errors --------------------------------------------------------------------------------

/// r: refused, t: taken, n: nothing heard; an upper-case letter where demotes() changed.
std::string judged(const std::string& fates, SendErrors& errors) {
  std::string text;
  for (const char fate : fates) {
    errors.queued();
    const bool changed = fate == 'r' ? errors.refused() : (fate == 't' ? errors.taken() : false);
    text += static_cast<char>(changed ? std::toupper(fate) : fate);
  }
  return text;
}
std::string judged(const std::string& fates) {
  SendErrors errors;
  return judged(fates, errors);
}

// C9.12 kept
TEST(SendErrors, ThreeInARowDemoteAndThreeGoodOnesClear) {
  EXPECT_EQ(judged("rrr"), "rrR");
  EXPECT_EQ(judged("rrtrrtrr"), "rrtrrtrr");
  EXPECT_EQ(judged("rrrrrr"), "rrRrrr");
  EXPECT_EQ(judged("rrrttt"), "rrRttT");
  EXPECT_EQ(judged("rrrttrttt"), "rrRttrttT");
  EXPECT_EQ(judged("rrrtttrrrttt"), "rrRttTrrRttT");
  EXPECT_EQ(judged("tttttt"), "tttttt");
  EXPECT_EQ(judged("rnrnr"), "rnrnR");
}

TEST(SendErrors, AnAdvertisementCountsOnce) {
  SendErrors errors;
  errors.queued();
  for (int copy = 0; copy < 10; ++copy) EXPECT_FALSE(errors.refused());
  EXPECT_FALSE(errors.taken());  // the other family's does not make up for it
  EXPECT_EQ(judged("rr", errors), "rR");
  for (int word = 0; word < 10; ++word) EXPECT_FALSE(errors.taken());
  EXPECT_TRUE(errors.demotes());
}

TEST(SendErrors, NothingIsJudgedBeforeItIsQueued) {
  SendErrors errors;
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(errors.refused());
  EXPECT_FALSE(errors.demotes());
}

}  // namespace
}  // namespace koi::election::election_tie_test
