#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

#include "config/secret.h"
#include "tools/ctl/koictl.h"

int main(int argc, char** argv) {
  koi::config::guard_keys();  // of `check` and `keygen`; unlocked memory does for so short a time
  try {
    koi::ctl::Surroundings surroundings;
    surroundings.terminal = ::isatty(STDOUT_FILENO) == 1;
    surroundings.colours = surroundings.terminal && std::getenv("NO_COLOR") == nullptr;
    surroundings.print = [](std::string_view text) {
      return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() &&
             std::fflush(stdout) == 0;
    };
    const koi::ctl::Printed result = koi::ctl::run(
        std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc), surroundings);
    std::fwrite(result.err.data(), 1, result.err.size(), stderr);
    std::fwrite(result.out.data(), 1, result.out.size(), stdout);
    return static_cast<int>(result.exit_code);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "koictl: %s\n", e.what());
    return static_cast<int>(koi::ctl::ExitCode::usage);
  }
}
