#include "tools/agent/checks.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "tools/agent/now.h"

namespace koi::agent {

void Checks::tick(Instant now) {
  if (now >= ask_at_) ask(now);
  // Each at its own moment: koid may have taken its time, and that is not the check's failure.
  for (Runner& runner : runners_) watch(runner, [](Runner& r) { r.tick(now_is()); });
  report(now_is());
}

Instant Checks::next() const {
  Instant earliest = ask_at_;
  for (const Runner& runner : runners_) earliest = std::min(earliest, runner.next());
  return earliest;
}

void Checks::add_to(std::vector<pollfd>& fds) const {
  for (const Runner& runner : runners_) fds.push_back({runner.fd(), runner.events(), 0});
}

void Checks::ready(std::span<const pollfd> fds) {
  // First what is there, then what is late.
  for (std::size_t i = 0; i < runners_.size(); ++i) {
    if (fds[i].revents != 0) watch(runners_[i], [](Runner& r) { r.ready(); });
  }
}

template <class Step>
void Checks::watch(Runner& runner, Step step) {
  const bool before = runner.healthy();
  step(runner);
  if (runner.healthy() == before) return;
  koid_.log(before ? fmt::format("{}: failed ({})", runner.spec().name, runner.detail())
                   : fmt::format("{}: healthy again", runner.spec().name));
}

void Checks::ask(Instant now) {
  const ctl::Reply reply = koid_.ask({{"command", "checks"}});
  ask_at_ = now + (reply.outcome == ctl::Outcome::done ? kAskAgain : kRetry);
  if (reply.outcome == ctl::Outcome::done) take_list(reply.body, now);
}

void Checks::take_list(const ctl::Json& reply, Instant now) {
  std::vector<std::string> problems;
  const std::vector<ListedCheck> listed = parse_checks(reply, problems);
  if (problems != problems_) {
    for (const std::string& problem : problems) koid_.log(problem);
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
    koid_.log(fmt::format("{}: watched", listed[i].spec.name));
  }
  for (const Runner& gone : runners_) {
    koid_.log(fmt::format("{}: no longer watched", gone.spec().name));
  }
  runners_ = std::move(kept);
}

void Checks::report(Instant now) {
  if (std::exchange(returns_, koid_.returns()) != koid_.returns()) {
    for (Runner& runner : runners_) runner.report_again();
  }
  if (koid_.away()) return;
  for (Runner& runner : runners_) {
    const auto due = runner.due(now);
    if (!due) continue;
    const ctl::Reply reply = koid_.ask({{"command", "check"},
                                        {"name", runner.spec().name},
                                        {"healthy", due->healthy},
                                        {"detail", due->detail}});
    if (reply.outcome == ctl::Outcome::no_daemon) return;
    runner.reported(now);
    // koid knows no such check: it has another configuration by now.
    if (reply.outcome == ctl::Outcome::refused) ask_at_ = std::min(ask_at_, now + kRetry);
  }
}

}  // namespace koi::agent
