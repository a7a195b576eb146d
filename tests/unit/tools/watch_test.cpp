#include "tools/ctl/watch.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/tools/fake_daemon.h"
#include "tools/ctl/koictl.h"

namespace koi::ctl::watch_test {
namespace {

using test::FakeDaemon;
using ::testing::HasSubstr;
using ::testing::Not;

/// Three events, the newest a hand-over of the group; waiting for a fourth is remembered.
class WatchTest : public testing::Test {
 protected:
  std::optional<std::string> koid(const std::string& line) {
    const Json request = Json::parse(line);
    if (away) return std::string();
    if (text(request, "command") == "status") {
      return R"({"ok":true,"node":"fw-a","groups":[]})"
             "\n";
    }
    if (request.contains("wait_ms")) waited.push_back(request);
    Json reply = Json::parse(R"({"ok":true,"boot":"b","last":3,"lost":0,"events":[]})");
    for (int n = 1; n <= 3; ++n) {
      if (n <= number(request, "after").value_or(0)) continue;
      reply["events"].push_back({{"sequence", n},
                                 {"time", "2026-01-02T03:04:05.678Z"},
                                 {"kind", "koid"},
                                 {"cause", "event " + std::to_string(n)}});
    }
    return reply.dump() + '\n';
  }

  /// So many screens.
  std::vector<std::string> screens(std::size_t count, bool terminal) {
    FakeDaemon daemon([this](const std::string& line) { return koid(line); });
    Watch wanted;
    wanted.socket = daemon.path();
    wanted.interval = std::chrono::milliseconds(10);
    wanted.terminal = terminal;
    std::vector<std::string> seen;
    const Reply reply = watch(wanted, [&](std::string_view screen) {
      seen.emplace_back(screen);
      away = seen.size() == away_after;
      return seen.size() < count;
    });
    EXPECT_EQ(reply.outcome, Outcome::done) << reply.error;
    return seen;
  }

  bool away = false;
  std::size_t away_after = 0;
  std::vector<Json> waited;
};

TEST_F(WatchTest, ShowsTheStatusAndTheLastEventsUntilNobodyReads) {
  const auto seen = screens(3, false);
  ASSERT_EQ(seen.size(), 3U);
  for (const std::string& screen : seen) {
    EXPECT_THAT(screen, HasSubstr("fw-a"));
    EXPECT_THAT(screen, HasSubstr("event 1\n"));
    EXPECT_THAT(screen, HasSubstr("event 3\n"));
    EXPECT_THAT(screen, Not(HasSubstr("\x1b")));
  }
  ASSERT_EQ(waited.size(), 2U);
  EXPECT_EQ(waited[0]["after"], 3);  // the next event ends the waiting
  EXPECT_EQ(waited[0]["wait_ms"], 10);
}

TEST_F(WatchTest, OnATerminalInPlace) {
  const auto seen = screens(1, true);
  EXPECT_THAT(seen[0], testing::StartsWith("\x1b[H"));
  EXPECT_THAT(seen[0], testing::EndsWith("event 3\x1b[K\n\x1b[J"));
  EXPECT_THAT(seen[0], Not(HasSubstr("\x1b[2J")));
}

TEST_F(WatchTest, AKoidThatGoesAwayIsWaitedFor) {
  away_after = 1;
  const auto seen = screens(3, false);
  ASSERT_EQ(seen.size(), 3U);
  EXPECT_THAT(seen[1], Not(HasSubstr("fw-a")));
  EXPECT_THAT(seen[1], HasSubstr("closed"));
  EXPECT_THAT(seen[2], HasSubstr("fw-a"));
}

TEST(Watch, NoKoidAtTheStart) {
  Surroundings surroundings;
  surroundings.print = [](std::string_view) { return true; };
  const Printed none = run({"--socket", "/nowhere/koid.sock", "watch"}, surroundings);
  EXPECT_EQ(none.exit_code, ExitCode::no_daemon);
  EXPECT_EQ(run({"watch", "--interval", "soon"}, surroundings).exit_code, ExitCode::usage);
}

}  // namespace
}  // namespace koi::ctl::watch_test
