#include "tools/ctl/status_text.h"

#include <iterator>
#include <optional>

#include <fmt/format.h>

#include "tools/ctl/page.h"
#include "tools/ctl/time_text.h"

namespace koi::ctl {
namespace {

using std::chrono::system_clock;

Colour role_colour(const std::string& role) {
  if (role == "MASTER") return Colour::green;
  return role == "BACKUP" ? Colour::yellow : Colour::red;
}

std::string skew_text(const Json& slot) {
  std::string configured = text(slot, "advskew");
  const std::string effective = text(slot, "effective_advskew", configured);
  if (effective == configured) return configured;
  return fmt::format("{} (effective {})", configured, effective);
}

std::string master_text(const Json& slot, bool is_master) {
  const Json& master = field(slot, "master");
  if (!master.is_object()) return "master unknown";
  return fmt::format("master {}{}", text(master, "address"), is_master ? " (this box)" : "");
}

/// "track ping 192.0.2.9: 1, by koi-agent (no reply within 1 s), since …, for wan-gateway"
void add_cause(Page& page, const Json& cause, system_clock::time_point now) {
  const std::string detail = text(cause, "detail", "");
  std::string line = fmt::format(
      "{}: {}, by {}{}, since {}", text(cause, "name"), text(cause, "count"), text(cause, "owner"),
      detail.empty() ? "" : fmt::format(" ({})", detail), since_text(text(cause, "since"), now));
  if (const auto left = number(cause, "seconds_left")) line += fmt::format(", {} left", age(*left));
  std::string groups;
  for (const Json& group : list(cause, "groups")) {
    if (group.is_string()) groups += (groups.empty() ? "" : ", ") + group.get<std::string>();
  }
  page.add("", groups.empty() ? line : line + ", for " + groups);
}

void add_slot(Page& page, const Json& group, const Json& slot, system_clock::time_point now) {
  const std::string role = text(slot, "role");
  const bool is_master = role == "MASTER";
  const double vlan = number(group, "vlan").value_or(0);
  const std::string port =
      vlan == 0 ? text(group, "port") : fmt::format("{}.{}", text(group, "port"), vlan);

  page.add(role,
           fmt::format("{}, port {}, {} vhid {}", text(group, "name"), port,
                       text(group, "protocol"), text(slot, "vhid")),
           role_colour(role));
  page.add("", fmt::format("since {}, cause: {}", since_text(text(slot, "since"), now),
                           text(slot, "cause")));
  const std::optional<double> lease = number(slot, "lease_ms");
  const bool answers = is_master && lease && *lease > 0;
  const bool demoted = number(slot, "demotion").value_or(0) != 0;
  page.add("", fmt::format("{}{}, advbase {}, skew {}{}", master_text(slot, is_master),
                           answers ? ", lease " + short_time(*lease / 1e3) + " left" : "",
                           text(slot, "advbase"), skew_text(slot),
                           demoted ? ", demotion " + text(slot, "demotion") : ""));
  if (is_master && lease && *lease <= 0) {
    page.add("", "NO LEASE: this box does not answer for it now", Colour::red, true);
  }
}

/// "trailer enforce, key 1", and below it "signed by 192.0.2.3 with key 1, … (1s ago)" for each box
/// and family.
void add_trailer(Page& page, const Json& group, system_clock::time_point now) {
  const Json& trailer = field(group, "trailer");
  const std::string mode = text(trailer, "mode");
  const std::string key = number(trailer, "key_id") ? ", key " + text(trailer, "key_id") : "";
  page.add("", fmt::format("trailer {}{}", mode, key));
  bool nobody = mode != "off";
  for (const Json& slot : list(group, "slots")) {
    for (const Json& sender : list(slot, "signed")) {
      nobody = false;
      page.add("", fmt::format("signed by {} with key {}, {}", text(sender, "address"),
                               text(sender, "key_id"), since_text(text(sender, "at"), now)));
    }
  }
  if (nobody) page.add("", "signed by nobody yet");
}

/// "peer 192.0.2.3 (node 2): BACKUP, koid 0.1.0, seen 3s ago", and what is wrong with it.
void add_peer(Page& page, const Json& peer) {
  const std::string who = text(peer, "address");
  const double unseen = number(peer, "last_seen_seconds").value_or(0);
  const bool silent = truth(peer, "silent");
  if (!truth(peer, "heard")) {
    page.add("",
             fmt::format("peer {}: {} for {}", who, silent ? "NOT SEEN YET" : "not seen yet",
                         age(unseen)),
             silent ? Colour::red : Colour::none, silent);
    return;
  }
  std::string role = text(peer, "role");
  std::string of;
  for (const Json& vhid : list(peer, "master_of")) of += (of.empty() ? " of " : ", ") + vhid.dump();
  role += of;
  const bool demoted = number(peer, "demotion").value_or(0) != 0;
  const std::string known = fmt::format("{}, koid {}{}", role, text(peer, "version"),
                                        demoted ? ", demotion " + text(peer, "demotion") : "");
  if (silent) {
    page.add("",
             fmt::format("peer {} (node {}): NOT SEEN for {}, was {}", who, text(peer, "node_id"),
                         age(unseen), known),
             Colour::red, true);
  } else {
    page.add("", fmt::format("peer {} (node {}): {}, seen {} ago", who, text(peer, "node_id"),
                             known, age(unseen)));
  }
  std::string differs;
  for (const Json& what : list(peer, "differs")) {
    if (what.is_string()) differs += (differs.empty() ? "" : ", ") + what.get<std::string>();
  }
  if (differs.empty()) return;
  page.add("", fmt::format("peer {} DIFFERS from this box: {}", who, differs), Colour::red, true);
}

void add_group(Page& page, const Json& group, system_clock::time_point now) {
  const Json& slots = list(group, "slots");
  for (const Json& slot : slots) add_slot(page, group, slot, now);
  if (slots.empty()) page.add("?", text(group, "name") + ": koid names no slot of it", Colour::red);

  std::string addresses;
  for (const Json& address : list(group, "addresses")) {
    if (!address.is_string()) continue;
    if (!addresses.empty()) addresses += ", ";
    addresses += address.get<std::string>();
  }
  page.add("", "addresses " + (addresses.empty() ? "none" : addresses));
  if (field(group, "trailer").is_object()) add_trailer(page, group, now);
  for (const Json& peer : list(group, "peers")) add_peer(page, peer);
}

}  // namespace

std::string demotion_text(const Json& demotion) {
  const std::optional<double> total = number(demotion, "total");
  if (!total) return "unknown";
  std::string causes;
  for (const auto& [cause, value] : list(demotion, "causes").items()) {
    if (number(value).value_or(0) == 0) continue;
    causes += fmt::format("{}{} {}", causes.empty() ? "" : ", ", cause, value.dump());
  }
  const std::string all = text(demotion, "total");
  if (causes.empty()) return *total == 0 ? "none" : all;
  return fmt::format("{} ({})", all, causes);
}

std::string status_text(const Json& status, system_clock::time_point now, bool colours) {
  Page page(kMargin, colours);
  const std::optional<double> uptime = number(status, "uptime_seconds");
  page.add("node",
           fmt::format("{} (id {}), koid {}, up {}", text(status, "node"), text(status, "node_id"),
                       text(status, "version"), uptime ? age(*uptime) : "?"));
  const Json& demotion = field(status, "demotion");
  const bool demoted = demotion_text(demotion) != "none";
  page.add("demotion", demotion_text(demotion), demoted ? Colour::yellow : Colour::none, true);
  for (const Json& cause : list(demotion, "list")) add_cause(page, cause, now);

  const Json& agent = field(status, "agent");
  if (truth(agent, "needed") && !truth(agent, "present")) {
    page.add("!!",
             fmt::format("koi-agent IS NOT THERE since {}: no hook runs, interfaces stay as they "
                         "are, checks will count as failed",
                         since_text(text(agent, "since"), now)),
             Colour::red, true);
  }

  const double control_age = number(status, "control_age_seconds").value_or(0);
  if (control_age > kControlLateSeconds) {
    page.add("!!",
             fmt::format("THE CONTROL THREAD IS LATE: its last turn began {} ago, a turn begins "
                         "every 0.2 ms when all is well. Roles and leases below may be out of "
                         "date, and this box may be about to fall silent.",
                         short_time(control_age)),
             Colour::red, true);
  }

  const Json& groups = list(status, "groups");
  for (const Json& group : groups) {
    page.blank();
    add_group(page, group, now);
  }
  if (groups.empty()) page.add("groups", "none");
  return page.str();
}

}  // namespace koi::ctl
