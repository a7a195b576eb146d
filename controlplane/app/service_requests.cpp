// What the control socket is asked.
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include "controlplane/app/agent_note.h"
#include "controlplane/app/clean_text.h"
#include "controlplane/app/events_request.h"
#include "controlplane/app/explain.h"
#include "controlplane/app/host_json.h"
#include "controlplane/app/service.h"

namespace koi::app {
namespace {

using nlohmann::json;
using std::chrono::steady_clock;

constexpr std::chrono::seconds kWarnEvery{10};
constexpr std::size_t kLongestName = 40;  // of a command, in the log
constexpr Duration kControlHangs = 1s;
constexpr std::chrono::seconds kReloadPatience{3};

constexpr const char* kHanging =
    "the control thread hangs: nothing can be changed; this box is silent once its leases are over";

std::string refuse(const std::string& why) { return json{{"ok", false}, {"error", why}}.dump(); }

}  // namespace

Answer Service::handle(const std::string& line, uid_t uid) {
  const json request = json::parse(line, nullptr, false);
  if (!request.is_object() || !request.contains("command") || !request["command"].is_string()) {
    warn_of_request("no JSON object with a \"command\"", uid);
    return refuse(R"(a request is a JSON object with a "command")");
  }
  if (const auto agent = request.find("agent"); agent != request.end() && *agent == true) {
    agent_->heard(steady_now());
  }
  receive_reports();
  const auto name = request["command"].get<std::string>();
  if (name == "status") return status_json(setup_.snapshot).dump();
  if (name == "counters") {  // {"of": "ports"}
    const bool ports = request.value("of", json()) == "ports";
    return (ports ? ports_json(setup_.snapshot) : counters_json(setup_.snapshot)).dump();
  }
  if (name == "explain") return explain_json(setup_.snapshot, request).dump();
  if (name == "checks") return json{{"ok", true}, {"checks", demotions_->checks()}}.dump();
  if (name == "events") return answer_events(journal_.recorder(), request);
  if (name == "host") return host_json(setup_.snapshot, journal_.recorder()).dump();
  if (name == "note") {
    Result<Event> event = event_of_note(request);
    if (!event) return refuse(event.error().message);
    journal_.add(std::move(event).value());
    return json{{"ok", true}}.dump();
  }
  if (name == "check") {
    const Status taken = demotions_->check(request, steady_now());
    return taken ? json{{"ok", true}}.dump() : refuse(taken.error().message);
  }
  if (name == "demote" || name == "undemote" || name == "maintenance") {
    return handle_demotion(name, request, fmt::format("koictl by uid {}", uid));
  }
  if (name == "handover") {
    return handle_handover(request, fmt::format("koictl by uid {}", uid));
  }
  if (name == "capture") return captures_.begin(request, fmt::format("koictl by uid {}", uid));
  if (name == "reload") return handle_reload(request, fmt::format("koictl by uid {}", uid));
  warn_of_request("an unknown command", uid, " \"" + cleaned(name, kLongestName) + "\"");
  return refuse(
      "unknown command; known are capture, check, checks, counters, demote, events, explain, "
      "handover, "
      "host, maintenance, note, reload, status, undemote");
}

/// {"group": NAME, "seconds": N = for ever}. The group's demotion stays where this box would take
/// it back by itself, and ends once it is given, or nobody took it.
Answer Service::handle_handover(const json& request, const std::string& owner) {
  if (setup_.snapshot.control_age() > kControlHangs) return refuse(kHanging);
  if (reload_.under_way()) return refuse("a reload is under way; ask again");
  const Instant began = steady_now();
  auto handover = Handover::of(request, setup_.snapshot, began);
  if (!handover) return refuse(handover.error().message);
  const std::uint16_t group = *Handover::index_of(handover.value().group(), setup_.snapshot);
  const Status begun = demotions_->hand_over(group, handover.value().seconds(), owner, began);
  if (!begun) return refuse(begun.error().message);
  publish_demotion();
  return Later([this, began,
                handover = std::move(handover).value()]() mutable -> std::optional<std::string> {
    const auto ended = handover.ended(setup_.snapshot, steady_now());
    if (!ended) return std::nullopt;
    return handover_reply(handover, *ended, began);
  });
}

std::string Service::handover_reply(const Handover& handover, const Result<json>& masters,
                                    Instant began) {
  const config::Config& config = *setup_.snapshot.config;
  const auto group = Handover::index_of(handover.group(), setup_.snapshot);
  const bool stays = masters.ok() && handover.comes_back();
  if (group && !stays) demotions_->end_handover(*group);
  publish_demotion();
  if (!masters) return refuse(handover.group() + ": " + masters.error().message);
  return json{{"ok", true},
              {"group", handover.group()},
              {"masters", masters.value()},
              {"seconds", seconds(steady_now() - began)},
              {"held_back", stays},
              {"demotion", demotion_json(demotions_->ledger(), config, steady_now())}}
      .dump();
}

/// {"dry_run": true|false = false}
Answer Service::handle_reload(const json& request, const std::string& owner) {
  const auto dry = request.find("dry_run");
  if (dry != request.end() && !dry->is_boolean()) return refuse("\"dry_run\" is true or false");
  const bool dry_run = dry != request.end() && dry->get<bool>();
  if (setup_.reload.config == nullptr) return refuse("this koid does not reload");
  if (reload_.under_way()) return refuse("a reload is under way; ask again");
  if (!dry_run && setup_.snapshot.control_age() > kControlHangs) {
    return refuse("the control thread hangs: nothing can be changed");
  }
  Reload::Proposal proposal = reload_.propose();
  std::string reply = reload_json(proposal, setup_.reload.file, dry_run).dump();
  if (dry_run) return reply;
  tell_of_reload(proposal, owner);
  if (!proposal.refusal.empty()) return reply;
  if (const std::string why = begin_reload(std::move(proposal), owner); !why.empty()) {
    return refuse(why);
  }
  // Once every worker goes by it.
  return Later([this, reply = std::move(reply),
                until = steady_clock::now() + kReloadPatience]() -> std::optional<std::string> {
    if (!reload_.under_way()) return reply;
    if (steady_clock::now() < until) return std::nullopt;
    return refuse("control or a worker has not gone over to it yet, but will; see koictl events");
  });
}

/// One line for each kind and interval, for whoever may connect may ask for ever. `what` is a
/// literal.
void Service::warn_of_request(const char* what, uid_t uid, const std::string& detail) {
  Warned& warned = requests_warned_[what];
  const auto now = steady_clock::now();
  if (warned.at != steady_clock::time_point() && now - warned.at < kWarnEvery) {
    ++warned.since;
    return;
  }
  std::string more;
  if (warned.since != 0) more = fmt::format("; {} more since the last such line", warned.since);
  warned = {now, 0};
  spdlog::warn("control socket: refused a request of uid {}: {}{}{}", uid, what, detail, more);
}

std::string Service::handle_demotion(const std::string& name, const json& request,
                                     const std::string& owner) {
  if (setup_.snapshot.control_age() > kControlHangs) return refuse(kHanging);
  const Status done = name == "demote"     ? demotions_->demote(request, owner, steady_now())
                      : name == "undemote" ? demotions_->undemote(request)
                                           : demotions_->maintenance(request, owner);
  if (!done) return refuse(done.error().message);
  publish_demotion();
  return json{
      {"ok", true},
      {"demotion", demotion_json(demotions_->ledger(), *setup_.snapshot.config, steady_now())}}
      .dump();
}

}  // namespace koi::app
