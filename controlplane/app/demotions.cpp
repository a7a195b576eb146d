#include "controlplane/app/demotions.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include "controlplane/app/clean_text.h"
#include "controlplane/app/snapshot.h"
#include "controlplane/state_sync.h"

namespace koi::app {
namespace {

using controlplane::DemotionCause;
using nlohmann::json;
using std::chrono::system_clock;

constexpr const char* kByCommand = "command";
constexpr const char* kMaintenance = "maintenance";
constexpr const char* kHandover = "handover";  // of one group
constexpr const char* kThisBox = "koid";       // owner of what control notices
constexpr std::size_t kLongestCause = 64;

/// Returns what is wrong with a name given to demote, "" if nothing.
std::string name_problem(const std::string& name) {
  if (name.empty() || name.size() > kLongestCause || name.front() == ' ' || name.back() == ' ' ||
      !std::all_of(name.begin(), name.end(), is_printable)) {
    return fmt::format("a cause is a name of 1 to {} printable ASCII characters", kLongestCause);
  }
  if (name == kMaintenance) return "that name is taken by koictl maintenance on";
  if (name.starts_with("link ") || name.starts_with("track ")) {
    return "names that begin with \"link \" or \"track \" are koid's own";
  }
  return {};
}

/// Returns the optional member "cause": nothing if it is not there, an error if it is no string.
Result<std::optional<std::string>> cause_in(const json& request) {
  const auto found = request.find("cause");
  if (found == request.end()) return std::optional<std::string>();
  if (!found->is_string()) return Error{"\"cause\" is a string"};
  return std::optional<std::string>(found->get<std::string>());
}

void log_ended(const std::vector<DemotionCause>& causes, const char* why) {
  for (const DemotionCause& c : causes) {
    spdlog::info("no longer demoted by {}: {} ({})", c.count, c.name, why);
  }
}

}  // namespace

Instant steady_now() {
  return Instant(
      std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()));
}

Demotions::Demotions(const config::Config& config, StateFile& state_file, Instant now)
    : config_(config), state_file_(state_file), health_(config, now) {
  controlplane::begin_state_sync(config_, ledger_, std::nullopt, now, system_clock::now());
  for (const DemotionCause& c : ledger_.list()) {
    spdlog::info("demoted by {}: {} for {:.0f} s", c.count, c.name, seconds(*c.until - now));
  }
  if (const auto& m = state_file.maintenance()) {
    begin_maintenance(*m);
    spdlog::warn("in maintenance since before this start, set by {}: every group is demoted",
                 m->owner);
  }
}

void Demotions::begin_maintenance(const StateFile::Maintenance& maintenance) {
  DemotionCause cause;
  cause.name = kMaintenance;
  cause.owner = maintenance.owner;
  cause.count = kMaintenanceWeight;
  cause.since = maintenance.since;
  ledger_.set(std::move(cause));
}

Status Demotions::demote(const Json& request, const std::string& owner, Instant now) {
  const auto given = cause_in(request);
  if (!given) return given.error();
  DemotionCause cause;
  cause.name = given.value().value_or(kByCommand);
  if (std::string problem = name_problem(cause.name); !problem.empty()) return Error{problem};
  std::optional<double> span;
  if (const auto given_span = request.find("seconds"); given_span != request.end()) {
    if (!given_span->is_number() || given_span->get<double>() <= 0) {
      return Error{"\"seconds\" is a number above 0"};
    }
    span = given_span->get<double>();
  }
  return begin_commanded(std::move(cause), span, owner, now);
}

Status Demotions::hand_over(std::uint16_t group, std::optional<double> seconds,
                            const std::string& owner, Instant now) {
  DemotionCause cause;
  cause.name = kHandover;
  cause.groups = {group};
  return begin_commanded(std::move(cause), seconds, owner, now);
}

void Demotions::end_handover(std::uint16_t group) {
  const std::vector<std::uint16_t> scope = {group};
  log_ended(ledger_.clear_if([&](const DemotionCause& c) {
    return c.commanded && c.name == kHandover && c.groups == scope;
  }),
            "it is over");
}

Status Demotions::begin_commanded(DemotionCause cause, std::optional<double> seconds_long,
                                  const std::string& owner, Instant now) {
  if (seconds_long) cause.until = controlplane::end_after(now, *seconds_long);
  cause.owner = owner;
  cause.since = system_clock::now();
  cause.commanded = true;
  const std::string name =
      cause.name + (cause.groups ? " of " + config_.groups[cause.groups->front()].name : "");
  const std::string span =
      cause.until ? fmt::format(" for {:.0f} s", seconds(*cause.until - now)) : std::string();
  using Outcome = controlplane::DemotionLedger::Outcome;
  switch (ledger_.set(std::move(cause))) {
    case Outcome::full:
      return Error{fmt::format("there are {} causes by command; end one first",
                               controlplane::DemotionLedger::kMostCommanded)};
    case Outcome::added:
      spdlog::info("demoted by 1: {} ({}{})", name, owner, span);
      break;
    case Outcome::changed:
      spdlog::info("still demoted by 1: {} ({}{})", name, owner, span);
      break;
    case Outcome::unchanged:
      break;
  }
  return Done{};
}

Status Demotions::undemote(const Json& request) {
  const auto given = cause_in(request);
  if (!given) return given.error();
  const std::optional<std::string>& name = given.value();
  const bool synchronised = name == controlplane::kStateSync;
  const auto gone = ledger_.clear_if([&](const DemotionCause& c) {
    const bool named = !name || c.name == *name;
    return named && (c.commanded || synchronised);
  });
  log_ended(gone, "by command");
  if (!name || !gone.empty() || synchronised) return Done{};
  std::string there;
  for (const DemotionCause& c : ledger_.list()) {
    if (c.commanded) there += (there.empty() ? "" : ", ") + c.name;
  }
  return Error{fmt::format("no cause \"{}\" was set by demote; there {}", cleaned(*name),
                           there.empty() ? "are none" : "are: " + there)};
}

Status Demotions::maintenance(const Json& request, const std::string& owner) {
  const auto on = request.find("on");
  if (on == request.end() || !on->is_boolean()) return Error{"\"on\" is true or false"};
  if (on->get<bool>() == state_file_.maintenance().has_value()) return Done{};
  std::optional<StateFile::Maintenance> wanted;
  if (on->get<bool>()) wanted = {owner, system_clock::now()};
  if (Status s = state_file_.set_maintenance(wanted); !s) return s;
  if (wanted) {
    begin_maintenance(*wanted);
    spdlog::info("demoted by {}: maintenance ({})", kMaintenanceWeight, owner);
  } else {
    log_ended(ledger_.clear_if(
                  [](const DemotionCause& c) { return !c.commanded && c.name == kMaintenance; }),
              owner.c_str());
  }
  return Done{};
}

Status Demotions::check(const Json& request, Instant now) {
  const auto name = request.find("name");
  const auto healthy = request.find("healthy");
  const auto detail = request.find("detail");
  if (name == request.end() || !name->is_string() || healthy == request.end() ||
      !healthy->is_boolean() || (detail != request.end() && !detail->is_string())) {
    return Error{R"(a result has a "name", "healthy": true or false, and perhaps a "detail")"};
  }
  const std::string text = detail == request.end() ? "" : cleaned(detail->get<std::string>());
  if (!health_.report(name->get<std::string>(), healthy->get<bool>(), text, now)) {
    return Error{
        fmt::format("no check \"{}\" in the configuration", cleaned(name->get<std::string>()))};
  }
  return Done{};
}

Demotions::Json Demotions::checks() const {
  constexpr std::array<const char*, 4> kKinds = {"port", "ping", "tcp", "script"};
  json list = json::array();
  for (const controlplane::Health::Check& check : health_.checks()) {
    const config::Track& track = check.track;
    json one = {{"name", check.name},
                {"kind", kKinds[static_cast<std::size_t>(track.kind)]},
                {"interval", seconds(track.interval)},
                {"timeout", seconds(track.timeout)},
                {"rise", track.rise},
                {"fall", track.fall},
                {"healthy", check.counts_as_healthy()}};
    if (track.kind == config::Track::Kind::script) {
      one["program"] = track.program;
    } else {
      one["address"] = track.address.to_string();
    }
    if (track.kind == config::Track::Kind::tcp) one["port"] = track.number;
    list.push_back(std::move(one));
  }
  return list;
}

void Demotions::self_noticed(const std::string& name,
                             std::optional<std::vector<std::uint16_t>> groups, bool on) {
  if (!on) {
    log_ended(ledger_.clear_if(
                  [&](const DemotionCause& c) { return c.owner == kThisBox && c.name == name; }),
              "it is over");
    return;
  }
  DemotionCause cause;
  cause.name = name;
  cause.owner = kThisBox;
  cause.since = system_clock::now();
  cause.groups = std::move(groups);
  spdlog::warn("demoted by {}: {} (noticed by koid)", cause.count, name);
  ledger_.set(std::move(cause));
}

std::vector<std::uint8_t> Demotions::with(const config::Config& next, const Regrouping& groups,
                                          Instant now) const {
  controlplane::DemotionLedger ledger = ledger_;
  ledger.renumber(groups.where);
  controlplane::begin_state_sync(next, ledger, groups.begun, now, {});
  std::vector<std::uint8_t> totals;
  for (std::size_t g = 0; g < next.groups.size(); ++g) totals.push_back(ledger.total(g));
  return totals;
}

void Demotions::config_changed(const Regrouping& groups, Instant now) {
  ledger_.renumber(groups.where);
  controlplane::begin_state_sync(config_, ledger_, groups.begun, now, system_clock::now());
  health_.config_changed(ledger_, now);
}

void Demotions::link_is_back(std::size_t port, Instant now) {
  controlplane::begin_state_sync(config_, ledger_, port, now, system_clock::now());
}

void Demotions::update(const std::vector<bool>& link_up, Instant now) {
  log_ended(ledger_.expire(now), "its time is over");
  for (const std::string& line : health_.update(ledger_, link_up, now, system_clock::now())) {
    spdlog::info(line);
  }
}

json demotion_causes_json(const controlplane::DemotionLedger& ledger) {
  json causes = {{kByCommand, 0}};
  for (const DemotionCause& c : ledger.list()) {
    causes[c.name] = std::max<int>(causes.value(c.name, 0), c.count);
  }
  return causes;
}

json demotion_json(const controlplane::DemotionLedger& ledger, const config::Config& config,
                   Instant now) {
  json list = json::array();
  for (const DemotionCause& c : ledger.list()) {
    json groups = nullptr;
    if (c.groups) {
      groups = json::array();
      for (const std::uint16_t g : *c.groups) groups.push_back(config.groups[g].name);
    }
    json left = nullptr;
    if (c.until) left = std::max(0.0, seconds(*c.until - now));
    list.push_back({{"name", c.name},
                    {"count", c.count},
                    {"owner", c.owner},
                    {"detail", c.detail},
                    {"since", utc(c.since)},
                    {"seconds_left", left},
                    {"groups", groups}});
  }
  return {{"total", ledger.node_total()},
          {"causes", demotion_causes_json(ledger)},
          {"list", std::move(list)}};
}

}  // namespace koi::app
