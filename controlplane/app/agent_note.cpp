#include "controlplane/app/agent_note.h"

#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "controlplane/app/clean_text.h"

namespace koi::app {
namespace {

using nlohmann::json;

/// The member as text for a person; "" if it is not there. False iff it is something else.
bool read(const json& request, const char* key, std::string& text) {
  const auto found = request.find(key);
  if (found == request.end()) return true;
  if (!found->is_string()) return false;
  text = cleaned(found->get<std::string>());
  return true;
}

std::optional<std::uint64_t> number_in(const json& request, const char* key) {
  const auto found = request.find(key);
  if (found == request.end() || !found->is_number_unsigned()) return std::nullopt;
  return found->get<std::uint64_t>();
}

}  // namespace

Result<Event> event_of_note(const json& request) {
  Event event;
  std::string kind;
  const bool texts = read(request, "kind", kind) && read(request, "group", event.group) &&
                     read(request, "port", event.port) && read(request, "cause", event.cause) &&
                     read(request, "detail", event.detail);
  if (!texts || event.cause.empty() || (kind != "hook" && kind != "host")) {
    return Error{R"(a note has a "kind", hook or host, a "cause", and texts beside it)"};
  }
  event.kind = kind == "hook" ? Event::Kind::hook : Event::Kind::host;
  event.of = number_in(request, "of");
  if (const auto vhid = number_in(request, "vhid"); vhid && *vhid <= 255) {
    event.vhid = static_cast<std::uint8_t>(*vhid);
  }
  return event;
}

}  // namespace koi::app
