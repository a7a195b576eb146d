#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <poll.h>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/unit/tools/fake_daemon.h"
#include "tools/agent/hooks.h"
#include "tools/agent/now.h"

namespace koi::agent::agent_hooks_test {
namespace {

using test::TemporaryFolder;

/// One group's hooks with real programs in a folder.
class HookQueueTest : public ::testing::Test {
 protected:
  std::string script(const std::string& name, const std::string& body) const {
    const std::string path = folder.write(name, "#!/bin/sh\n" + body + "\n");
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    return path;
  }
  void add(std::uint64_t sequence, std::vector<HookSpec> hooks) {
    HookQueue::Call call;
    call.change = {sequence, "lan", 7, "BACKUP", "MASTER", "master-down timer"};
    call.group = {"lan", "eth-a", "192.0.2.1 2001:db8::1", std::move(hooks), {}};
    call.node = "fw-a";
    call.socket = "/run/koi/koid.sock";
    queue.add(std::move(call));
  }
  /// As the agent would, until nothing is left.
  void run() {
    const Instant end = now_is() + 20s;
    for (queue.tick(now_is()); !queue.idle(); queue.tick(now_is())) {
      ASSERT_LT(now_is(), end);
      const auto left =
          std::chrono::ceil<std::chrono::milliseconds>(std::min(queue.next(), end) - now_is());
      pollfd p{queue.fd(), POLLIN, 0};
      if (poll(&p, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0))) == 1) {
        queue.ready(now_is());
      }
    }
  }
  std::vector<std::string> lines(const std::string& name) const {
    std::ifstream in(folder / name);
    std::vector<std::string> all;
    for (std::string line; std::getline(in, line);) all.push_back(line);
    return all;
  }

  TemporaryFolder folder;
  std::vector<std::string> told;  // "sequence name of the program: outcome", times cut off
  HookQueue queue{
      [this](const HookQueue::Call& call, const std::string& program, const std::string& outcome) {
        told.push_back(std::to_string(call.change.sequence) + " " +
                       std::filesystem::path(program).filename().string() + ": " +
                       outcome.substr(0, outcome.find(" after ")));
      }};
};

TEST_F(HookQueueTest, EachProgramOnceForEachChangeInOrderAndOneAtATime) {
  const std::string out = folder / "out";
  const auto body = [&](const char* name, const char* pause) {
    return "echo " + std::string(name) + " $KOI_SEQUENCE >>" + out + "; sleep " + pause +
           "; echo end >>" + out;
  };
  const std::string a = script("a", body("a", "0.1"));
  const std::string b = script("b", body("b", "0"));
  for (std::uint64_t i = 1; i <= 3; ++i) add(i, {{a}, {b}});
  run();
  EXPECT_EQ(lines("out"), (std::vector<std::string>{"a 1", "end", "b 1", "end", "a 2", "end", "b 2",
                                                    "end", "a 3", "end", "b 3", "end"}));
  EXPECT_EQ(told,
            (std::vector<std::string>{"1 a: exit code 0", "1 b: exit code 0", "2 a: exit code 0",
                                      "2 b: exit code 0", "3 a: exit code 0", "3 b: exit code 0"}));
}

TEST_F(HookQueueTest, WhatItIsTold) {
  const std::string out = folder / "out";
  add(12, {{script("look",
                   "env >" + out + "; readlink /proc/self/fd/0 >>" + out + "; echo $# >>" + out)}});
  run();
  std::vector<std::string> got = lines("out");
  std::erase_if(got, [](const std::string& line) {  // those are the shell's own
    return line.starts_with("PWD=") || line.starts_with("OLDPWD=") || line.starts_with("_=");
  });
  std::sort(got.begin(), got.end());
  EXPECT_EQ(got, (std::vector<std::string>{
                     "/dev/null", "0", "KOI_ADDRESSES=192.0.2.1 2001:db8::1",
                     "KOI_CAUSE=master-down timer", "KOI_GROUP=lan", "KOI_NEW_ROLE=MASTER",
                     "KOI_NODE=fw-a", "KOI_OLD_ROLE=BACKUP", "KOI_PORT=eth-a", "KOI_SEQUENCE=12",
                     "KOI_SOCKET=/run/koi/koid.sock", "KOI_VHID=7", "LANG=C",
                     "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}));
}

TEST_F(HookQueueTest, WhatFailsHoldsUpNothing) {
  add(1, {{folder / "absent"}, {script("three", "exit 3")}, {script("dies", "kill -9 $$")}});
  add(2, {{folder.write("plain", "")}});
  run();
  EXPECT_EQ(told, (std::vector<std::string>{"1 absent: cannot be run: No such file or directory",
                                            "1 three: exit code 3", "1 dies: ended by signal 9",
                                            "2 plain: cannot be run: Permission denied"}));
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

TEST_F(HookQueueTest, AtTheTimeoutTheGroupIsAskedAndThenKilled) {
  const std::string child = folder / "child";
  add(1,
      {{script("polite", "sleep 1000"), 50ms},
       {script("deaf", "trap '' TERM; sleep 1000 & echo $! >" + child + "; wait; wait; sleep 99"),
        50ms}});
  add(2, {{script("next", "exit 0")}});
  const Instant began = now_is();
  run();
  EXPECT_GE(now_is() - began, HookQueue::kGrace + 100ms);
  EXPECT_EQ(told, (std::vector<std::string>{"1 polite: not done within 0.05 s, ended by signal 15",
                                            "1 deaf: not done within 0.05 s, ended by signal 9",
                                            "2 next: exit code 0"}));
  pid_t pid = 0;
  std::ifstream(child) >> pid;
  ASSERT_GT(pid, 0);
  EXPECT_TRUE(ends(pid));
}

TEST_F(HookQueueTest, WhatItPutsIntoTheBackgroundGoesOn) {
  const std::string child = folder / "child";
  add(1, {{script("starts", "sleep 1000 & echo $! >" + child)}});
  run();
  EXPECT_EQ(told, (std::vector<std::string>{"1 starts: exit code 0"}));
  pid_t pid = 0;
  std::ifstream(child) >> pid;
  ASSERT_GT(pid, 0);
  EXPECT_EQ(::kill(pid, 0), 0);
  ::kill(pid, SIGKILL);
}

TEST_F(HookQueueTest, OfAHundredThatWaitTheOldestIsDroppedAndNamed) {
  const std::string out = folder / "out";
  const std::string program = script("note", "echo $KOI_SEQUENCE >>" + out);
  for (std::uint64_t i = 1; i <= HookQueue::kMostWaiting + 3; ++i) add(i, {{program}});
  EXPECT_EQ(told, (std::vector<std::string>{"2 : dropped, for 100 changes wait already",
                                            "3 : dropped, for 100 changes wait already"}));
  run();
  const auto ran = lines("out");
  ASSERT_EQ(ran.size(), HookQueue::kMostWaiting + 1);
  EXPECT_EQ(ran[0], "1");
  EXPECT_EQ(ran[1], "4");
  EXPECT_EQ(ran.back(), "103");
}

TEST(Hooks, GroupsRunBesideEachOtherAndThoseWithoutHooksNotAtAll) {
  const TemporaryFolder folder;
  // Each waits for the other: one after the other they would never end.
  const auto rendezvous = [&](const std::string& mine, const std::string& other) {
    const std::string path =
        folder.write("hook-" + mine, "#!/bin/sh\n: >" + (folder / mine) + "\nwhile test ! -e " +
                                         (folder / other) + "; do sleep 0.01; done\n");
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    return path;
  };
  std::vector<std::string> log;
  Koid koid("/nowhere/koid.sock", [&](const std::string& line) { log.push_back(line); });
  Hooks hooks(koid);
  HostSpec host;
  host.groups = {{"a", "lan", "", {{rendezvous("a", "b")}}, {}},
                 {"b", "lan", "", {{rendezvous("b", "a")}}, {}},
                 {"quiet", "lan", "", {}, {}}};
  hooks.host_is(host);
  for (const char* group : {"a", "b", "quiet", "unknown"}) {
    hooks.role_changed({1, group, 1, "BACKUP", "MASTER", "preempt"});
  }
  const Instant end = now_is() + 10s;
  for (;;) {
    hooks.tick(now_is());
    std::vector<pollfd> fds;
    hooks.add_to(fds);
    if (fds.empty()) break;
    ASSERT_LT(now_is(), end);
    poll(fds.data(), fds.size(), 100);
    hooks.ready(fds);
  }
  // Two outcomes; and, at the first, that koid cannot be told.
  ASSERT_EQ(log.size(), 3U);
  EXPECT_NE(log[0].find("BACKUP -> MASTER: hook "), std::string::npos) << log[0];
  EXPECT_NE(log[0].find("exit code 0 after "), std::string::npos) << log[0];
  EXPECT_NE(log[2].find("exit code 0 after "), std::string::npos) << log[2];
}

/// What was waited for is known by its descriptor: the new one's place is another's.
TEST(Hooks, AGroupThatComesWhileAnotherIsWaitedForRunsToo) {
  const TemporaryFolder folder;
  const auto touch = [&](const std::string& name) {
    const std::string path =
        folder.write("hook-" + name, "#!/bin/sh\n: >" + (folder / name) + "\n");
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    return path;
  };
  std::vector<std::string> log;
  Koid koid("/nowhere/koid.sock", [&](const std::string& line) { log.push_back(line); });
  Hooks hooks(koid);
  HostSpec host;
  host.groups = {{"a", "lan", "", {{touch("a")}}, {}}, {"b", "lan", "", {{touch("b")}}, {}}};
  hooks.host_is(host);
  hooks.role_changed({1, "b", 2, "BACKUP", "MASTER", "preempt"});
  hooks.tick(now_is());
  std::vector<pollfd> fds;
  hooks.add_to(fds);
  ASSERT_EQ(fds.size(), 1U);
  ASSERT_EQ(poll(fds.data(), fds.size(), 10'000), 1);
  hooks.role_changed({2, "a", 1, "BACKUP", "MASTER", "preempt"});
  for (const Instant end = now_is() + 10s; !fds.empty();) {
    ASSERT_LT(now_is(), end);
    hooks.ready(fds);
    hooks.tick(now_is());
    fds.clear();
    hooks.add_to(fds);
    poll(fds.data(), fds.size(), 100);
  }
  EXPECT_TRUE(std::filesystem::exists(folder / "a"));
  EXPECT_TRUE(std::filesystem::exists(folder / "b"));
}

}  // namespace
}  // namespace koi::agent::agent_hooks_test
