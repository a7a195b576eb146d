#include "controlplane/app/agent_watch.h"

#include <algorithm>

#include "config/derived.h"

namespace koi::app {

bool needs_agent(const config::Config& config) {
  const auto by_port = [](const config::Port& port) { return config::has_kernel_interface(port); };
  const auto by_group = [](const config::Group& group) {
    const auto is_run = [](const config::Track& t) { return t.kind != config::Track::Kind::port; };
    return group.assign != config::Assign::never || !group.hooks.empty() ||
           std::any_of(group.track.begin(), group.track.end(), is_run);
  };
  return std::any_of(config.ports.begin(), config.ports.end(), by_port) ||
         std::any_of(config.groups.begin(), config.groups.end(), by_group);
}

bool AgentWatch::update(Instant now, std::chrono::system_clock::time_point wall) {
  const bool silent = now - heard_ > kPatience;
  const bool present = asked_ && !silent;
  const bool missed = silent && !missed_;
  if (present == present_ && !missed) return false;
  if (present != present_) since_ = wall;
  present_ = present;
  missed_ = silent;
  return needed_;
}

}  // namespace koi::app
