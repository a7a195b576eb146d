#pragma once

#include <map>
#include <string>

#include "tools/agent/follower.h"
#include "tools/agent/hook_queue.h"
#include "tools/agent/koid.h"
#include "tools/agent/part.h"

namespace koi::agent {

/// Runs the groups' hooks, those of different groups beside each other, and tells koid what came of
/// each. What runs when the agent ends is killed: the next agent tells the present role anew.
class Hooks final : public Part {
 public:
  /// Not owned.
  explicit Hooks(Koid& koid) : koid_(koid) {}

  void host_is(const HostSpec& host);
  /// Nothing iff the group has no hooks.
  void role_changed(const RoleChange& change);

  void tick(Instant now) override;
  Instant next() const override;
  void add_to(std::vector<pollfd>& fds) const override;
  void ready(std::span<const pollfd> fds) override;

 private:
  void tell(const HookQueue::Call& call, const std::string& program, const std::string& outcome);

  Koid& koid_;
  std::string node_;
  std::vector<HookGroup> groups_;
  std::map<std::string, HookQueue> queues_;  // by group
};

}  // namespace koi::agent
