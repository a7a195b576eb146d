#pragma once

#include <optional>
#include <string>
#include <vector>

namespace koi::agent {

/// What the command line asks for.
struct CommandLine {
  std::string socket;
  /// Print this and exit with it instead of running: help, version, or what is wrong (code 2).
  struct Instead {
    int exit_code = 0;
    std::string out;
    std::string err;
  };
  std::optional<Instead> instead;
};

/// `arguments` are without the program's name.
CommandLine parse_command_line(const std::vector<std::string>& arguments);

}  // namespace koi::agent
