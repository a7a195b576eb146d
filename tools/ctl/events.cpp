#include "tools/ctl/events.h"

#include <algorithm>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "tools/ctl/events_text.h"

namespace koi::ctl {
namespace {

constexpr std::chrono::seconds kWait{30};  // of one request of a follower

std::uint64_t count(const Json& object, const char* key) {
  const auto value = number(object, key);
  return value && *value > 0 ? static_cast<std::uint64_t>(*value) : 0;
}

class Follower {
 public:
  Follower(const std::string& socket, const EventsWanted& wanted, Duration deadline,
           const std::function<bool(std::string_view)>& print)
      : socket_(socket), wanted_(wanted), deadline_(deadline), print_(print) {}

  /// Where to begin: asks for a page that does not exist, and so for the newest number.
  Reply begin() {
    if (wanted_.after || !wanted_.follow) {
      after_ = wanted_.after.value_or(0);
      tell_lost_ = wanted_.after.has_value();
      return {Outcome::done, {}, {}};
    }
    Reply reply = ask(UINT64_MAX / 2, 0s);
    const std::uint64_t last = count(reply.body, "last");
    after_ = last - std::min(last, EventsWanted::kFirst);
    tell_lost_ = false;
    return reply;
  }

  /// One request and what it brings. `more`: there are further ones already.
  Reply page(bool wait, bool& more) {
    Reply reply = ask(after_, wait ? kWait : 0s);
    if (reply.outcome != Outcome::done) return reply;
    if (std::string boot = text(reply.body, "boot", ""); boot != boot_) {
      if (!boot_.empty()) say(Json{{"kind", "restart"}, {"boot", boot}}, "koid has started anew");
      boot_ = std::move(boot);
    }
    const std::uint64_t lost = count(reply.body, "lost");
    if (lost > 0 && tell_lost_) {
      say(Json{{"kind", "lost"}, {"count", lost}},
          fmt::format("{} earlier event{} no longer kept", lost, lost == 1 ? " is" : "s are"));
    }
    tell_lost_ = true;
    const Json& events = list(reply.body, "events");
    for (const Json& event : events) show(event);
    const std::uint64_t last = count(reply.body, "last");
    after_ = events.empty() ? last : count(events.back(), "sequence");
    more = after_ < last;
    return reply;
  }

  void say(const Json& json, const std::string& text) {
    put(wanted_.json ? json.dump() + '\n' : fmt::format("       -- {} --\n", text));
  }
  bool ended() const { return ended_; }

 private:
  Reply ask(std::uint64_t after, std::chrono::milliseconds wait) const {
    Json request{{"command", "events"}, {"after", after}};
    if (!boot_.empty()) request["boot"] = boot_;
    if (wait.count() > 0) request["wait_ms"] = wait.count();
    return ask_for(socket_, request, deadline_ + wait);
  }
  void show(const Json& event) {
    if (!wanted_.group.empty() && !concerns(event, wanted_.group)) return;
    put(wanted_.json ? event.dump() + '\n' : event_line(event));
  }
  void put(const std::string& line) { ended_ = ended_ || !print_(line); }

  const std::string& socket_;
  const EventsWanted& wanted_;
  const Duration deadline_;
  const std::function<bool(std::string_view)>& print_;
  std::string boot_;
  std::uint64_t after_ = 0;
  bool tell_lost_ = true;
  bool ended_ = false;
};

}  // namespace

Reply show_events(const std::string& socket, const EventsWanted& wanted, Duration deadline,
                  const std::function<bool(std::string_view)>& print, Duration retry) {
  Follower follower(socket, wanted, deadline, print);
  Reply reply = follower.begin();
  bool more = true;
  bool first = true;
  bool away = false;
  while (reply.outcome == Outcome::done && !follower.ended() && (more || wanted.follow)) {
    reply = follower.page(wanted.follow && !more, more);
    if (reply.outcome == Outcome::done) {
      first = away = false;
      continue;
    }
    if (first || !wanted.follow) break;
    if (!std::exchange(away, true)) {
      follower.say(Json{{"kind", "away"}, {"error", reply.error}}, reply.error);
    }
    std::this_thread::sleep_for(retry);
    reply.outcome = Outcome::done;
  }
  return reply;
}

}  // namespace koi::ctl
