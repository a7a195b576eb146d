#include "tools/agent/agent.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <poll.h>
#include <utility>
#include <vector>

#include "tools/agent/now.h"

namespace koi::agent {
namespace {

/// For poll(): rounded up, so that it does not spin.
int milliseconds_until(Instant moment) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(moment - now_is()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
}

}  // namespace

Agent::Agent(std::string socket, Log log)
    : koid_(std::move(socket), std::move(log)),
      checks_(koid_),
      host_keeper_(koid_),
      hooks_(koid_),
      follower_(koid_, {.host = [this](const HostSpec& host) { host_is(host); },
                        .role = [this](const RoleChange& c) { hooks_.role_changed(c); }}),
      parts_{&follower_, &host_keeper_, &hooks_, &checks_} {}

/// The addresses first: what a hook starts may bind them.
void Agent::host_is(const HostSpec& host) {
  host_keeper_.host_is(host);
  hooks_.host_is(host);
  checks_.ask_soon();
}

void Agent::run(int end) {
  std::vector<pollfd> fds;
  std::array<std::size_t, std::tuple_size_v<decltype(parts_)> + 1> begins{};
  for (;;) {
    Instant next = Instant::max();
    fds.assign(1, {end, POLLIN, 0});
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      parts_[i]->tick(now_is());
      next = std::min(next, parts_[i]->next());
      begins[i] = fds.size();
      parts_[i]->add_to(fds);
    }
    begins.back() = fds.size();
    if (::poll(fds.data(), fds.size(), milliseconds_until(next)) < 0 && errno != EINTR) return;
    if (fds[0].revents != 0) return;
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      parts_[i]->ready(std::span(fds).subspan(begins[i], begins[i + 1] - begins[i]));
    }
  }
}

}  // namespace koi::agent
