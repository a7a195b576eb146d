#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/time.h"
#include "tools/ctl/socket_client.h"

/// The command line of koid, without the process around it.
namespace koi::ctl {

enum class ExitCode : int {
  done = 0,
  refused = 1,    // the daemon refused
  usage = 2,      // usage or configuration error
  no_daemon = 3,  // cannot connect, closed, or no reply in time
};

/// What koictl learns from the process it runs in.
struct Surroundings {
  std::chrono::system_clock::time_point now = std::chrono::system_clock::now();
  bool colours = false;
  bool terminal = false;  // standard output is one
  Duration deadline = kReplyDeadline;
  /// For what is to be seen before the end (events --follow, watch, capture): prints it; false: it
  /// cannot, for nobody reads any more or as errno says. Must be there for these commands.
  std::function<bool(std::string_view)> print;
};

/// The end of a run: what to print where, and how to exit.
struct Printed {
  ExitCode exit_code = ExitCode::done;
  std::string out;  // for standard output
  std::string err;  // for standard error
};

/// Runs one command. `arguments` are without the program's name. Blocks at most
/// `surroundings.deadline`, but for `events --follow` and `watch`, which end with print(), and
/// `capture`.
Printed run(const std::vector<std::string>& arguments, const Surroundings& surroundings);

}  // namespace koi::ctl
