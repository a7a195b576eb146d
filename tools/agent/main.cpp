#include <csignal>
#include <cstdio>
#include <exception>
#include <linux/capability.h>
#include <string>
#include <sys/signalfd.h>
#include <vector>

#include <fmt/format.h>

#include "service/capabilities.h"
#include "service/notify.h"
#include "service/system_calls.h"
#include "tools/agent/agent.h"
#include "tools/agent/command_line.h"

int main(int argc, char** argv) {
  try {
    const koi::agent::CommandLine line = koi::agent::parse_command_line(
        std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc));
    if (line.instead) {
      std::fwrite(line.instead->out.data(), 1, line.instead->out.size(), stdout);
      std::fwrite(line.instead->err.data(), 1, line.instead->err.size(), stderr);
      return line.instead->exit_code;
    }
    std::signal(SIGCHLD,
                SIG_DFL);  // who started us may have ignored it, and scripts must be reaped
    sigset_t ending;
    sigemptyset(&ending);
    for (const int signal : {SIGTERM, SIGINT}) sigaddset(&ending, signal);
    sigprocmask(SIG_BLOCK, &ending, nullptr);
    koi::agent::Agent agent(
        line.socket, [](const std::string& text) { fmt::print(stderr, "koi-agent: {}\n", text); });
    for (const koi::Status& confined :
         {koi::service::keep_capabilities({CAP_NET_ADMIN}), koi::service::filter_agent()}) {
      if (!confined) fmt::print(stderr, "koi-agent: warning: {}\n", confined.error().message);
    }
    koi::service::tell_ready("follows koid at " + line.socket);
    agent.run(signalfd(-1, &ending, SFD_CLOEXEC));
    return 0;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "koi-agent: %s\n", e.what());
    return 1;
  }
}
