#include "controlplane/app/reload.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace koi::app {
namespace {

using controlplane::Plan;
using nlohmann::json;

/// Of each group in the configuration, by its name.
std::map<std::string_view, std::size_t> positions(const config::Config& config) {
  std::map<std::string_view, std::size_t> out;
  for (std::size_t g = 0; g < config.groups.size(); ++g) out.emplace(config.groups[g].name, g);
  return out;
}

/// Those whose slots have new numbers.
std::set<std::string> begun_anew(const std::vector<config::Change>& changes) {
  std::set<std::string> groups;
  for (const config::Change& change : changes) {
    if (change.effect == config::Effect::starts || change.effect == config::Effect::restarts) {
      groups.insert(change.group);
    }
  }
  return groups;
}

controlplane::Numbering numbering_of(const config::Config& running, const Plan& plan,
                                     const config::Config& wanted,
                                     const std::vector<config::Change>& changes) {
  const std::set<std::string> anew = begun_anew(changes);
  controlplane::Numbering numbering;
  numbering.used = plan.slots.size();
  const auto before = positions(running);
  for (const config::Group& group : wanted.groups) {
    if (anew.contains(group.name)) continue;
    numbering.kept[group.name] = plan.groups[before.at(group.name)];
  }
  return numbering;
}

Regrouping regrouping_of(const config::Config& running, const config::Config& wanted,
                         const controlplane::Numbering& numbering) {
  Regrouping groups;
  const auto now = positions(wanted);
  for (const config::Group& group : running.groups) {
    const auto found = now.find(group.name);
    groups.where.emplace_back();
    if (found != now.end()) groups.where.back() = static_cast<std::uint16_t>(found->second);
  }
  for (const config::Group& group : wanted.groups) {
    groups.begun.push_back(!numbering.kept.contains(group.name));
  }
  return groups;
}

std::string refusal_of(const Reload::Proposal& proposal) {
  if (!proposal.errors.empty()) {
    return fmt::format("{} error(s) in the configuration; nothing was changed",
                       proposal.errors.size());
  }
  const auto refused = [](const config::Change& c) { return c.effect == config::Effect::refused; };
  const auto count = std::count_if(proposal.changes.begin(), proposal.changes.end(), refused);
  if (count > 0) {
    return fmt::format("{} change(s) need a restart of koid; nothing was changed", count);
  }
  std::size_t slots = proposal.numbering.used;
  for (const config::Group& group : proposal.config.groups) {
    if (!proposal.numbering.kept.contains(group.name)) slots += controlplane::slots_of(group);
  }
  if (slots > kMaxSlots) {
    return fmt::format(
        "koid numbers each virtual host once, and its {} numbers are used up by reloads since it "
        "was started: restart it; nothing was changed",
        kMaxSlots);
  }
  return {};
}

/// C12.7: the hash goes by the key that the group had at koid's start, unless it has a file of its
/// own.
void keep_hash_keys(const config::Config& running, config::Config& wanted) {
  const auto there = positions(running);
  for (config::Group& group : wanted.groups) {
    if (!group.balance || !group.balance->hash_key_file.empty()) continue;
    const auto found = there.find(group.name);
    if (found == there.end() || !running.groups[found->second].balance) continue;
    const config::Group& before = running.groups[found->second];
    const config::Secret& given = before.balance->hash_key;
    group.balance->hash_key = given.empty() ? before.key : given;
  }
}

json lines(const std::vector<config::Problem>& problems) {
  json out = json::array();
  for (const config::Problem& problem : problems) out.push_back(problem.to_string());
  return out;
}

/// The addresses that a plan's slots need let in, by port.
std::set<std::pair<PortIndex, MacAddress>> macs_of(const Plan& plan) {
  std::set<std::pair<PortIndex, MacAddress>> macs;
  for (std::size_t i = 0; i < plan.slots.size(); ++i) {
    if (plan.slots[i].gone) continue;
    const SlotView& slot = plan.topology->slots[i];
    macs.emplace(slot.port, slot.mac);
    macs.emplace(slot.port, slot.told);
  }
  return macs;
}

}  // namespace

Reload::Proposal Reload::propose() const {
  Proposal proposal;
  config::Loaded loaded = config::load(setup_.file);
  proposal.errors = std::move(loaded.errors);
  proposal.warnings = std::move(loaded.warnings);
  proposal.config = std::move(loaded.config);
  if (proposal.errors.empty()) {
    proposal.changes = config::diff(*setup_.config, proposal.config);
    proposal.numbering =
        numbering_of(*setup_.config, *setup_.plan, proposal.config, proposal.changes);
  }
  proposal.refusal = refusal_of(proposal);
  return proposal;
}

Result<controlplane::TakePlan> Reload::begin(Proposal&& proposal) {
  keep_hash_keys(*setup_.config, proposal.config);
  Plan plan = controlplane::make_plan(proposal.config, setup_.ports, proposal.numbering);
  const auto before = macs_of(*setup_.plan);
  std::vector<std::pair<PortIndex, MacAddress>> added;
  for (const auto& mac : macs_of(plan)) {
    if (before.contains(mac)) continue;
    if (Status s = setup_.accept(mac.first, mac.second); !s) {
      for (const auto& [port, address] : added) setup_.release(port, address);
      return s.error();
    }
    added.push_back(mac);
  }
  setup_.counters->slots.resize(plan.slots.size());
  next_ = std::make_unique<controlplane::NextPlan>();
  for (auto& slot : setup_.counters->slots) next_->counters.push_back(&slot);
  next_->plan = plan;
  next_plan_ = std::move(plan);
  regrouping_ = regrouping_of(*setup_.config, proposal.config, proposal.numbering);
  next_config_ = std::move(proposal.config);
  return controlplane::TakePlan{next_.get()};
}

void Reload::taken() {
  before_ = setup_.plan->topology;
  const auto macs = macs_of(*next_plan_);
  for (const auto& mac : macs_of(*setup_.plan)) {
    if (!macs.contains(mac)) setup_.release(mac.first, mac.second);
  }
  *setup_.config = std::move(*next_config_);
  *setup_.plan = std::move(*next_plan_);
  next_config_.reset();
  next_plan_.reset();
}

void Reload::released() {
  next_.reset();
  before_.reset();
}

json reload_json(const Reload::Proposal& proposal, const std::string& file, bool dry_run) {
  json reply = {{"ok", proposal.refusal.empty()},
                {"dry_run", dry_run},
                {"applied", proposal.refusal.empty() && !dry_run},
                {"file", file},
                {"warnings", lines(proposal.warnings)}};
  if (!proposal.refusal.empty()) reply["error"] = proposal.refusal;
  if (!proposal.errors.empty()) reply["errors"] = lines(proposal.errors);
  json changes = json::array();
  for (const config::Change& change : proposal.changes) {
    changes.push_back({{"key", change.key},
                       {"from", change.from},
                       {"to", change.to},
                       {"effect", config::to_string(change.effect)},
                       {"group", change.group},
                       {"role_may_change", change.role_may_change},
                       {"note", change.note}});
  }
  reply["changes"] = std::move(changes);
  return reply;
}

}  // namespace koi::app
