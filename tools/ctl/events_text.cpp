#include "tools/ctl/events_text.h"

#include <algorithm>

#include <fmt/format.h>

#include "tools/ctl/page.h"
#include "tools/ctl/time_text.h"

namespace koi::ctl {
namespace {

std::string slot_name(const Json& event) {
  const std::string group = text(event, "group", "");
  const std::string vhid = text(event, "vhid", "");
  return vhid.empty() ? group : fmt::format("{} vhid {}", group, vhid);
}

std::string role_text(const Json& event) {
  std::string line = fmt::format("{}: {} -> {}, {} (term {}", slot_name(event), text(event, "from"),
                                 text(event, "to"), text(event, "cause"), text(event, "term"));
  if (const auto heard = number(event, "since_heard_ms")) {
    line += fmt::format(", last heard {} ago", short_time(*heard / 1e3));
  }
  if (const auto demotion = number(event, "demotion"); demotion && *demotion > 0) {
    line += ", demotion " + text(event, "demotion");
  }
  return line + ')';
}

std::string demotion_event_text(const Json& event) {
  std::string groups;
  for (const Json& group : list(event, "groups")) {
    if (group.is_string()) groups += (groups.empty() ? "" : ", ") + group.get<std::string>();
  }
  const bool ended = text(event, "to") == "0";
  return fmt::format("{} {}: {}, by {}{}", ended ? "no longer demoted by" : "demoted by",
                     text(event, ended ? "from" : "to"), text(event, "cause"),
                     text(event, "detail"), groups.empty() ? "" : ", for " + groups);
}

std::string what(const Json& event) {
  const std::string kind = text(event, "kind");
  const std::string cause = text(event, "cause", "");
  const std::string detail = text(event, "detail", "");
  if (kind == "role") return role_text(event);
  if (kind == "link")
    return fmt::format("port {}: link {}", text(event, "port"), text(event, "to"));
  if (kind == "demotion") return demotion_event_text(event);
  if (kind == "koid") return "koid: " + cause;
  if (kind == "agent") return "koi-agent: " + cause;
  if (kind == "host") return fmt::format("port {}: {}", text(event, "port"), cause);
  if (kind == "hook") {
    return fmt::format("{}: {}: {} (of event {})", slot_name(event),
                       detail.empty() ? "hooks" : "hook " + detail, cause, text(event, "of"));
  }
  std::string line = fmt::format("{}: {}", slot_name(event), kind);
  if (!cause.empty()) line += ' ' + cause;
  if (!detail.empty()) line += ", " + detail;
  if (const auto repeats = number(event, "repeats")) {
    line += fmt::format(" ({} more before)", *repeats);
  }
  return line;
}

}  // namespace

std::string event_line(const Json& event) {
  return printable(fmt::format("{:>5}  {}  {}", text(event, "sequence"),
                               moment_text(text(event, "time")), what(event))) +
         '\n';
}

bool concerns(const Json& event, const std::string& group) {
  const Json& groups = list(event, "groups");
  return text(event, "group", "") == group ||
         std::any_of(groups.begin(), groups.end(), [&](const Json& g) { return g == group; });
}

}  // namespace koi::ctl
