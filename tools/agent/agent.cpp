#include "tools/agent/agent.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <poll.h>
#include <utility>

#include <fmt/format.h>

#include "tools/ctl/reply.h"

namespace koi::agent {
namespace {

Instant now_is() {
  return Instant(
      std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()));
}

/// For poll(): rounded up, so that it does not spin; -1 never.
int milliseconds_until(Instant moment) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(moment - now_is()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
}

}  // namespace

void Agent::run(int end) {
  std::vector<pollfd> fds;
  for (;;) {
    const Instant now = now_is();
    if (now >= ask_at_) ask(now);
    for (Runner& runner : runners_) watch(runner, [&](Runner& r) { r.tick(now_is()); });
    report(now_is());

    fds.assign(1, {end, POLLIN, 0});
    for (const Runner& runner : runners_) fds.push_back({runner.fd(), runner.events(), 0});
    if (::poll(fds.data(), fds.size(), milliseconds_until(next())) < 0 && errno != EINTR) return;
    if (fds[0].revents != 0) return;
    // First what is there, then what is late: time spent on koid is not the check's failure.
    for (std::size_t i = 0; i < runners_.size(); ++i) {
      if (fds[i + 1].revents != 0) watch(runners_[i], [](Runner& r) { r.ready(); });
    }
  }
}

template <class Step>
void Agent::watch(Runner& runner, Step step) {
  const bool before = runner.healthy();
  step(runner);
  if (runner.healthy() == before) return;
  log_(before ? fmt::format("{}: failed ({})", runner.spec().name, runner.detail())
              : fmt::format("{}: healthy again", runner.spec().name));
}

Instant Agent::next() const {
  Instant earliest = ask_at_;
  for (const Runner& runner : runners_) earliest = std::min(earliest, runner.next());
  return earliest;
}

void Agent::ask(Instant now) {
  const ctl::Reply reply = ctl::ask(socket_, "checks", kKoidDeadline);
  if (reply.outcome != ctl::Outcome::done) return koid_is_away(reply.error, now);
  if (std::exchange(away_, false)) {
    log_(fmt::format("koid answers on {}", socket_));
    for (Runner& runner : runners_) runner.report_again();
  }
  ask_at_ = now + kAskAgain;
  take_list(reply.body, now);
}

void Agent::koid_is_away(const std::string& why, Instant now) {
  if (!std::exchange(away_, true)) log_(fmt::format("{} (retrying every second)", why));
  ask_at_ = now + kRetry;
}

void Agent::take_list(const ctl::Json& reply, Instant now) {
  std::vector<std::string> problems;
  const std::vector<ListedCheck> listed = parse_checks(reply, problems);
  if (problems != problems_) {
    for (const std::string& problem : problems) log_(problem);
    problems_ = std::move(problems);
  }
  std::vector<Runner> kept;
  for (std::size_t i = 0; i < listed.size(); ++i) {
    const auto same = std::find_if(runners_.begin(), runners_.end(),
                                   [&](const Runner& r) { return r.spec() == listed[i].spec; });
    if (same != runners_.end()) {
      if (same->healthy() != listed[i].healthy) same->report_again();  // koid started anew
      kept.push_back(std::move(*same));
      runners_.erase(same);
      continue;
    }
    // Spread over the interval, so that not all scripts start at once.
    const auto share = static_cast<double>(i) / static_cast<double>(listed.size());
    const auto first = now + std::chrono::duration_cast<Duration>(listed[i].spec.interval * share);
    kept.emplace_back(listed[i], make_probe(listed[i].spec), first);
    log_(fmt::format("{}: watched", listed[i].spec.name));
  }
  for (const Runner& gone : runners_) log_(fmt::format("{}: no longer watched", gone.spec().name));
  runners_ = std::move(kept);
}

void Agent::report(Instant now) {
  if (away_) return;
  for (Runner& runner : runners_) {
    const auto due = runner.due(now);
    if (!due) continue;
    const ctl::Reply reply = ctl::ask_for(socket_,
                                          {{"command", "check"},
                                           {"name", runner.spec().name},
                                           {"healthy", due->healthy},
                                           {"detail", due->detail}},
                                          kKoidDeadline);
    if (reply.outcome == ctl::Outcome::no_daemon) return koid_is_away(reply.error, now);
    runner.reported(now);
    // koid knows no such check: it has another configuration by now.
    if (reply.outcome == ctl::Outcome::refused) ask_at_ = std::min(ask_at_, now + kRetry);
  }
}

}  // namespace koi::agent
