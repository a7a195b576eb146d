#include "tools/ctl/events.h"

#include <cstdlib>
#include <ctime>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/unit/tools/fake_daemon.h"
#include "tools/ctl/events_text.h"
#include "tools/ctl/koictl.h"

namespace koi::ctl::events_test {
namespace {

using test::FakeDaemon;

std::string event(int sequence, const std::string& rest) {
  return R"({"sequence":)" + std::to_string(sequence) + R"(,"time":"2026-01-02T03:04:05.678Z",)" +
         rest + "}";
}

std::string role(int sequence) {
  return event(sequence, R"("kind":"role","group":"lan-gateway","vhid":1,"from":"BACKUP",
    "to":"MASTER","cause":"preempt","term":4)");
}

std::string page(const std::string& boot, const std::string& events, int last, int lost = 0) {
  Json reply = Json::parse(R"({"ok":true,"boot":")" + boot + R"(","events":[)" + events + "]}");
  reply["last"] = last;
  reply["lost"] = lost;
  return reply.dump() + '\n';
}

class Events : public testing::Test {
 protected:
  void SetUp() override {
    ::setenv("TZ", "UTC0", 1);
    ::tzset();
  }
  void TearDown() override {
    ::unsetenv("TZ");
    ::tzset();
  }
};

TEST_F(Events, EachKindIsOneLine) {
  const std::vector<std::pair<std::string, std::string>> kinds = {
      {R"("kind":"koid","cause":"started, version 0.1.0")", "koid: started, version 0.1.0"},
      {R"("kind":"role","group":"lan","vhid":1,"from":"BACKUP","to":"MASTER","term":3,
          "cause":"master-down timer","since_heard_ms":12.04,"demotion":1,"advskew":0)",
       "lan vhid 1: BACKUP -> MASTER, master-down timer (term 3, last heard 12.04 ms ago, "
       "demotion 1)"},
      {R"("kind":"link","port":"lan","to":"down")", "port lan: link down"},
      {R"("kind":"demotion","from":"0","to":"4","cause":"track web","detail":"koi-agent: exit\ncode 1",
          "groups":["lan","wan"])",
       "demoted by 4: track web, by koi-agent: exit?code 1, for lan, wan"},
      {R"("kind":"demotion","from":"1","to":"0","cause":"command","detail":"koictl by uid 0")",
       "no longer demoted by 1: command, by koictl by uid 0"},
      {R"("kind":"notice","group":"lan","vhid":1,"cause":"address-claimed",
          "detail":"192.0.2.9 at 02:00:00:00:00:09","repeats":3)",
       "lan vhid 1: notice address-claimed, 192.0.2.9 at 02:00:00:00:00:09 (3 more before)"},
      {R"("kind":"agent","cause":"is not there","to":"absent")", "koi-agent: is not there"},
      {R"("kind":"hook","group":"lan","vhid":1,"cause":"exit code 3","detail":"/etc/koi/a","of":7)",
       "lan vhid 1: hook /etc/koi/a: exit code 3 (of event 7)"},
      {R"("kind":"host","port":"lan","cause":"koi-lan: added 192.0.2.1/32")",
       "port lan: koi-lan: added 192.0.2.1/32"},
      {R"("kind":"future","group":"lan","cause":"something")", "lan: future something"}};
  for (const auto& [json, text] : kinds) {
    EXPECT_EQ(event_line(Json::parse(event(12, json))),
              "   12  2026-01-02 03:04:05.678  " + text + "\n");
  }
  EXPECT_EQ(event_line(Json::parse("{}")), "    ?  ?  : ?\n");
  EXPECT_EQ(event_line(Json()), "    ?  ?  : ?\n");
}

TEST_F(Events, AllThatAreKeptPageByPage) {
  FakeDaemon daemon([](const std::string& request) {
    return page("a", text(Json::parse(request), "after") == "0" ? role(5) + "," + role(6) : role(7),
                7, 4);
  });
  const Printed printed = run({"events", "--socket", daemon.path()}, {});
  EXPECT_EQ(printed.exit_code, ExitCode::done);
  EXPECT_EQ(printed.out, event_line(Json::parse(role(5))) + event_line(Json::parse(role(6))) +
                             "       -- 4 earlier events are no longer kept --\n" +
                             event_line(Json::parse(role(7))));
  EXPECT_EQ(daemon.requests(),
            (std::vector<std::string>{R"({"command":"events","after":0})",
                                      R"({"command":"events","after":6,"boot":"a"})"}));
}

TEST_F(Events, OfOneGroupAndAsJson) {
  FakeDaemon daemon([](const std::string&) {
    return page("a",
                role(1) + "," + event(2, R"("kind":"link","port":"lan","to":"up")") + "," +
                    event(3, R"("kind":"demotion","groups":["wan","lan-gateway"])") + "," +
                    event(4, R"("kind":"hook","group":"wan")"),
                4);
  });
  const Printed printed =
      run({"--socket", daemon.path(), "events", "--json", "--group", "lan-gateway", "--after", "0"},
          {});
  const std::string third = event(3, R"("kind":"demotion","groups":["wan","lan-gateway"])");
  EXPECT_EQ(printed.out, Json::parse(role(1)).dump() + '\n' + Json::parse(third).dump() + '\n');
}

TEST_F(Events, FollowsAcrossARestartOfKoid) {
  int n = 0;
  FakeDaemon daemon([&n](const std::string&) -> std::optional<std::string> {
    switch (++n) {
      case 1:
        return page("a", "", 25);
      case 2:
        return page("a", role(16) + "," + role(25), 25, 8);  // the beginning is no loss
      case 3:
        return page("a", "", 25);  // the time is over
      case 4:
        return page("a", role(28), 28, 2);
      case 5:
        return "";  // koid ends
      case 6:
        return "";
      default:
        return page("b", role(1), 1);
    }
  });
  std::string seen;
  const Reply reply = show_events(
      daemon.path(), {.after = {}, .group = "", .follow = true}, 5s,
      [&seen](std::string_view text) {
        seen += text;
        return !text.starts_with("    1  ");
      },
      1ms);
  EXPECT_EQ(reply.outcome, Outcome::done);
  EXPECT_EQ(seen, event_line(Json::parse(role(16))) + event_line(Json::parse(role(25))) +
                      "       -- 2 earlier events are no longer kept --\n" +
                      event_line(Json::parse(role(28))) +
                      "       -- koid closed the connection on " + daemon.path() +
                      " without a whole reply: it may be stopping, see systemctl status koid --\n"
                      "       -- koid has started anew --\n" +
                      event_line(Json::parse(role(1))));
  const auto requests = daemon.requests();
  ASSERT_EQ(requests.size(), 7U);
  EXPECT_EQ(requests[1], R"({"command":"events","after":15})");
  EXPECT_EQ(requests[2], R"({"command":"events","after":25,"boot":"a","wait_ms":30000})");
  EXPECT_EQ(requests[6], R"({"command":"events","after":28,"boot":"a","wait_ms":30000})");
}

TEST_F(Events, WithoutKoidOrWithAnOldOneItEnds) {
  for (const bool follow : {false, true}) {
    EXPECT_EQ(
        show_events("/nowhere/koid.sock", {.after = {}, .group = {}, .follow = follow}, 1s, {})
            .outcome,
        Outcome::no_daemon);
    FakeDaemon old([](const std::string&) {
      return R"({"ok":false,"error":"unknown command"})"
             "\n";
    });
    EXPECT_EQ(show_events(old.path(), {.after = {}, .group = {}, .follow = follow}, 1s, {}).outcome,
              Outcome::refused);
  }
  for (const std::vector<std::string>& wrong : {std::vector<std::string>{"events", "--after"},
                                                {"events", "--after", "x"},
                                                {"events", "x"},
                                                {"events", "--after", "-1"}}) {
    EXPECT_EQ(run(wrong, {}).exit_code, ExitCode::usage);
  }
}

}  // namespace
}  // namespace koi::ctl::events_test
