#include "tools/agent/koid.h"

#include <utility>

#include <fmt/format.h>

namespace koi::agent {

ctl::Reply Koid::ask(const ctl::Json& request) {
  ctl::Reply reply = ctl::ask_for(socket_, request, kDeadline);
  if (reply.outcome == ctl::Outcome::no_daemon) {
    is_away(reply.error);
  } else {
    is_there();
  }
  return reply;
}

void Koid::tell(const std::string& line, ctl::Json event) {
  log_(line);
  if (away_) return;
  event["command"] = "note";
  event["agent"] = true;
  ask(event);
}

void Koid::is_away(const std::string& why) {
  if (!std::exchange(away_, true)) log_(fmt::format("{} (asking again until it answers)", why));
}

void Koid::is_there() {
  if (!std::exchange(away_, false)) return;
  ++returns_;
  log_(fmt::format("koid answers on {}", socket_));
}

}  // namespace koi::agent
