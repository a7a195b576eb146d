#include "tools/ctl/watch.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include <fmt/chrono.h>

#include "tools/ctl/events_text.h"
#include "tools/ctl/status_text.h"

namespace koi::ctl {
namespace {

using std::chrono::steady_clock;
using std::chrono::system_clock;

/// Over what is there, line by line: clearing the screen first would let it flicker.
std::string in_place(const std::string& text) {
  std::string out = "\x1b[H";
  for (const char c : text) {
    if (c == '\n') out += "\x1b[K";
    out += c;
  }
  return out + "\x1b[J";
}

Json events_request(std::uint64_t after, std::chrono::milliseconds wait) {
  Json request{{"command", "events"}, {"after", after}};
  if (wait.count() > 0) request["wait_ms"] = wait.count();
  return request;
}

std::uint64_t last_of(const Json& reply) {
  return static_cast<std::uint64_t>(std::max(0.0, number(reply, "last").value_or(0)));
}

}  // namespace

Reply watch(const Watch& wanted, const std::function<bool(std::string_view)>& print) {
  bool first = true;
  std::uint64_t last = 0;
  while (true) {
    const auto began = steady_clock::now();
    Reply status = ask_for(wanted.socket, Json{{"command", "status"}}, wanted.deadline);
    if (first && status.outcome != Outcome::done) return status;
    first = false;
    const auto now = system_clock::now();
    std::string text = fmt::format("{:%F %T}\n", fmt::localtime(system_clock::to_time_t(now)));
    if (status.outcome == Outcome::done) {
      text += status_text(status.body, now, wanted.terminal) + '\n';
      // A page that does not exist says the newest number.
      const Reply newest =
          ask_for(wanted.socket, events_request(UINT64_MAX / 2, {}), wanted.deadline);
      last = last_of(newest.body);
      const Reply page = ask_for(
          wanted.socket, events_request(last - std::min<std::uint64_t>(last, Watch::kEvents), {}),
          wanted.deadline);
      for (const Json& event : list(page.body, "events")) text += event_line(event);
      last = std::max(last, last_of(page.body));
    } else {
      text += status.error + '\n';
    }
    if (!print(wanted.terminal ? in_place(text) : text + '\n')) break;
    if (status.outcome == Outcome::done) {
      ask_for(wanted.socket, events_request(last, wanted.interval),
              wanted.deadline + wanted.interval);
    }
    // Ten times a second at most; and a koid that is away is asked after an interval.
    const auto pause = status.outcome == Outcome::done ? wanted.interval / 10 : wanted.interval;
    std::this_thread::sleep_until(began + pause);
  }
  return {Outcome::done, {}, {}};
}

}  // namespace koi::ctl
