#pragma once

#include <string>

namespace koi::app {

enum class Mode { run, check, print, preflight };

struct Options {
  Mode mode = Mode::run;
  std::string config_file;
};

/// Exit codes of koid (design.md, Names that are an interface, and the end-to-end rules).
inline constexpr int kExitDone = 0;
inline constexpr int kExitFailed = 1;  // a device, memory, permission, …: nothing is left started
inline constexpr int kExitUsage = 2;   // command line or configuration

/// Parses the command line. Returns false when koid is to end at once with exit_code: after --help,
/// --version or a usage error, all of which have been printed.
bool parse_options(int argc, char** argv, Options& options, int& exit_code);

}  // namespace koi::app
