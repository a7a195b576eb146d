#include "tools/ctl/koictl.h"

#include <chrono>
#include <filesystem>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <sys/stat.h>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/key_file.h"
#include "tests/unit/tools/counters_json.h"
#include "tests/unit/tools/fake_daemon.h"
#include "tools/ctl/reply.h"

namespace koi::ctl::koictl_test {
namespace {

using test::FakeDaemon;
using test::TemporaryFolder;
using ::testing::HasSubstr;

/// Replies to every command of the protocol, to what it does not know as koid does.
std::optional<std::string> koid(const std::string& request) {
  const std::string command = text(Json::parse(request), "command");
  if (command == "status")
    return R"({"ok":true,"node":"fw-a","groups":[]})"
           "\n";
  if (command == "counters") return Json::parse(test::kCounters).dump() + '\n';
  if (command == "demote") {
    return R"({"ok":true,"demotion":{"total":240,"causes":{"command":240}}})"
           "\n";
  }
  if (command == "undemote") {
    return R"({"ok":true,"demotion":{"total":5,"causes":{"command":0,"link":5}}})"
           "\n";
  }
  return R"({"ok":false,"error":"no such command"})"
         "\n";
}

Printed koictl(std::vector<std::string> arguments, const std::string& socket = "/nowhere/koid.sock",
               Duration deadline = 5s) {
  arguments.insert(arguments.begin(), {"--socket", socket});
  Surroundings surroundings;
  surroundings.deadline = deadline;
  return run(arguments, surroundings);
}

Printed reload(const std::string& reply, std::vector<std::string> arguments = {"reload"}) {
  std::string asked;
  FakeDaemon daemon([&](const std::string& request) -> std::optional<std::string> {
    asked = request;
    return reply + '\n';
  });
  Printed printed = koictl(std::move(arguments), daemon.path());
  EXPECT_NE(asked.find("\"dry_run\""), std::string::npos) << asked;
  return printed;
}

TEST(Koictl, ReloadSaysWhatHasChanged) {
  const Printed done = reload(
      R"({"ok":true,"dry_run":false,"applied":true,"file":"/etc/koi/koi.yaml","warnings":[],)"
      R"("changes":[{"key":"groups.lan.advskew","from":"0","to":"100","effect":"live",)"
      R"("group":"lan","role_may_change":true,"note":""},{"key":"groups.dmz","from":"",)"
      R"("to":"a group","effect":"starts","group":"dmz","role_may_change":false,"note":"x y"}]})");
  EXPECT_EQ(done.exit_code, ExitCode::done);
  EXPECT_EQ(done.err, "");
  EXPECT_EQ(done.out,
            "reload: 2 changes from /etc/koi/koi.yaml\n"
            "live      groups.lan.advskew: 0 -> 100 (a role may change)\n"
            "starts    groups.dmz: added: a group; x y\n");
  const Printed nothing = reload(R"({"ok":true,"file":"/f","changes":[]})");
  EXPECT_EQ(nothing.out, "reload: nothing has changed in /f\n");
}

TEST(Koictl, HandoverSaysWhoTookIt) {
  std::string asked;
  std::string reply =
      R"({"ok":true,"group":"lan","masters":[{"vhid":1,"address":"192.0.2.3","mac":"x"},)"
      R"({"vhid":2,"address":"192.0.2.3","mac":"x"}],"seconds":0.0021,"held_back":true})";
  FakeDaemon daemon([&](const std::string& request) -> std::optional<std::string> {
    asked = request;
    return reply + '\n';
  });
  EXPECT_EQ(koictl({"handover", "lan"}, daemon.path()).out,
            "lan: MASTER is 192.0.2.3, after 2.10 ms; this box holds back until koictl undemote "
            "handover\n");
  EXPECT_EQ(Json::parse(asked), Json::parse(R"({"command":"handover","group":"lan"})"));
  EXPECT_THAT(koictl({"handover", "lan", "--for", "10m"}, daemon.path()).out,
              HasSubstr("holds back for 10m 0s or until koictl undemote handover\n"));
  EXPECT_EQ(Json::parse(asked)["seconds"], 600);
  reply = R"({"ok":false,"error":"lan: nobody took it over: this box is MASTER again"})";
  const Printed refused = koictl({"handover", "lan"}, daemon.path());
  EXPECT_EQ(refused.exit_code, ExitCode::refused);
  EXPECT_EQ(refused.err,
            "koictl: koid refused: lan: nobody took it over: this box is MASTER again\n");
  EXPECT_EQ(koictl({"handover"}, daemon.path()).exit_code, ExitCode::usage);
}

TEST(Koictl, ReloadThatIsRefusedSaysAllOfWhy) {
  const Printed wrong =
      reload(R"({"ok":false,"error":"2 errors","errors":["f:3:1: a: b","f:4:1: c: d"],)"
             R"("changes":[]})",
             {"reload", "--dry-run"});
  EXPECT_EQ(wrong.exit_code, ExitCode::usage);
  EXPECT_EQ(wrong.out, "");
  EXPECT_EQ(wrong.err, "reload: 2 errors\nf:3:1: a: b\nf:4:1: c: d\n");
  const Printed restart =
      reload(R"({"ok":false,"error":"1 change(s) need a restart","changes":[)"
             R"({"key":"node","from":"a","to":"b","effect":"needs a restart of koid"},)"
             R"({"key":"groups.x.advskew","from":"1","to":"2","effect":"live"}]})");
  EXPECT_EQ(restart.exit_code, ExitCode::refused);
  EXPECT_EQ(restart.err, "reload: 1 change(s) need a restart\nrestart   node: a -> b\n");
  const Printed busy = reload(R"({"ok":false,"error":"a reload is under way"})");
  EXPECT_EQ(busy.exit_code, ExitCode::refused);
  EXPECT_EQ(busy.err, "koictl: koid refused: a reload is under way\n");
}

TEST(Koictl, StatusForAPersonAndAsJson) {
  FakeDaemon daemon(koid);
  const Printed page = koictl({"status"}, daemon.path());
  EXPECT_EQ(page.exit_code, ExitCode::done);
  EXPECT_EQ(page.err, "");
  EXPECT_TRUE(page.out.starts_with("node      fw-a (id ?)")) << page.out;

  const Printed json = koictl({"status", "--json"}, daemon.path());
  EXPECT_EQ(json.exit_code, ExitCode::done);
  EXPECT_EQ(json.out, "{\n  \"ok\": true,\n  \"node\": \"fw-a\",\n  \"groups\": []\n}\n");
}

TEST(Koictl, CountersAndDrops) {
  FakeDaemon daemon(koid);
  EXPECT_TRUE(koictl({"counters"}, daemon.path()).out.starts_with("node                fw-a"));
  EXPECT_EQ(Json::parse(koictl({"counters", "--json"}, daemon.path()).out),
            Json::parse(test::kCounters));
  EXPECT_TRUE(koictl({"drops"}, daemon.path()).out.starts_with("PORT "));
  EXPECT_EQ(text(Json::parse(koictl({"drops", "--json"}, daemon.path()).out)["ports"][0], "name"),
            "lan");
  const std::string all = R"({"command":"counters"})";
  const std::string ports = R"({"command":"counters","of":"ports"})";
  EXPECT_EQ(daemon.requests(), (std::vector<std::string>{all, all, ports, ports}));
}

TEST(Koictl, DemoteAndUndemote) {
  FakeDaemon daemon(koid);
  const Printed demoted = koictl({"demote"}, daemon.path());
  EXPECT_EQ(demoted.exit_code, ExitCode::done);
  EXPECT_EQ(demoted.out, "demotion 240 (command 240), until koictl undemote\n");
  EXPECT_EQ(koictl({"undemote"}, daemon.path()).out, "demotion 5 (link 5)\n");
  EXPECT_EQ(daemon.requests(),
            (std::vector<std::string>{R"({"command":"demote"})", R"({"command":"undemote"})"}));
}

TEST(Koictl, DemoteByNameAndForATime) {
  FakeDaemon daemon([](const std::string&) {
    return R"({"ok":true,"demotion":{"total":1,"causes":{"command":0,"disk swap":1}}})"
           "\n";
  });
  EXPECT_EQ(koictl({"demote", "disk swap", "--for", "90m"}, daemon.path()).out,
            "demotion 1 (disk swap 1), for 1h 30m or until koictl undemote \"disk swap\"\n");
  EXPECT_EQ(koictl({"demote", "--for", "0.5"}, daemon.path()).out, "demotion 1 (disk swap 1)\n");
  EXPECT_EQ(koictl({"undemote", "disk swap"}, daemon.path()).out, "demotion 1 (disk swap 1)\n");
  EXPECT_EQ(daemon.requests(), (std::vector<std::string>{
                                   R"({"command":"demote","cause":"disk swap","seconds":5400.0})",
                                   R"({"command":"demote","seconds":0.5})",
                                   R"({"command":"undemote","cause":"disk swap"})"}));
}

TEST(Koictl, Maintenance) {
  FakeDaemon daemon([](const std::string&) {
    return R"({"ok":true,"demotion":{"total":128,"causes":{"command":0,"maintenance":128}}})"
           "\n";
  });
  EXPECT_EQ(koictl({"maintenance", "on"}, daemon.path()).out, "demotion 128 (maintenance 128)\n");
  EXPECT_EQ(koictl({"maintenance", "off"}, daemon.path()).exit_code, ExitCode::done);
  EXPECT_EQ(daemon.requests(),
            (std::vector<std::string>{R"({"command":"maintenance","on":true})",
                                      R"({"command":"maintenance","on":false})"}));
}

TEST(Koictl, ANameThatIsNoUtf8IsSentAndNotDiedOf) {
  FakeDaemon daemon([](const std::string& request) {
    return Json::accept(request) ? std::string("{\"ok\":false,\"error\":\"no\"}\n") : std::string();
  });
  EXPECT_EQ(koictl({"demote", "\xff\xfe"}, daemon.path()).exit_code, ExitCode::refused);
}

TEST(Koictl, TakesTheSocketBeforeAndAfterTheCommand) {
  FakeDaemon daemon(koid);
  EXPECT_EQ(run({"undemote", "--socket", daemon.path()}, {}).exit_code, ExitCode::done);
}

TEST(Koictl, ExitsWith1WhenTheDaemonRefuses) {
  FakeDaemon daemon([](const std::string&) {
    return R"({"ok":false,"error":"busy"})"
           "\n";
  });
  for (const char* command : {"status", "demote", "undemote", "counters", "drops"}) {
    const Printed result = koictl({command}, daemon.path());
    EXPECT_EQ(result.exit_code, ExitCode::refused) << command;
    EXPECT_EQ(result.out, "");
    EXPECT_EQ(result.err, "koictl: koid refused: busy\n");
  }
}

TEST(Koictl, ExitsWith2OnWrongUsage) {
  const std::vector<std::vector<std::string>> wrong = {{},
                                                       {"frobnicate"},
                                                       {"status", "extra"},
                                                       {"demote", "--json"},
                                                       {"maintenance"},
                                                       {"maintenance", "yes"},
                                                       {"maintenance", "on", "off"},
                                                       {"demote", "--for"},
                                                       {"demote", "--for", "0"},
                                                       {"demote", "--for", "-5s"},
                                                       {"demote", "--for", "1w"},
                                                       {"demote", "--for", "soon"},
                                                       {"demote", "--for", "1e3"},
                                                       {"demote", "--for", "nan"},
                                                       {"demote", "--for", "4000d"},
                                                       {"demote", "a", "b"},
                                                       {"check"},
                                                       {"capture"},
                                                       {"--socket"},
                                                       {"status", "--loud"}};
  for (const auto& arguments : wrong) {
    const Printed result = run(arguments, {});
    EXPECT_EQ(result.exit_code, ExitCode::usage) << (arguments.empty() ? "" : arguments[0]);
    EXPECT_EQ(result.out, "");
    EXPECT_NE(result.err, "");
  }
  const Printed result = koictl({"status"}, std::string(200, 'x'));
  EXPECT_EQ(result.exit_code, ExitCode::usage);
  EXPECT_NE(result.err.find("has 200 bytes, the system allows 107"), std::string::npos);
}

TEST(Koictl, ExitsWith3WithoutADaemon) {
  const Printed none = koictl({"status"});
  EXPECT_EQ(none.exit_code, ExitCode::no_daemon);
  EXPECT_EQ(none.out, "");
  EXPECT_TRUE(
      none.err.starts_with("koictl: there is no socket /nowhere/koid.sock: is koid running"))
      << none.err;

  FakeDaemon closing([](const std::string&) { return ""; });
  EXPECT_EQ(koictl({"demote"}, closing.path()).exit_code, ExitCode::no_daemon);
  FakeDaemon silent([](const std::string&) { return std::nullopt; });
  EXPECT_EQ(koictl({"drops"}, silent.path(), 50ms).exit_code, ExitCode::no_daemon);
  FakeDaemon rubbish([](const std::string&) { return "HTTP/1.1 400 Bad Request\n"; });
  const Printed result = koictl({"status"}, rubbish.path());
  EXPECT_EQ(result.exit_code, ExitCode::no_daemon);
  EXPECT_NE(result.err.find("is not koid"), std::string::npos) << result.err;
}

TEST(Koictl, HelpAndVersionAreNoErrors) {
  const Printed help = run({"--help"}, {});
  EXPECT_EQ(help.exit_code, ExitCode::done);
  EXPECT_NE(help.out.find("undemote"), std::string::npos);
  EXPECT_NE(help.out.find("capture"), std::string::npos);
  EXPECT_EQ(run({"--version"}, {}).out, "koictl " KOI_VERSION "\n");
}

TEST(Koictl, CheckNamesEveryProblemAndExitsWith2) {
  const TemporaryFolder folder;
  const std::string none = folder / "none.yaml";
  const Printed missing = koictl({"check", none});
  EXPECT_EQ(missing.exit_code, ExitCode::usage);
  EXPECT_EQ(missing.out, "");
  EXPECT_NE(missing.err.find(none), std::string::npos);

  const std::string bad = folder.write("bad.yaml", "frobnicate: 1\nnode-id: 9999\n");
  const Printed wrong = koictl({"check", bad});
  EXPECT_EQ(wrong.exit_code, ExitCode::usage);
  EXPECT_EQ(wrong.out, "");
  EXPECT_NE(wrong.err.find(bad + ":1:1: "), std::string::npos) << wrong.err;
}

TEST(Koictl, CheckSaysThatAFileIsValid) {
  const TemporaryFolder folder;
  const std::string key = folder.write("lan.key", "correct horse\n");
  std::filesystem::permissions(key, std::filesystem::perms::owner_read);
  const std::string file = folder.write("koi.yaml",
                                        "node: fw-a\n"
                                        "node-id: 1\n"
                                        "dataplane: {control-core: 0, worker-cores: [1]}\n"
                                        "ports:\n"
                                        "  lan: {device: \"0000:3b:00.0\", "
                                        "addresses: [192.0.2.2/24]}\n"
                                        "groups:\n"
                                        "  lan-gateway:\n"
                                        "    port: lan\n"
                                        "    vhid: 1\n"
                                        "    key-file: " +
                                            key +
                                            "\n"
                                            "    addresses: [192.0.2.1]\n");
  const Printed result = koictl({"check", file});
  EXPECT_EQ(result.err, "");
  EXPECT_EQ(result.out, file + ": valid\n");
  EXPECT_EQ(result.exit_code, ExitCode::done);
}

TEST(Koictl, KeygenMakesKeysThatKeyFilesHold) {
  const TemporaryFolder folder;
  std::set<std::string> all;
  for (int i = 0; i < 20; ++i) {
    const Printed carp = koictl({"keygen"});
    EXPECT_EQ(carp.exit_code, ExitCode::done);
    EXPECT_TRUE(std::regex_match(carp.out, std::regex("[A-Za-z0-9]{19}\n"))) << carp.out;
    const Printed trailer = koictl({"keygen", "trailer"});
    EXPECT_TRUE(std::regex_match(trailer.out, std::regex("hex:[0-9a-f]{64}\n"))) << trailer.out;
    all.insert({carp.out, trailer.out});
  }
  EXPECT_EQ(all.size(), 40U);

  const std::string file = folder / "key";
  const Printed made = koictl({"keygen", "trailer", "--out", file});
  EXPECT_EQ(made.exit_code, ExitCode::done) << made.err;
  EXPECT_EQ(made.out, "");
  struct stat info {};
  ASSERT_EQ(stat(file.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0600U);
  const auto read = config::read_key_file(file, false, config::KeyUse::trailer);
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read.value().bytes().size(), 32U);

  const Printed again = koictl({"keygen", "carp", "--out", file});  // never over another key
  EXPECT_EQ(again.exit_code, ExitCode::usage);
  EXPECT_NE(again.err.find(file), std::string::npos);
  EXPECT_TRUE(config::read_key_file(file, false, config::KeyUse::trailer).value() == read.value());
  EXPECT_EQ(koictl({"keygen", "vrrp"}).exit_code, ExitCode::usage);
}

// 62 characters, each as often as the others: of 19,000 each comes 306 times, give or take 100.
TEST(Koictl, KeygenFavoursNoCharacter) {
  std::map<char, int> count;
  for (int i = 0; i < 1000; ++i) {
    for (const char c : koictl({"keygen"}).out) ++count[c];
  }
  EXPECT_EQ(count.size(), 63U);  // and the newline
  for (const auto& [c, times] : count) {
    if (c != '\n') {
      EXPECT_NEAR(times, 306, 100) << c;
    }
  }
}

}  // namespace
}  // namespace koi::ctl::koictl_test
