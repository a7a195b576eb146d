#include "tools/agent/agent.h"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <netinet/in.h>
#include <poll.h>
#include <string>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/unit/tools/fake_daemon.h"
#include "tools/agent/check_spec.h"
#include "tools/agent/command_line.h"
#include "tools/agent/ping_probe.h"
#include "tools/agent/probe.h"

namespace koi::agent::agent_test {
namespace {

using ctl::Json;
using test::FakeDaemon;
using test::TemporaryFolder;

std::string script(const TemporaryFolder& folder, const std::string& name,
                   const std::string& body) {
  const std::string path = folder.write(name, "#!/bin/sh\n" + body + "\n");
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  return path;
}

/// Runs one check to its verdict, as the agent would.
Verdict run(Probe& probe, std::chrono::milliseconds timeout) {
  auto verdict = probe.start();
  const auto end = std::chrono::steady_clock::now() + timeout;
  while (!verdict) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    if (left.count() <= 0) return probe.give_up();
    pollfd p{probe.fd(), probe.events(), 0};
    if (poll(&p, 1, static_cast<int>(left.count())) == 1) verdict = probe.ready();
  }
  return *verdict;
}

void wait_until_gone(Probe& probe) {
  while (probe.lingers()) {
    pollfd p{probe.fd(), probe.events(), 0};
    ASSERT_EQ(poll(&p, 1, 5000), 1);
    EXPECT_FALSE(probe.ready().has_value());
  }
}

CheckSpec script_spec(const std::string& program) {
  CheckSpec spec;
  spec.name = "script " + program;
  spec.kind = CheckSpec::Kind::script;
  spec.program = program;
  return spec;
}

// ---- what koid asks for ------------------------------------------------------------------------

TEST(AgentChecks, ReadsWhatKoidHandsOut) {
  std::vector<std::string> problems;
  const auto checks = parse_checks(Json::parse(R"({"ok":true,"checks":[
    {"name":"ping 2001:db8::9","kind":"ping","address":"2001:db8::9","interval":0.2,"timeout":1.5,
     "rise":1,"fall":255,"healthy":true},
    {"name":"web","kind":"tcp","address":"192.0.2.9","port":443,"interval":1,"timeout":1,
     "rise":2,"fall":3,"healthy":false},
    {"name":"uplink","kind":"script","program":"/usr/lib/koi/uplink","interval":0.0001,
     "timeout":1,"rise":2,"fall":3,"healthy":true}]})"),
                                   problems);
  EXPECT_TRUE(problems.empty());
  ASSERT_EQ(checks.size(), 3U);
  EXPECT_EQ(checks[0].spec.kind, CheckSpec::Kind::ping);
  EXPECT_EQ(checks[0].spec.address.to_string(), "2001:db8::9");
  EXPECT_EQ(checks[0].spec.interval, Duration(200ms));
  EXPECT_EQ(checks[0].spec.timeout, Duration(1500ms));
  EXPECT_EQ(checks[0].spec.fall, 255);
  EXPECT_TRUE(checks[0].healthy);
  EXPECT_EQ(checks[1].spec.port, 443);
  EXPECT_FALSE(checks[1].healthy);
  EXPECT_EQ(checks[2].spec.program, "/usr/lib/koi/uplink");
  EXPECT_EQ(checks[2].spec.interval, Duration(10ms));  // no busy loop, whatever koid says
}

TEST(AgentChecks, LeavesOutWhatItDoesNotUnderstandAndSaysSo) {
  const Json good = Json::parse(R"({"name":"x","kind":"tcp","address":"192.0.2.9","port":1,
    "program":"/bin/true","interval":1,"timeout":1,"rise":1,"fall":1})");
  const std::vector<std::pair<const char*, Json>> wrong = {
      {"name", ""},      {"name", 7.5},    {"kind", "carrier-pigeon"},
      {"kind", nullptr}, {"address", "x"}, {"address", 7},
      {"port", 0},       {"port", 65536},  {"port", "http"},
      {"interval", 0},   {"interval", -1}, {"interval", "1s"},
      {"interval", 1e9}, {"timeout", 0},   {"rise", 0},
      {"rise", 256},     {"fall", nullptr}};
  for (const auto& [key, value] : wrong) {
    Json bad = good;
    bad[key] = value;
    if (bad["name"] == 7.5) continue;  // a number reads as its text
    std::vector<std::string> problems;
    const auto checks = parse_checks({{"checks", {bad, good}}}, problems);
    EXPECT_EQ(checks.size(), 1U) << key << value;
    EXPECT_EQ(problems.size(), 1U) << key << value;
  }
  for (const char* program : {"", "true", "./true"}) {
    Json bad = good;
    bad["kind"] = "script";
    bad["program"] = program;
    std::vector<std::string> problems;
    EXPECT_TRUE(parse_checks({{"checks", {bad, bad}}}, problems).empty()) << program;
  }
  std::vector<std::string> problems;
  EXPECT_TRUE(parse_checks(Json::parse(R"({"checks":[7,[],null]})"), problems).empty());
  EXPECT_TRUE(parse_checks(Json::parse(R"({"checks":"all"})"), problems).empty());
}

// ---- probes ------------------------------------------------------------------------------------

// RFC 792; the checksum is computed by hand: the words are 0800 aaaa 0007, 8 times aaaa, and their
// one's complement sum with carries is 0807 + 9 * aaaa = 6_0801 (0x5fffa + 0x0807), that is 0807.
TEST(PingProbe, TheRequestIsAnEchoWithTheCookie) {
  PingCookie cookie;
  cookie.fill(std::byte{0xaa});
  const auto v4 = echo_request(Family::ipv4, 7, cookie);
  ASSERT_EQ(v4.size(), 24U);
  EXPECT_EQ(v4[0], std::byte{8});
  EXPECT_EQ(v4[1], std::byte{0});
  EXPECT_EQ(v4[2], std::byte{0xf7});
  EXPECT_EQ(v4[3], std::byte{0xf8});
  EXPECT_EQ(v4[4], std::byte{0xaa});
  EXPECT_EQ(v4[7], std::byte{7});
  EXPECT_EQ(v4[23], std::byte{0xaa});
  const auto v6 = echo_request(Family::ipv6, 7, cookie);
  EXPECT_EQ(v6[0], std::byte{128});
  EXPECT_EQ(v6[2], std::byte{0});  // the kernel's to set
}

TEST(PingProbe, OnlyOurReplyIsOne) {
  PingCookie cookie;
  cookie.fill(std::byte{0x5a});
  auto reply = echo_request(Family::ipv4, 9, cookie);
  EXPECT_FALSE(is_echo_reply(reply, Family::ipv4, false, 9, cookie));  // our own request
  reply[0] = std::byte{0};
  EXPECT_TRUE(is_echo_reply(reply, Family::ipv4, false, 9, cookie));
  EXPECT_FALSE(is_echo_reply(reply, Family::ipv6, false, 9, cookie));
  EXPECT_FALSE(is_echo_reply(reply, Family::ipv4, false, 8, cookie));  // of an earlier run
  for (std::size_t size = 0; size < reply.size(); ++size) {
    EXPECT_FALSE(is_echo_reply(std::span(reply).first(size), Family::ipv4, false, 9, cookie));
    EXPECT_FALSE(is_echo_reply(std::span(reply).first(size), Family::ipv4, true, 9, cookie));
  }
  auto other = reply;
  other[20] ^= std::byte{1};
  EXPECT_FALSE(is_echo_reply(other, Family::ipv4, false, 9, cookie));
  // As a raw socket gives it: with an IPv4 header, perhaps with options.
  for (const unsigned words : {5U, 6U, 15U}) {
    std::vector<std::byte> packet(4U * words, std::byte{0});
    packet[0] = std::byte(0x40 | words);
    packet.insert(packet.end(), reply.begin(), reply.end());
    EXPECT_TRUE(is_echo_reply(packet, Family::ipv4, true, 9, cookie));
    packet[0] = std::byte{0x44};  // 16 bytes are no IPv4 header
    EXPECT_FALSE(is_echo_reply(packet, Family::ipv4, true, 9, cookie));
  }
}

TEST(PingProbe, HearsTheKernel) {
  CheckSpec spec;
  spec.address = Ipv4Address::parse("127.0.0.1").value();
  PingProbe probe(spec);
  for (int i = 0; i < 3; ++i) {
    const Verdict verdict = run(probe, std::chrono::milliseconds(1000));
    if (verdict.detail.starts_with("no ICMP socket")) GTEST_SKIP() << verdict.detail;
    EXPECT_TRUE(verdict.success) << verdict.detail;
  }
}

class Listener {
 public:
  Listener() : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), size), 0);
    getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port = ntohs(address.sin_port);
  }
  ~Listener() { close(fd_); }
  void listen() const { ::listen(fd_, 4); }
  std::uint16_t port = 0;

 private:
  int fd_;
};

TEST(TcpProbe, HealthyIffItIsAccepted) {
  const Listener listener;
  CheckSpec spec;
  spec.kind = CheckSpec::Kind::tcp;
  spec.address = Ipv4Address::parse("127.0.0.1").value();
  spec.port = listener.port;
  const auto probe = make_probe(spec);
  const Verdict refused = run(*probe, std::chrono::milliseconds(1000));
  EXPECT_FALSE(refused.success);
  EXPECT_EQ(refused.detail, "Connection refused");
  listener.listen();
  EXPECT_TRUE(run(*probe, std::chrono::milliseconds(1000)).success);
  EXPECT_TRUE(run(*probe, std::chrono::milliseconds(1000)).success);
}

TEST(ScriptProbe, TheExitCodeDecides) {
  const TemporaryFolder folder;
  const auto verdict = [](const std::string& program) {
    return run(*make_probe(script_spec(program)), std::chrono::milliseconds(5000));
  };
  EXPECT_TRUE(verdict(script(folder, "good", "exit 0")).success);
  const Verdict three = verdict(script(folder, "bad", "exit 3"));
  EXPECT_FALSE(three.success);
  EXPECT_EQ(three.detail, "exit code 3");
  EXPECT_EQ(verdict(script(folder, "dies", "kill -9 $$")).detail, "ended by signal 9");
  EXPECT_EQ(verdict(folder / "absent").detail, "cannot be run: No such file or directory");
  EXPECT_EQ(verdict(folder.write("plain", "")).detail, "cannot be run: Permission denied");
}

TEST(ScriptProbe, ItsSurroundingsAreClean) {
  const TemporaryFolder folder;
  ::setenv("KOI_SECRET", "x", 1);
  const int open_fd = ::eventfd(0, 0);
  const std::string out = folder / "out";
  const std::string path =
      script(folder, "look",
             "env >" + out + "; ls /proc/self/fd | wc -l >>" + out + "; echo \"$#\" >>" + out);
  EXPECT_TRUE(run(*make_probe(script_spec(path)), std::chrono::milliseconds(5000)).success);
  ::close(open_fd);
  std::ifstream in(out);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with("PWD=") && !line.starts_with("OLDPWD=") && !line.starts_with("_=")) {
      lines.push_back(line);  // those are the shell's own
    }
  }
  std::sort(lines.begin(), lines.end());
  EXPECT_EQ(lines, (std::vector<std::string>{
                       "0", "4",  // no arguments; ls has 0 to 2 and the folder
                       "KOI_CHECK=script " + path, "LANG=C",
                       "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}));
}

/// True once the process is gone or only its entry is left.
bool ends(pid_t pid) {
  for (int i = 0; i < 1000; ++i) {
    std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
    std::string text;
    if (!std::getline(in, text) || text.find(") Z ") != std::string::npos) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

pid_t number_in(const std::string& path) {
  pid_t pid = 0;
  for (int i = 0; i < 1000 && !(std::ifstream(path) >> pid); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return pid;
}

TEST(ScriptProbe, AtTheTimeoutTheWholeGroupIsKilled) {
  const TemporaryFolder folder;
  const std::string child = folder / "child";
  const auto probe =
      make_probe(script_spec(script(folder, "slow", "sleep 1000 & echo $! >" + child + "; wait")));
  EXPECT_FALSE(probe->start().has_value());
  const pid_t pid = number_in(child);
  ASSERT_GT(pid, 0);
  EXPECT_EQ(probe->give_up().detail, "not done within 1 s");
  wait_until_gone(*probe);
  EXPECT_TRUE(ends(pid));
}

TEST(ScriptProbe, WhatItLeavesBehindIsKilledToo) {
  const TemporaryFolder folder;
  const std::string child = folder / "child";
  const auto probe =
      make_probe(script_spec(script(folder, "leaves", "sleep 1000 & echo $! >" + child)));
  EXPECT_TRUE(run(*probe, std::chrono::milliseconds(5000)).success);
  const pid_t pid = number_in(child);
  ASSERT_GT(pid, 0);
  EXPECT_TRUE(ends(pid));
}

// ---- the agent ---------------------------------------------------------------------------------

class AgentTest : public ::testing::Test {
 protected:
  ~AgentTest() override {
    if (thread.joinable()) stop();
    ::close(end);
  }
  void start(const std::string& socket) {
    thread = std::thread([this, socket] {
      Agent agent(socket, [this](const std::string& line) {
        const std::lock_guard lock(mutex);
        log.push_back(line);
      });
      agent.run(end);
    });
  }
  void stop() {
    ::eventfd_write(end, 1);
    thread.join();
  }
  std::vector<std::string> lines() {
    const std::lock_guard lock(mutex);
    return log;
  }
  /// Waits for the condition, at most 10 s.
  template <class Condition>
  static bool wait_for(Condition condition) {
    for (int i = 0; i < 2000; ++i) {
      if (condition()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
  }

  TemporaryFolder folder;
  int end = ::eventfd(0, EFD_CLOEXEC);
  std::mutex mutex;
  std::vector<std::string> log;
  std::thread thread;
};

TEST_F(AgentTest, ReportsTheFirstResultAndEachChange) {
  const std::string flag = folder / "sick";
  const std::string program = script(folder, "check", "test ! -e " + flag);
  const Json list = {{"ok", true},
                     {"checks",
                      {{{"name", "x"},
                        {"kind", "script"},
                        {"program", program},
                        {"interval", 0.02},
                        {"timeout", 5},
                        {"rise", 1},
                        {"fall", 2},
                        {"healthy", true}},
                       {{"name", "future"}, {"kind", "bgp"}}}}};
  FakeDaemon daemon([&](const std::string& request) {
    return Json::parse(request)["command"] == "checks" ? list.dump() + "\n" : "{\"ok\":true}\n";
  });
  const auto reports = [&] {
    std::vector<std::string> all;
    for (const std::string& request : daemon.requests()) {
      if (Json::parse(request)["command"] == "check") all.push_back(request);
    }
    return all;
  };
  start(daemon.path());
  ASSERT_TRUE(wait_for([&] { return !reports().empty(); }));
  EXPECT_EQ(reports()[0], R"({"command":"check","name":"x","healthy":true,"detail":""})");
  std::ofstream(flag) << "";
  const std::string failed =
      R"({"command":"check","name":"x","healthy":false,"detail":"exit code 1"})";
  ASSERT_TRUE(wait_for([&] { return reports().back() == failed; }));
  std::filesystem::remove(flag);
  ASSERT_TRUE(wait_for([&] {
    return reports().back() == R"({"command":"check","name":"x","healthy":true,"detail":""})";
  }));
  stop();
  EXPECT_EQ(lines(),
            (std::vector<std::string>{"check \"future\": not understood, left out", "x: watched",
                                      "x: failed (exit code 1)", "x: healthy again"}));
}

TEST_F(AgentTest, SaysOnceThatKoidIsAwayAndGoesOn) {
  start("/nowhere/koid.sock");
  ASSERT_TRUE(wait_for([&] { return !lines().empty(); }));
  std::this_thread::sleep_for(std::chrono::milliseconds(1200));  // one retry
  stop();
  ASSERT_EQ(lines().size(), 1U);
  EXPECT_TRUE(lines()[0].starts_with("there is no socket /nowhere/koid.sock")) << lines()[0];
}

TEST(AgentCommandLine, HelpIsTheManual) {
  const CommandLine help = parse_command_line({"--help"});
  ASSERT_TRUE(help.instead.has_value());
  EXPECT_EQ(help.instead->exit_code, 0);
  for (const char* word :
       {"kernel's routes", "host port", "KOI_CHECK", "ping_group_range", "KOI_NEW_ROLE"}) {
    EXPECT_NE(help.instead->out.find(word), std::string::npos) << word;
  }
  EXPECT_EQ(parse_command_line({"--version"}).instead->out, "koi-agent " KOI_VERSION "\n");
  EXPECT_FALSE(parse_command_line({"--socket", "/x"}).instead.has_value());
  EXPECT_EQ(parse_command_line({"--socket", "/x"}).socket, "/x");
  for (const std::vector<std::string>& wrong :
       {std::vector<std::string>{"x"}, {"--socket"}, {"--socket", std::string(200, 'x')}}) {
    const CommandLine line = parse_command_line(wrong);
    ASSERT_TRUE(line.instead.has_value());
    EXPECT_EQ(line.instead->exit_code, 2);
    EXPECT_NE(line.instead->err, "");
  }
}

}  // namespace
}  // namespace koi::agent::agent_test
