#pragma once

#include <array>
#include <string>

#include "tools/agent/checks.h"
#include "tools/agent/follower.h"
#include "tools/agent/hooks.h"
#include "tools/agent/host_keeper.h"
#include "tools/agent/koid.h"

namespace koi::agent {

/// The agent: its parts, and the one thread that they share. Its only waits are poll() and, for at
/// most Koid::kDeadline, a reply of koid.
class Agent {
 public:
  Agent(std::string socket, Log log);

  /// Runs until `end` (a descriptor; not read) is readable. Scripts and hooks that run then are
  /// killed with the agent's destruction.
  void run(int end);

 private:
  void host_is(const HostSpec& host);

  Koid koid_;
  Checks checks_;
  HostKeeper host_keeper_;
  Hooks hooks_;
  Follower follower_;
  /// Those that hear of changes before those that act on them.
  std::array<Part*, 4> parts_;
};

}  // namespace koi::agent
