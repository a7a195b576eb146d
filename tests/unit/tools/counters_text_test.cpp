#include "tools/ctl/counters_text.h"

#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "tests/unit/tools/counters_json.h"
#include "tools/ctl/page.h"

namespace koi::ctl::counters_text_test {
namespace {

TEST(CountersText, ShowsAllThatIsNotZero) {
  const std::string page = counters_text(Json::parse(test::kCounters), false);
  EXPECT_EQ(page, R"(node                fw-a, koid 0.1.0
demotion            command 240
turns late          100, mean 120 us, 99 % within 1.00 ms
takeovers           1, mean 3.25 s, 99 % within 4.00 s
worker              0, last polled 50 us ago, lan: 7 received

port                lan (up)
  packets           rx 120, tx 70
  answers           arp 60, icmp 5
  drops             runt 3, arp_not_ours 12, carp_digest 3

port                wan (DOWN)
  packets           none
  answers           none
  drops             none

slot                lan-gateway vhid 1 (master, lease 2.80 s)
  adverts sent      ipv4 5
  adverts received  accepted 2, carp_digest 3
  notices           address-claimed 4
  transitions       1 INIT to BACKUP, cause: link up
                    1 BACKUP to MASTER, cause: master-down timer

slot                wan "x" vhid 2
  adverts sent      none
  adverts received  none
  notices           none
)");
}

TEST(CountersText, StaysWithin80Columns) {
  Json counters = Json::parse(test::kCounters);
  for (int i = 0; i < 40; ++i) {
    counters["ports"][0]["drops"]["reason_" + std::to_string(i)] = 18446744073709551615U;
  }
  counters["slots"][0]["group"] = std::string(100, 'g');
  std::istringstream lines(counters_text(counters, false));
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), kColumns) << line;
}

TEST(CountersText, MarksAMasterWithoutLeaseAndAPortWithoutLink) {
  Json counters = Json::parse(test::kCounters);
  counters["slots"][0]["lease_seconds"] = 0;
  const std::string page = counters_text(counters, true);
  EXPECT_NE(page.find("vhid 1 (master, no lease)"), std::string::npos);
  EXPECT_NE(page.find("\x1b[1;31mwan (DOWN)\x1b[0m"), std::string::npos);
  EXPECT_EQ(page.find("lan (up)\x1b"), std::string::npos);
}

TEST(CountersText, SurvivesAKoidOfAnotherVersion) {
  EXPECT_EQ(counters_text(Json::parse(R"({"ok":true,"ports":3,"workers":[{}]})"), false),
            "node                ?, koid ?\n"
            "demotion            none\n"
            "turns late          none\n"
            "takeovers           none\n"
            "worker              ?, last polled ? ago\n");
}

TEST(Drops, OnlyThoseThatAreNotZeroTheHighestFirst) {
  const Json drops = drops_only(Json::parse(test::kCounters));
  EXPECT_EQ(drops.dump(), R"({"ok":true,"ports":[)"
                          R"({"name":"lan","drops":{"arp_not_ours":12,"carp_digest":3,"runt":3}},)"
                          R"({"name":"wan","drops":{}}]})");
  EXPECT_EQ(drops_text(drops),
            "PORT         REASON                            FRAMES\n"
            "lan          arp_not_ours                          12\n"
            "lan          carp_digest                            3\n"
            "lan          runt                                   3\n");
}

TEST(Drops, None) {
  const Json counters = Json::parse(R"({"ports":[{"name":"lan","drops":{"runt":0,"x":null}}]})");
  EXPECT_EQ(drops_text(drops_only(counters)), "no drops\n");
  EXPECT_EQ(drops_text(drops_only(Json::parse("{}"))), "no drops\n");
}

}  // namespace
}  // namespace koi::ctl::counters_text_test
