#include "tools/agent/hook_queue.h"

#include <csignal>
#include <utility>

#include <fmt/format.h>

#include "common/time.h"

namespace koi::agent {

std::vector<std::string> hook_environment(const HookQueue::Call& call) {
  const RoleChange& change = call.change;
  return {"KOI_NODE=" + call.node,
          "KOI_GROUP=" + change.group,
          fmt::format("KOI_VHID={}", change.vhid),
          "KOI_PORT=" + call.group.port,
          "KOI_OLD_ROLE=" + change.from,
          "KOI_NEW_ROLE=" + change.to,
          "KOI_CAUSE=" + change.cause,
          fmt::format("KOI_SEQUENCE={}", change.sequence),
          "KOI_ADDRESSES=" + call.group.addresses,
          "KOI_SOCKET=" + call.socket};
}

void HookQueue::add(Call call) {
  calls_.push_back(std::move(call));
  // Not the first: it has begun, or does so at once.
  if (calls_.size() <= kMostWaiting + 1) return;
  const Call dropped = std::move(calls_[1]);
  calls_.erase(calls_.begin() + 1);
  told_(dropped, "", fmt::format("dropped, for {} changes wait already", kMostWaiting));
}

void HookQueue::tick(Instant now) {
  if (process_.running() && now >= deadline_ && urged_ < 2) {
    process_.signal(urged_ == 0 ? SIGTERM : SIGKILL);
    deadline_ = ++urged_ == 1 ? now + kGrace : Instant::max();
  }
  while (!process_.running() && !calls_.empty()) {
    const std::string why = process_.start(hook().program, hook_environment(calls_.front()),
                                           Process::Output::our_standard_error);
    started_ = now;
    deadline_ = now + hook().timeout;
    urged_ = 0;
    if (why.empty()) return;
    told_(calls_.front(), hook().program, why);
    step();
  }
}

void HookQueue::ready(Instant now) {
  // After a timeout nothing of it goes on; else what it has put into the background does.
  const bool late = urged_ > 0;
  std::string outcome = outcome_of(late ? process_.end() : process_.leave());
  outcome = late ? fmt::format("not done within {} s, {}", seconds(hook().timeout), outcome)
                 : fmt::format("{} after {:.3f} s", outcome, seconds(now - started_));
  told_(calls_.front(), hook().program, outcome);
  step();
}

void HookQueue::step() {
  if (++at_ < calls_.front().group.hooks.size()) return;
  at_ = 0;
  calls_.pop_front();
}

}  // namespace koi::agent
