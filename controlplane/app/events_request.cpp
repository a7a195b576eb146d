#include "controlplane/app/events_request.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

namespace koi::app {
namespace {

using nlohmann::json;
using std::chrono::steady_clock;

constexpr std::uint64_t kMostEvents = 1000;
constexpr std::uint64_t kLongestFollow = 60'000;    // ms
constexpr std::size_t kMaxReply = 64 * 1024 - 512;  // bytes of events; room for the rest

/// The member as a whole number; nothing iff it is there and is none.
std::optional<std::uint64_t> number_in(const json& request, const char* key,
                                       std::uint64_t otherwise) {
  const auto found = request.find(key);
  if (found == request.end()) return otherwise;
  if (!found->is_number_unsigned()) return std::nullopt;
  return found->get<std::uint64_t>();
}

std::string reply(const FlightRecorder& recorder, std::uint64_t after, std::size_t limit) {
  json events = json::array();
  std::size_t bytes = 0;
  for (const Event* event : recorder.after(after, limit).events) {
    json one = to_json(*event);
    bytes += one.dump().size() + 1;
    if (bytes > kMaxReply) break;
    events.push_back(std::move(one));
  }
  const std::uint64_t lost = recorder.after(after, std::min(limit, events.size())).lost;
  return json{{"ok", true},
              {"boot", recorder.boot()},
              {"events", std::move(events)},
              {"last", recorder.last()},
              {"lost", lost}}
      .dump();
}

}  // namespace

Answer answer_events(const FlightRecorder& recorder, const json& request) {
  auto after = number_in(request, "after", 0);
  const auto wait = number_in(request, "wait_ms", 0);
  const auto limit = number_in(request, "limit", kMostEvents);
  const auto boot = request.find("boot");
  if (!after || !wait || !limit || *limit == 0 || (boot != request.end() && !boot->is_string())) {
    return json{{"ok", false},
                {"error", R"("after", "wait_ms" and "limit" are whole numbers, "limit" above 0; )"
                          R"("boot" is a string)"}}
        .dump();
  }
  if (boot != request.end() && boot->get<std::string>() != recorder.boot()) after = 0;
  const auto most = static_cast<std::size_t>(std::min(*limit, kMostEvents));
  if (*wait == 0 || *after != recorder.last()) return reply(recorder, *after, most);
  const auto span = std::chrono::milliseconds(std::min(*wait, kLongestFollow));
  return Later([&recorder, after = *after, most,
                until = steady_clock::now() + span]() -> std::optional<std::string> {
    if (recorder.last() == after && steady_clock::now() < until) return std::nullopt;
    return reply(recorder, after, most);
  });
}

}  // namespace koi::app
