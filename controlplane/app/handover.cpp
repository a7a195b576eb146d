#include "controlplane/app/handover.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "controlplane/app/clean_text.h"

namespace koi::app {
namespace {

using election::Role;
using nlohmann::json;

constexpr Duration kShortestPatience = 2s;
constexpr Duration kLongestPatience = 15s;

/// Of anybody's, ever.
std::uint64_t advertisements_accepted(const Snapshot& s, SlotIndex slot) {
  std::uint64_t total = 0;
  for (const WorkerCounters* w : s.workers) {
    total += w->slots[slot.value()].received[static_cast<std::size_t>(Verdict::accepted)].get();
  }
  return total;
}

std::string names(const Snapshot& s) {
  std::string all;
  for (const config::Group& group : s.config->groups) {
    all += (all.empty() ? "" : ", ") + group.name;
  }
  return all;
}

}  // namespace

std::optional<std::uint16_t> Handover::index_of(const std::string& group,
                                                const Snapshot& snapshot) {
  const auto& groups = snapshot.config->groups;
  const auto found = std::find_if(groups.begin(), groups.end(),
                                  [&](const config::Group& g) { return g.name == group; });
  if (found == groups.end()) return std::nullopt;
  return static_cast<std::uint16_t>(found - groups.begin());
}

Result<Handover> Handover::of(const json& request, const Snapshot& snapshot, Instant now) {
  const auto name = request.find("group");
  const auto span = request.find("seconds");
  if (name == request.end() || !name->is_string()) return Error{"\"group\" is the name of a group"};
  Handover made;
  made.group_ = name->get<std::string>();
  if (span != request.end()) {
    if (!span->is_number() || span->get<double>() <= 0) {
      return Error{"\"seconds\" is a number above 0"};
    }
    made.seconds_ = span->get<double>();
  }
  if (!index_of(made.group_, snapshot)) {
    return Error{
        fmt::format("no group \"{}\"; there are {}", cleaned(made.group_), names(snapshot))};
  }
  made.patience_ = kShortestPatience;
  std::string others;
  for (std::size_t i = 0; i < snapshot.slots.size(); ++i) {
    const SlotIndex slot(static_cast<std::uint16_t>(i));
    const controlplane::SlotPlan& plan = snapshot.plan->slots[i];
    if (plan.gone || snapshot.group_of(slot).name != made.group_) continue;
    const controlplane::SlotReport& report = snapshot.slots[i];
    if (report.role == Role::master) {
      made.given_.push_back({slot, advertisements_accepted(snapshot, slot)});
      made.patience_ = std::max(made.patience_, 2 * plan.parameters.master_down());
    } else if (report.master_known) {
      others = fmt::format("; {} is MASTER", report.master.to_string());
    }
  }
  if (made.given_.empty()) {
    return Error{fmt::format("this box is not MASTER of {}{}", made.group_, others)};
  }
  made.patience_ = std::min(made.patience_, kLongestPatience);
  made.give_up_ = now + made.patience_;
  const config::Group& given = snapshot.config->groups[*index_of(made.group_, snapshot)];
  for (const config::Group& g : snapshot.config->groups) {
    const bool tied = std::find(given.tie.begin(), given.tie.end(), g.name) != given.tie.end();
    made.comes_back_ = made.comes_back_ || (g.preempt && (tied || g.name == given.name));
  }
  return made;
}

std::optional<double> Handover::seconds() const {
  return comes_back_ ? seconds_ : koi::seconds(patience_);
}

std::optional<Result<json>> Handover::ended(const Snapshot& snapshot, Instant now) {
  if (!index_of(group_, snapshot)) return Error{"a reload has taken the group away"};
  json masters = json::array();
  for (Given& given : given_) {
    const controlplane::SlotReport& report = snapshot.slots[given.slot.value()];
    if (report.role == Role::master) {
      if (given.left) return Error{"nobody took it over: this box is MASTER again"};
      continue;
    }
    given.left = true;
    // Only a MASTER advertises. Who it is, control says after the worker has counted it.
    const bool knew =
        std::exchange(given.taken, advertisements_accepted(snapshot, given.slot) != given.heard);
    if (!knew || !report.master_known) continue;
    masters.push_back({{"vhid", snapshot.view_of(given.slot).vhid.value()},
                       {"address", report.master.to_string()},
                       {"mac", report.master_mac.to_string()}});
  }
  if (masters.size() == given_.size()) return masters;
  if (now > give_up_) return Error{"nobody has taken it over yet; see koictl status"};
  return std::nullopt;
}

}  // namespace koi::app
