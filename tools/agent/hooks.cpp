#include "tools/agent/hooks.h"

#include <algorithm>

#include <fmt/format.h>

#include "tools/agent/now.h"

namespace koi::agent {

void Hooks::host_is(const HostSpec& host) {
  node_ = host.node;
  groups_ = host.groups;
}

void Hooks::role_changed(const RoleChange& change) {
  const auto group = std::find_if(groups_.begin(), groups_.end(),
                                  [&](const HookGroup& g) { return g.name == change.group; });
  if (group == groups_.end() || group->hooks.empty()) return;
  const auto told = [this](const HookQueue::Call& call, const std::string& program,
                           const std::string& outcome) { tell(call, program, outcome); };
  queues_.try_emplace(change.group, told)
      .first->second.add({change, *group, node_, koid_.socket()});
}

void Hooks::tell(const HookQueue::Call& call, const std::string& program,
                 const std::string& outcome) {
  const RoleChange& change = call.change;
  const std::string what = program.empty() ? "hooks" : "hook " + program;
  koid_.tell(fmt::format("{} vhid {} {} -> {}: {}: {}", change.group, change.vhid, change.from,
                         change.to, what, outcome),
             {{"kind", "hook"},
              {"group", change.group},
              {"vhid", change.vhid},
              {"detail", program},
              {"cause", outcome},
              {"of", change.sequence}});
}

void Hooks::tick(Instant now) {
  for (auto& [group, queue] : queues_) queue.tick(now);
  std::erase_if(queues_, [](const auto& q) { return q.second.idle(); });
}

Instant Hooks::next() const {
  Instant earliest = Instant::max();
  for (const auto& [group, queue] : queues_) earliest = std::min(earliest, queue.next());
  return earliest;
}

void Hooks::add_to(std::vector<pollfd>& fds) const {
  for (const auto& [group, queue] : queues_) fds.push_back({queue.fd(), POLLIN, 0});
}

void Hooks::ready(std::span<const pollfd> fds) {
  // By descriptor: a queue may have been made since they were polled, by what koid said meanwhile.
  for (auto& [group, queue] : queues_) {
    const int fd = queue.fd();
    const bool ended = std::any_of(fds.begin(), fds.end(), [fd](const pollfd& polled) {
      return polled.fd >= 0 && polled.fd == fd && polled.revents != 0;
    });
    if (ended) queue.ready(now_is());
  }
}

}  // namespace koi::agent
