#include "tools/ctl/explain_text.h"

#include <chrono>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "tests/unit/tools/fake_daemon.h"
#include "tools/ctl/koictl.h"
#include "tools/ctl/page.h"

namespace koi::ctl::explain_text_test {
namespace {

// 2026-01-02 05:15:09 UTC
constexpr std::chrono::system_clock::time_point kNow{std::chrono::seconds(1767330909)};

constexpr const char* kOwn = R"({"ok":true,"node":"fw-a","address":"192.0.2.2","client":null,
  "places":[{"kind":"own","port":"lan","vlan":20,"group":null,"mac":"02:00:00:00:00:01"}]})";

std::string balanced(const std::string& slot, const std::string& balance) {
  return R"({"ok":true,"node":"fw-a","address":"192.0.2.10","client":"52:54:00:12:34:56",
    "places":[{"kind":"shared","port":"lan","vlan":0,"group":"out","balance":)" +
         balance + R"(,"slots":[)" + slot + "]}]}";
}
constexpr const char* kBalance =
    R"({"hash":"openbsd","input":"mac","members":3,"member":2,"undecided":null})";
constexpr const char* kMaster = R"({"member":2,"vhid":9,"mac":"00:00:5e:00:01:09","role":"MASTER",
  "cause":"bow-out heard","since":"2026-01-02T03:04:05.678Z","lease_ms":2100,"answers_now":true,
  "master":{"address":"192.0.2.2","mac":"00:00:5e:00:01:09","this_box":true}})";
constexpr const char* kBackup = R"({"member":2,"vhid":9,"mac":"00:00:5e:00:01:09","role":"BACKUP",
  "cause":"link up","since":"2026-01-02T03:04:05.678Z","lease_ms":0,"answers_now":false,
  "master":{"address":"192.0.2.3","mac":"00:00:5e:00:01:09","this_box":false}})";

std::string page(const std::string& reply) {
  const std::string text = explain_text(Json::parse(reply), kNow, false);
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), kColumns) << line;
  return text;
}
bool says(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

TEST(ExplainText, AnOwnAddress) {
  EXPECT_EQ(page(kOwn),
            "address   192.0.2.2\n"
            "\n"
            "own       this box's own address on port lan.20: it always answers, with\n"
            "          02:00:00:00:00:01\n");
}

TEST(ExplainText, TheMemberOfAClientAndItsMaster) {
  const std::string text = page(balanced(kMaster, kBalance));
  EXPECT_TRUE(says(text, "shared    by group out on port lan, balanced\n")) << text;
  EXPECT_TRUE(says(text, "hash openbsd of the client's MAC address, modulo 3 members")) << text;
  EXPECT_TRUE(says(text, "belongs to member 2")) << text;
  EXPECT_TRUE(says(text, "MASTER    this box answers now\n")) << text;
  EXPECT_TRUE(says(text, "member 2, vhid 9, the client is told 00:00:5e:00:01:09\n")) << text;
  EXPECT_TRUE(says(text, "(2h 11m ago), cause: bow-out")) << text;
  EXPECT_TRUE(says(text, "; lease 2.10 s left\n")) << text;
}

TEST(ExplainText, AnotherBoxAnswers) {
  const std::string text = page(balanced(kBackup, kBalance));
  EXPECT_TRUE(says(text, "BACKUP    the box at 192.0.2.3 answers\n")) << text;
  EXPECT_FALSE(says(text, "lease")) << text;
}

TEST(ExplainText, WhatIsWrongIsSaid) {
  Json slot = Json::parse(kMaster);
  slot["answers_now"] = false;
  EXPECT_TRUE(says(page(balanced(slot.dump(), kBalance)), "MASTER but has no lease"));
  slot = Json::parse(kBackup);
  slot["master"] = nullptr;
  EXPECT_TRUE(says(page(balanced(slot.dump(), kBalance)), "nobody may be answering"));
}

TEST(ExplainText, WithoutAMemberItSaysWhatIsMissing) {
  const std::string text = page(balanced(std::string(kMaster) + "," + kBackup,
                                         R"({"hash":"siphash","input":"ip","members":3,
                                             "member":null,"undecided":"give its IP"})"));
  EXPECT_TRUE(says(text, "hash siphash of the client's IP address, modulo 3 members; give its IP"))
      << text;
  EXPECT_TRUE(says(text, "MASTER ") && says(text, "BACKUP ")) << text;
}

TEST(ExplainText, BalancedByPacketItSaysWhoTakesAndWhoTells) {
  Json reply = Json::parse(balanced(kMaster, R"({"mode":"ip","hash":"fold","input":"ip","members":3,
                                                "member":2,"undecided":null})"));
  reply["client"] = "192.0.2.77";
  reply["places"][0]["resolver"] = Json::parse(kBackup);
  std::string text = page(reply.dump());
  EXPECT_TRUE(says(text, "shared    by group out on port lan, balanced by packet (ip)\n")) << text;
  EXPECT_TRUE(says(text, "192.0.2.77 and 192.0.2.10")) << text;
  EXPECT_TRUE(says(text, "belongs to member 2\n")) << text;
  EXPECT_TRUE(says(text, "ARP, ND   for all askers alike: the box at 192.0.2.3 answers\n")) << text;
  EXPECT_TRUE(says(text, "MASTER    this box takes its packets now\n")) << text;
  reply["from"] = "198.51.100.9";
  text = page(reply.dump());
  EXPECT_TRUE(says(text, "from      198.51.100.9\n")) << text;
  EXPECT_TRUE(says(text, "192.0.2.77 and 198.51.100.9")) << text;
  reply["places"][0]["balance"]["member"] = nullptr;
  reply["places"][0]["balance"]["undecided"] = "give its IP";
  EXPECT_TRUE(says(page(reply.dump()), "modulo 3 members; give its IP"));
}

TEST(ExplainText, ARubbishReplyDoesNotThrow) {
  for (const char* reply : {"{}", R"({"places":7})", R"({"places":[7,{"slots":[null]}]})"}) {
    page(reply);
  }
}

TEST(ExplainCommand, AsksForTheAddressAndTheClient) {
  test::FakeDaemon daemon([](const std::string&) { return Json::parse(kOwn).dump() + '\n'; });
  const auto koictl = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"--socket", daemon.path(), "explain"});
    return run(arguments, {});
  };
  EXPECT_TRUE(koictl({"192.0.2.2"}).out.starts_with("address   192.0.2.2"));
  EXPECT_EQ(Json::parse(koictl({"192.0.2.2", "--client", "52:54:00:12:34:56", "--json"}).out),
            Json::parse(kOwn));
  koictl({"192.0.2.2", "--client", "192.0.2.77", "--from", "198.51.100.9"});
  EXPECT_EQ(daemon.requests(),
            (std::vector<std::string>{
                R"({"command":"explain","address":"192.0.2.2"})",
                R"({"command":"explain","address":"192.0.2.2","client":"52:54:00:12:34:56"})",
                R"({"command":"explain","address":"192.0.2.2","client":"192.0.2.77",)"
                R"("from":"198.51.100.9"})"}));
  EXPECT_EQ(koictl({}).exit_code, ExitCode::usage);
}

TEST(ExplainCommand, ARefusalIsShownAsItIs) {
  test::FakeDaemon daemon([](const std::string&) {
    return R"({"ok":false,"error":"shared addresses are 192.0.2.1"})"
           "\n";
  });
  const Printed result = run({"--socket", daemon.path(), "explain", "\xff"}, {});
  EXPECT_EQ(result.exit_code, ExitCode::refused);
  EXPECT_EQ(result.err, "koictl: koid refused: shared addresses are 192.0.2.1\n");
}

}  // namespace
}  // namespace koi::ctl::explain_text_test
