#include <array>
#include <cstdio>
#include <set>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "tests/unit/tools/fake_daemon.h"
#include "tools/ctl/koictl.h"

namespace koi::ctl::completion_test {
namespace {

/// What bash offers after "koictl <before> <word>" and a Tab. There are two groups.
std::set<std::string> offered(const std::string& before, const std::string& word) {
  const test::TemporaryFolder folder;
  const std::string script = folder.write("script", run({"completion", "bash"}, {}).out);
  const std::string command =
      "koictl() { case \"$*\" in 'completion groups') printf 'lan\\nwan\\n' ;;"
      " 'completion ports') echo eth ;; esac; }; . " +
      script + "; COMP_WORDS=(koictl " + before + " '" + word +
      "'); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _koictl; echo \"${COMPREPLY[@]}\"";
  const std::string file = folder.write("ask", command);
  FILE* pipe = popen(("bash " + file).c_str(), "r");
  std::string out;
  std::array<char, 256> buffer{};
  while (std::fgets(buffer.data(), buffer.size(), pipe) != nullptr) out += buffer.data();
  EXPECT_EQ(pclose(pipe), 0);
  std::istringstream words(out);
  return {std::istream_iterator<std::string>(words), {}};
}

using Words = std::set<std::string>;

TEST(Completion, BashOffersWhatTheCommandLineTakes) {
  EXPECT_EQ(offered("", "ex"), Words({"explain"}));
  EXPECT_EQ(offered("", "--so"), Words({"--socket"}));
  EXPECT_EQ(offered("--socket /run/x", "und"), Words({"undemote"}));
  EXPECT_EQ(offered("explain", "--cl"), Words({"--client"}));
  EXPECT_EQ(offered("demote a-cause", "--f"), Words({"--for"}));
  EXPECT_EQ(offered("maintenance", "o"), Words({"on", "off"}));
  EXPECT_EQ(offered("handover", ""), Words({"lan", "wan"}));
  EXPECT_EQ(offered("events --group", "w"), Words({"wan"}));
  EXPECT_EQ(offered("capture --group", "l"), Words({"lan"}));
  EXPECT_EQ(offered("capture --port", ""), Words({"eth"}));
  EXPECT_EQ(offered("capture --write", "/etc/hostna"), Words({"/etc/hostname"}));
  EXPECT_EQ(offered("check", "/etc/hostna"), Words({"/etc/hostname"}));
}

TEST(Completion, EveryCommandOfTheHelpIsOffered) {
  const std::string help = run({"--help"}, {}).out;
  const Words commands = offered("", "");
  for (const char* name : {"status", "watch", "handover", "reload", "completion"}) {
    EXPECT_TRUE(commands.contains(name)) << name;
    EXPECT_NE(help.find(std::string("\n  ") + name + " "), std::string::npos) << name;
  }
}

TEST(Completion, ZshTakesBashs) {
  const std::string zsh = run({"completion", "zsh"}, {}).out;
  EXPECT_TRUE(zsh.starts_with("#compdef koictl\n"));
  EXPECT_TRUE(zsh.ends_with(run({"completion", "bash"}, {}).out));
  EXPECT_EQ(run({"completion", "fish"}, {}).exit_code, ExitCode::usage);
}

TEST(Completion, PortsAreKoids) {
  test::FakeDaemon daemon([](const std::string& request) {
    EXPECT_NE(request.find("counters"), std::string::npos);
    return R"({"ok":true,"ports":[{"name":"lan"},{"name":"wan"}]})"
           "\n";
  });
  EXPECT_EQ(run({"--socket", daemon.path(), "completion", "ports"}, {}).out, "lan\nwan\n");
}

TEST(Completion, GroupsAreKoids) {
  test::FakeDaemon daemon([](const std::string&) {
    return R"({"ok":true,"groups":[{"name":"lan"},{"name":"wan"}]})"
           "\n";
  });
  EXPECT_EQ(run({"--socket", daemon.path(), "completion", "groups"}, {}).out, "lan\nwan\n");
}

}  // namespace
}  // namespace koi::ctl::completion_test
