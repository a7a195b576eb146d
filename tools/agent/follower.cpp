#include "tools/agent/follower.h"

#include <algorithm>

#include <fmt/format.h>

#include "tools/agent/now.h"

namespace koi::agent {
namespace {

using ctl::Json;

std::uint64_t whole(const Json& object, const char* key) {
  return static_cast<std::uint64_t>(std::max(0.0, ctl::number(object, key).value_or(0)));
}

/// Iff it may change what the host is to be like.
bool concerns_host(const Json& event) {
  const std::string kind = ctl::text(event, "kind", "");
  return kind == "role" || kind == "link" || kind == "koid";  // a reload
}

}  // namespace

void Follower::tick(Instant now) {
  if (now < retry_) return;
  if (events_.on() && now >= give_up_) {
    events_.end();
    return koid_is_away("koid does not answer", now);
  }
  const bool well = (now < ask_again_ || ask_host(now)) && (events_.on() || ask_events(now));
  if (!well) retry_ = now + kRetry;
}

Instant Follower::next() const {
  return std::max(retry_, events_.on() ? std::min(give_up_, ask_again_) : Instant{});
}

bool Follower::ask_host(Instant now) {
  const ctl::Reply reply = koid_.ask({{"command", "host"}, {"agent", true}});
  if (reply.outcome != ctl::Outcome::done) return false;
  host_ = parse_host(reply.body);
  ask_again_ = now + kAskAgain;
  listeners_.host(host_);
  if (boot_.empty()) {
    boot_ = host_.boot;
    sequence_ = host_.last;
    tell_present_roles("agent-started");
  }
  return true;
}

bool Follower::ask_events(Instant now) {
  const std::string why =
      events_.start(koid_.socket(), {{"command", "events"},
                                     {"agent", true},
                                     {"boot", boot_},
                                     {"after", sequence_},
                                     {"wait_ms", std::chrono::milliseconds(1s).count()}});
  give_up_ = now + kWait + kPatience;
  if (!why.empty()) koid_is_away(why, now);
  return why.empty();
}

void Follower::ready(std::span<const pollfd> fds) {
  if (fds[0].revents == 0) return;
  const auto reply = events_.ready();
  if (!reply) return;
  const Instant now = now_is();
  if (reply->outcome == ctl::Outcome::done) {
    take_events(reply->body, now);
  } else {
    koid_is_away(reply->error, now);
  }
}

void Follower::koid_is_away(const std::string& why, Instant now) {
  koid_.is_away(why);
  retry_ = now + kRetry;
  ask_again_ = retry_;  // first of all when it is back
}

void Follower::take_events(const Json& reply, Instant now) {
  const Json& events = ctl::list(reply, "events");
  const std::string boot = ctl::text(reply, "boot", "");
  const bool lost = whole(reply, "lost") > 0;
  const bool news =
      boot != boot_ || lost || std::any_of(events.begin(), events.end(), concerns_host);
  if (news && !ask_host(now)) {  // the same events come again
    retry_ = now + kRetry;
    return;
  }
  boot_ = boot;
  for (const Json& event : events) {
    if (ctl::text(event, "kind", "") != "role") continue;
    listeners_.role({.sequence = whole(event, "sequence"),
                     .group = ctl::text(event, "group", ""),
                     .vhid = static_cast<unsigned>(whole(event, "vhid")),
                     .from = ctl::text(event, "from", ""),
                     .to = ctl::text(event, "to", ""),
                     .cause = ctl::text(event, "cause", "")});
  }
  sequence_ = events.empty() ? whole(reply, "last") : whole(events.back(), "sequence");
  // A koid that lets nobody wait is not asked without end.
  if (events.empty() && now + kWait / 2 < give_up_ - kPatience) retry_ = now + kRetry;
  if (!lost) return;
  koid_.log("events were lost: the present roles are told again");
  tell_present_roles("events-lost");
  sequence_ = std::max(sequence_, host_.last);
}

void Follower::tell_present_roles(const char* cause) {
  for (const HookGroup& group : host_.groups) {
    for (const SlotSpec& slot : group.slots) {
      listeners_.role({.sequence = host_.last,
                       .group = group.name,
                       .vhid = slot.vhid,
                       .from = "INIT",
                       .to = slot.role,
                       .cause = cause});
    }
  }
}

}  // namespace koi::agent
