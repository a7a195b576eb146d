#include "tools/ctl/status_text.h"

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "tools/ctl/page.h"

namespace koi::ctl::status_text_test {
namespace {

class StatusText : public testing::Test {
 protected:
  void SetUp() override {
    ::setenv("TZ", "UTC0", 1);
    ::tzset();
  }
  void TearDown() override {
    ::unsetenv("TZ");
    ::tzset();
  }

  // 2026-01-02 05:15:09 UTC
  static constexpr std::chrono::system_clock::time_point kNow{std::chrono::seconds(1767330909)};
};

void expect_narrow(const std::string& page) {
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(line.size(), kColumns) << line;
    EXPECT_FALSE(line.ends_with(' ')) << '"' << line << '"';
  }
}

constexpr const char* kHealthy = R"({"ok":true,"node":"fw-a","node_id":1,"version":"0.1.0",
  "uptime_seconds":7892.3,"demotion":{"total":0,"causes":{"command":0}},
  "control_age_seconds":0.0001,"groups":[
  {"name":"lan-gateway","port":"lan","vlan":20,"protocol":"carp",
   "addresses":["192.0.2.1","2001:db8::1"],"slots":[
    {"vhid":1,"role":"MASTER","since":"2026-01-02T03:04:05.678Z","cause":"master-down timer",
     "term":3,"master":{"address":"192.0.2.2","mac":"00:00:5e:00:01:01"},"advbase":1,"advskew":0,
     "effective_advskew":0,"demotion":0,"lease_ms":2800.1}]},
  {"name":"wan-gateway","port":"wan","vlan":0,"protocol":"carp","addresses":["198.51.100.1"],
   "slots":[
    {"vhid":2,"role":"BACKUP","since":"2026-01-02T05:14:59.000Z","cause":"better advertisement",
     "term":0,"master":{"address":"198.51.100.3","mac":"00:00:5e:00:01:02"},"advbase":1,
     "advskew":100,"effective_advskew":100,"demotion":0,"lease_ms":0},
    {"vhid":3,"role":"INIT","since":"2026-01-01T05:15:09.999Z","cause":"start","term":0,
     "master":null,"advbase":1,"advskew":100,"effective_advskew":100,"demotion":0,
     "lease_ms":0}]}]})";

TEST_F(StatusText, SignedTrailer) {
  Json status = Json::parse(kHealthy);
  Json& group = status["groups"][0];
  group["trailer"] = {{"mode", "enforce"}, {"key_id", 7}};
  group["slots"][0]["signed"] = Json::array();
  EXPECT_NE(status_text(status, kNow, false)
                .find("          trailer enforce, key 7\n          signed by nobody yet\n"),
            std::string::npos);
  group["slots"][0]["signed"] = {
      {{"address", "192.0.2.3"}, {"key_id", 7}, {"at", "2026-01-02T05:15:07.000Z"}},
      {{"address", "fe80::3"}, {"key_id", 8}, {"at", "2026-01-02T05:14:09.000Z"}}};
  const std::string page = status_text(status, kNow, false);
  EXPECT_NE(page.find("          trailer enforce, key 7\n"
                      "          signed by 192.0.2.3 with key 7, 2026-01-02 05:15:07 (2s ago)\n"
                      "          signed by fe80::3 with key 8, 2026-01-02 05:14:09 (1m 0s ago)\n"),
            std::string::npos)
      << page;
  expect_narrow(page);
  group["trailer"] = {{"mode", "off"}};
  EXPECT_NE(status_text(status, kNow, false).find("          trailer off\n"), std::string::npos);
}

// C21.13 kept, C21.14 kept
TEST_F(StatusText, Peers) {
  Json status = Json::parse(kHealthy);
  status["groups"][0]["peers"] = Json::parse(R"([
    {"address":"192.0.2.3","configured":false,"silent":false,"last_seen_seconds":3.4,"heard":true,
     "node_id":2,"role":"BACKUP","version":"0.1.0","demotion":0,"differs":[]},
    {"address":"192.0.2.4","configured":true,"silent":true,"last_seen_seconds":48.2,"heard":true,
     "node_id":3,"role":"MASTER","master_of":[1,7],"version":"0.2.0","demotion":2,
     "differs":["addresses","dead-ratio"]},
    {"address":"192.0.2.5","configured":true,"silent":true,"last_seen_seconds":61,"heard":false},
    {"address":"192.0.2.6","configured":true,"silent":false,"last_seen_seconds":1,"heard":false}])");
  const std::string page = status_text(status, kNow, false);
  EXPECT_NE(
      page.find("          addresses 192.0.2.1, 2001:db8::1\n"
                "          peer 192.0.2.3 (node 2): BACKUP, koid 0.1.0, seen 3s ago\n"
                "          peer 192.0.2.4 (node 3): NOT SEEN for 48s, was MASTER of 1, 7, koid\n"
                "          0.2.0, demotion 2\n"),
      std::string::npos)
      << page;
  EXPECT_NE(page.find("          peer 192.0.2.4 DIFFERS from this box: addresses, dead-ratio\n"
                      "          peer 192.0.2.5: NOT SEEN YET for 1m 1s\n"
                      "          peer 192.0.2.6: not seen yet for 1s\n"),
            std::string::npos)
      << page;
  expect_narrow(page);
}

TEST_F(StatusText, SeveralGroups) {
  const std::string page = status_text(Json::parse(kHealthy), kNow, false);
  EXPECT_EQ(page, R"(node      fw-a (id 1), koid 0.1.0, up 2h 11m
demotion  none

MASTER    lan-gateway, port lan.20, carp vhid 1
          since 2026-01-02 03:04:05 (2h 11m ago), cause: master-down timer
          master 192.0.2.2 (this box), lease 2.80 s left, advbase 1, skew 0
          addresses 192.0.2.1, 2001:db8::1

BACKUP    wan-gateway, port wan, carp vhid 2
          since 2026-01-02 05:14:59 (10s ago), cause: better advertisement
          master 198.51.100.3, advbase 1, skew 100
INIT      wan-gateway, port wan, carp vhid 3
          since 2026-01-01 05:15:09 (1d 0h ago), cause: start
          master unknown, advbase 1, skew 100
          addresses 198.51.100.1
)");
  expect_narrow(page);
}

// Everything that can be wrong at once, with names as long as they get.
TEST_F(StatusText, DemotedLateAndLong) {
  Json status = Json::parse(kHealthy);
  status["demotion"] = {{"total", 240}, {"causes", {{"command", 200}, {"link", 40}, {"quiet", 0}}}};
  status["control_age_seconds"] = 1.523;
  status["groups"].erase(1);
  Json& group = status["groups"][0];
  group["name"] = std::string(90, 'g');
  group["addresses"] = {"2001:db8:1111:2222:3333:4444:5555:6666",
                        "2001:db8:1111:2222:3333:4444:5555:7777"};
  Json& slot = group["slots"][0];
  slot["lease_ms"] = -3.5;
  slot["effective_advskew"] = 240;
  slot["master"]["address"] = "2001:db8:1111:2222:3333:4444:5555:6666";
  const std::string page = status_text(status, kNow, false);
  EXPECT_EQ(page, R"(node      fw-a (id 1), koid 0.1.0, up 2h 11m
demotion  240 (command 200, link 40)
!!        THE CONTROL THREAD IS LATE: its last turn began 1.52 s ago, a turn
          begins every 0.2 ms when all is well. Roles and leases below may be
          out of date, and this box may be about to fall silent.

MASTER    gggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggg
          gggggggggggggggggggg, port lan.20, carp vhid 1
          since 2026-01-02 03:04:05 (2h 11m ago), cause: master-down timer
          master 2001:db8:1111:2222:3333:4444:5555:6666 (this box), advbase 1,
          skew 0 (effective 240)
          NO LEASE: this box does not answer for it now
          addresses 2001:db8:1111:2222:3333:4444:5555:6666,
          2001:db8:1111:2222:3333:4444:5555:7777
)");
  expect_narrow(page);
}

TEST_F(StatusText, AnAgentThatIsNeededAndNotThere) {
  Json status = Json::parse(kHealthy);
  const std::string without = status_text(status, kNow, false);
  status["agent"] = {{"needed", true}, {"present", true}, {"since", "2026-01-02T05:14:09.000Z"}};
  EXPECT_EQ(status_text(status, kNow, false), without);
  status["agent"]["present"] = false;
  const std::string page = status_text(status, kNow, false);
  EXPECT_NE(page.find("!!        koi-agent IS NOT THERE since 2026-01-02 05:14:09 (1m 0s ago)"),
            std::string::npos)
      << page;
  expect_narrow(page);
  status["agent"]["needed"] = false;
  EXPECT_EQ(status_text(status, kNow, false), without);
}

TEST_F(StatusText, EachCauseWithWhoAndSinceWhenAndForHowLong) {
  Json status = Json::parse(kHealthy);
  status["demotion"] = Json::parse(R"({"total":1,"causes":{"command":0,"upgrade":1,
    "track ping 192.0.2.9":4},"list":[
    {"name":"upgrade","count":1,"owner":"koictl by uid 0","detail":"",
     "since":"2026-01-02T05:14:59.000Z","seconds_left":590.2,"groups":null},
    {"name":"track ping 192.0.2.9","count":4,"owner":"koi-agent","detail":"no reply within 1 s",
     "since":"2026-01-02T05:15:00.000Z","seconds_left":null,
     "groups":["wan-gateway","lan-gateway"]}]})");
  status["groups"].erase(0);
  status["groups"][0]["slots"].erase(1);
  status["groups"][0]["slots"][0]["demotion"] = 5;
  const std::string page = status_text(status, kNow, false);
  EXPECT_EQ(page, R"(node      fw-a (id 1), koid 0.1.0, up 2h 11m
demotion  1 (upgrade 1, track ping 192.0.2.9 4)
          upgrade: 1, by koictl by uid 0, since 2026-01-02 05:14:59 (10s ago),
          9m 50s left
          track ping 192.0.2.9: 4, by koi-agent (no reply within 1 s), since
          2026-01-02 05:15:00 (9s ago), for wan-gateway, lan-gateway

BACKUP    wan-gateway, port wan, carp vhid 2
          since 2026-01-02 05:14:59 (10s ago), cause: better advertisement
          master 198.51.100.3, advbase 1, skew 100, demotion 5
          addresses 198.51.100.1
)");
  expect_narrow(page);
  EXPECT_EQ(demotion_text(Json::parse(R"({"total":0,"causes":{"command":0,"link wan":1}})")),
            "0 (link wan 1)");
}

TEST_F(StatusText, WarnsOfALateControlThreadOnlyAboveTenMilliseconds) {
  Json status = Json::parse(kHealthy);
  status["control_age_seconds"] = 0.01;
  EXPECT_EQ(status_text(status, kNow, false).find("LATE"), std::string::npos);
  status["control_age_seconds"] = 0.0101;
  EXPECT_NE(status_text(status, kNow, false).find("LATE: its last turn began 10.10 ms ago"),
            std::string::npos);
}

TEST_F(StatusText, ShowsTimesInTheLocalZone) {
  ::setenv("TZ", "XXX-2", 1);
  ::tzset();
  EXPECT_NE(status_text(Json::parse(kHealthy), kNow, false)
                .find("since 2026-01-02 05:04:05 (2h 11m ago)"),
            std::string::npos);
}

TEST_F(StatusText, ColoursOnlyWhenAskedTo) {
  Json status = Json::parse(kHealthy);
  EXPECT_EQ(status_text(status, kNow, false).find('\x1b'), std::string::npos);
  const std::string coloured = status_text(status, kNow, true);
  EXPECT_NE(coloured.find("\x1b[32mMASTER\x1b[0m    lan"), std::string::npos);
  EXPECT_NE(coloured.find("\x1b[33mBACKUP\x1b[0m    wan"), std::string::npos);
  EXPECT_NE(coloured.find("\x1b[1;31mINIT\x1b[0m      wan"), std::string::npos);
}

TEST_F(StatusText, SurvivesAKoidOfAnotherVersion) {
  EXPECT_EQ(status_text(Json::parse(R"({"ok":true})"), kNow, false),
            "node      ? (id ?), koid ?, up ?\n"
            "demotion  unknown\n"
            "groups    none\n");
  EXPECT_EQ(status_text(Json::parse(R"({"ok":true,"groups":[{},{"slots":[{"since":"soon"}]},7]})"),
                        kNow, false),
            R"(node      ? (id ?), koid ?, up ?
demotion  unknown

?         ?: koid names no slot of it
          addresses none

?         ?, port ?, ? vhid ?
          since soon, cause: ?
          master unknown, advbase ?, skew ?
          addresses none

?         ?: koid names no slot of it
          addresses none
)");
}

TEST(Page, WrapsAtSpacesAndCutsLongWords) {
  using Lines = std::vector<std::string>;
  EXPECT_EQ(wrap("", 8), Lines{""});
  EXPECT_EQ(wrap("12345678", 8), Lines{"12345678"});
  EXPECT_EQ(wrap("1234 678 x", 8), (Lines{"1234 678", "x"}));
  EXPECT_EQ(wrap("a 1234567890 b", 8), (Lines{"a", "12345678", "90 b"}));
  EXPECT_EQ(wrap("1234567\xc3\xa9", 8), (Lines{"1234567", "\xc3\xa9"}));
  EXPECT_EQ(wrap("a\x1b[2J\n\x7f", 8), Lines{"a?[2J??"});
}

TEST(Page, Ages) {
  EXPECT_EQ(age(-5), "0s");
  EXPECT_EQ(age(59.9), "59s");
  EXPECT_EQ(age(60), "1m 0s");
  EXPECT_EQ(age(3599), "59m 59s");
  EXPECT_EQ(age(3600), "1h 0m");
  EXPECT_EQ(age(86399), "23h 59m");
  EXPECT_EQ(age(3 * 86400 + 4 * 3600 + 59), "3d 4h");
}

TEST(Page, Spans) {
  EXPECT_EQ(parse_span("90"), 90);
  EXPECT_EQ(parse_span("90s"), 90);
  EXPECT_EQ(parse_span("1.5m"), 90);
  EXPECT_EQ(parse_span("2h"), 7200);
  EXPECT_EQ(parse_span("1d"), 86400);
  EXPECT_EQ(parse_span("500ms"), 0.5);
  EXPECT_EQ(parse_span("3650d"), 3650 * 86400.0);
  for (const char* none : {"", "s", "0", "-1s", "3651d", "1 m", "1M", "5mm", "inf", "nan", "1e3"}) {
    EXPECT_FALSE(parse_span(none).has_value()) << none;
  }
}

TEST(Page, ShortTimes) {
  EXPECT_EQ(short_time(2.8001), "2.80 s");
  EXPECT_EQ(short_time(0.035), "35.00 ms");
  EXPECT_EQ(short_time(0.000012), "12 us");
}

}  // namespace
}  // namespace koi::ctl::status_text_test
