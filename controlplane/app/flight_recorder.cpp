#include "controlplane/app/flight_recorder.h"

#include <algorithm>
#include <array>
#include <random>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "controlplane/app/snapshot.h"

namespace koi::app {
namespace {

using nlohmann::json;

constexpr std::array<const char*, 9> kKindNames = {"koid", "role",   "link", "demotion", "agent",
                                                   "peer", "notice", "hook", "host"};

bool is_of_others(Event::Kind kind) { return kind >= Event::Kind::notice; }

std::deque<Event>::const_iterator first_after(const std::deque<Event>& events,
                                              std::uint64_t sequence) {
  return std::upper_bound(events.begin(), events.end(), sequence,
                          [](std::uint64_t s, const Event& e) { return s < e.sequence; });
}

}  // namespace

json to_json(const Event& event) {
  json out = {{"sequence", event.sequence},
              {"time", utc(event.time)},
              {"kind", kKindNames[static_cast<std::size_t>(event.kind)]}};
  const auto put = [&out](const char* key, const std::string& text) {
    if (!text.empty()) out[key] = text;
  };
  put("group", event.group);
  if (!event.groups.empty()) out["groups"] = event.groups;
  put("port", event.port);
  if (event.vhid != 0) out["vhid"] = event.vhid;
  put("from", event.from);
  put("to", event.to);
  put("cause", event.cause);
  put("detail", event.detail);
  if (event.term) out["term"] = *event.term;
  if (event.since_heard_ms) out["since_heard_ms"] = *event.since_heard_ms;
  if (event.advskew) out["advskew"] = *event.advskew;
  if (event.demotion) out["demotion"] = *event.demotion;
  if (event.of) out["of"] = *event.of;
  if (event.repeats != 0) out["repeats"] = event.repeats;
  return out;
}

FlightRecorder::FlightRecorder() {
  std::random_device random;
  boot_ = fmt::format("{:08x}{:08x}", random(), random());
}

void FlightRecorder::add(Event event) {
  event.sequence = ++last_;
  if (event.time == std::chrono::system_clock::time_point{}) {
    event.time = std::chrono::system_clock::now();
  }
  const bool of_others = is_of_others(event.kind);
  std::deque<Event>& events = of_others ? others_ : own_;
  if (events.size() == (of_others ? kOfOthers : kEvents - kOfOthers)) events.pop_front();
  events.push_back(std::move(event));
}

FlightRecorder::Page FlightRecorder::after(std::uint64_t sequence, std::size_t limit) const {
  Page page;
  auto own = first_after(own_, sequence);
  auto other = first_after(others_, sequence);
  while (page.events.size() < limit && (own != own_.end() || other != others_.end())) {
    const bool take_own =
        other == others_.end() || (own != own_.end() && own->sequence < other->sequence);
    page.events.push_back(take_own ? &*own++ : &*other++);
  }
  const bool all = own == own_.end() && other == others_.end();
  const std::uint64_t end = all                   ? last_
                            : page.events.empty() ? sequence
                                                  : page.events.back()->sequence;
  if (end > sequence) page.lost = end - sequence - page.events.size();
  return page;
}

}  // namespace koi::app
