#pragma once

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "tools/agent/follower.h"
#include "tools/agent/host_spec.h"
#include "tools/agent/process.h"

namespace koi::agent {

/// The hooks of one group: for each change of role each program once, one after the other and in
/// the order of the changes. Time comes in.
class HookQueue {
 public:
  static constexpr std::size_t kMostWaiting = 100;  // changes; the oldest of more is dropped
  static constexpr Duration kGrace = 1s;            // from SIGTERM, at the timeout, to SIGKILL

  struct Call {
    RoleChange change;
    HookGroup group;  // as it was then
    std::string node;
    std::string socket;  // koid's
  };
  /// `outcome` of a program for a change; program "": the change was dropped.
  using Told =
      std::function<void(const Call& call, const std::string& program, const std::string& outcome)>;

  explicit HookQueue(Told told) : told_(std::move(told)) {}

  void add(Call call);
  /// Begins what can begin, and ends what takes too long.
  void tick(Instant now);
  /// A program has ended: fd() was readable.
  void ready(Instant now);

  int fd() const { return process_.fd(); }
  Instant next() const { return process_.running() ? deadline_ : Instant::max(); }
  bool idle() const { return calls_.empty(); }

 private:
  const HookSpec& hook() const { return calls_.front().group.hooks[at_]; }
  void step();

  Told told_;
  std::deque<Call> calls_;  // the first is the one being told
  std::size_t at_ = 0;      // its program
  Process process_;
  Instant started_{};
  Instant deadline_{};  // of the next thing done to it
  unsigned urged_ = 0;  // 1: SIGTERM was sent; 2: SIGKILL
};

/// The environment of a hook beside PATH and LANG.
std::vector<std::string> hook_environment(const HookQueue::Call& call);

}  // namespace koi::agent
