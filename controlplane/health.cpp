#include "controlplane/health.h"

#include <algorithm>
#include <map>
#include <utility>

#include "controlplane/ties.h"

namespace koi::controlplane {
namespace {

constexpr Duration kLeastPatience = 5s;

/// Would running one be running the other? The weight is the group's affair.
bool same_check(config::Track a, const config::Track& b) {
  a.weight = b.weight;
  return a == b;
}

}  // namespace

Health::Health(const config::Config& config, Instant start) : config_(&config), start_(start) {
  const auto tied = tied_groups(config.groups);
  add_links(tied);
  add_tracks(tied);
}

void Health::add_links(const std::vector<std::vector<std::uint16_t>>& tied) {
  const auto groups = static_cast<std::uint16_t>(tied.size());
  for (std::size_t p = 0; p < config_->ports.size(); ++p) {
    Effect effect{.name = "link " + config_->ports[p].name, .groups = {}, .port = p, .check = {}};
    for (std::uint16_t g = 0; g < groups; ++g) {
      // Those on the port itself are in INIT: there is nothing to demote.
      if (config_->groups[g].port == config_->ports[p].name) continue;
      if (std::any_of(tied[g].begin(), tied[g].end(), [&](std::uint16_t other) {
            return config_->groups[other].port == config_->ports[p].name;
          })) {
        effect.groups.push_back(g);
      }
    }
    if (!effect.groups.empty()) effects_.push_back(std::move(effect));
  }
}

void Health::add_tracks(const std::vector<std::vector<std::uint16_t>>& tied) {
  // Each check, or port, with what it weighs for each group: the highest, where it is tracked by
  // several that are tied, for it is one failure.
  struct Subject {
    std::string name;
    std::optional<std::size_t> port;
    std::optional<std::size_t> check;
    std::map<std::uint16_t, std::uint8_t> weights;
  };
  std::vector<Subject> subjects;
  const auto groups = static_cast<std::uint16_t>(tied.size());
  for (std::uint16_t g = 0; g < groups; ++g) {
    for (const config::Track& track : config_->groups[g].track) {
      Subject found;
      if (track.kind == config::Track::Kind::port) {
        const auto& ports = config_->ports;
        const auto port = std::find_if(ports.begin(), ports.end(),
                                       [&](const config::Port& p) { return p.name == track.port; });
        if (port == ports.end()) continue;  // the validator refuses it
        found.name = "track " + track.name;
        found.port = static_cast<std::size_t>(port - ports.begin());
      } else {
        found.check = check_for(config_->groups[g], track, start_);
        found.name = "track " + checks_[*found.check].name;
      }
      auto subject = std::find_if(subjects.begin(), subjects.end(), [&](const Subject& s) {
        return s.port == found.port && s.check == found.check;
      });
      if (subject == subjects.end()) subject = subjects.insert(subject, std::move(found));
      for (const std::uint16_t concerned : tied[g]) {
        std::uint8_t& weight = subject->weights[concerned];
        weight = std::max(weight, track.weight);
      }
    }
  }
  for (const Subject& subject : subjects) {
    std::map<std::uint8_t, std::vector<std::uint16_t>> by_weight;
    for (const auto& [group, weight] : subject.weights) by_weight[weight].push_back(group);
    for (auto& [weight, weighed] : by_weight) {
      effects_.push_back({.name = subject.name,
                          .count = weight,
                          .groups = std::move(weighed),
                          .port = subject.port,
                          .check = subject.check});
    }
  }
}

void Health::config_changed(DemotionLedger& ledger, Instant now) {
  const std::vector<Check> before = std::exchange(checks_, {});
  std::vector<Effect> said = std::exchange(effects_, {});
  start_ = now;
  const auto tied = tied_groups(config_->groups);
  add_links(tied);
  add_tracks(tied);
  for (Check& check : checks_) {
    const auto known = std::find_if(before.begin(), before.end(), [&](const Check& b) {
      return b.name == check.name && same_check(b.track, check.track);
    });
    if (known == before.end()) continue;
    check.healthy = known->healthy;
    check.silent = known->silent;
    check.detail = known->detail;
    check.last_report = known->last_report;
  }
  // Those that go on are not taken back: nobody is to see the sum fall and rise again.
  for (Effect& effect : effects_) {
    effect.there = std::any_of(ledger.list().begin(), ledger.list().end(), [&](const auto& c) {
      return !c.commanded && c.name == effect.name && c.groups == effect.groups;
    });
  }
  ledger.clear_if([&](const DemotionCause& c) {
    const bool ours = std::any_of(said.begin(), said.end(),
                                  [&](const Effect& e) { return e.there && e.name == c.name; });
    const bool goes_on = std::any_of(effects_.begin(), effects_.end(), [&](const Effect& e) {
      return e.name == c.name && c.groups == e.groups;
    });
    return !c.commanded && ours && !goes_on;
  });
}

std::size_t Health::check_for(const config::Group& group, const config::Track& track,
                              Instant start) {
  bool name_is_taken = false;
  for (std::size_t c = 0; c < checks_.size(); ++c) {
    if (same_check(checks_[c].track, track)) return c;
    name_is_taken = name_is_taken || checks_[c].name == track.name;
  }
  // The same target in two ways: each is a check of its own, and says whose.
  checks_.push_back({.name = name_is_taken ? track.name + " of " + group.name : track.name,
                     .track = track,
                     .detail = {},
                     .last_report = start});
  return checks_.size() - 1;
}

bool Health::report(const std::string& name, bool healthy, const std::string& detail, Instant now) {
  const auto check =
      std::find_if(checks_.begin(), checks_.end(), [&](const Check& c) { return c.name == name; });
  if (check == checks_.end()) return false;
  check->healthy = healthy;
  check->silent = false;
  check->detail = detail;
  check->last_report = now;
  return true;
}

Duration Health::patience(const config::Track& track) {
  return std::max(3 * track.interval + track.timeout, kLeastPatience);
}

bool Health::is_there(const Effect& effect, const std::vector<bool>& link_up) const {
  if (effect.port) return !link_up[*effect.port];
  return !checks_[*effect.check].counts_as_healthy();
}

DemotionCause Health::cause_of(const Effect& effect) const {
  DemotionCause cause;
  cause.name = effect.name;
  cause.count = effect.count;
  cause.groups = effect.groups;
  if (effect.port) {
    cause.owner = "port " + config_->ports[*effect.port].name;
    cause.detail = "no link";
  } else if (const Check& check = checks_[*effect.check]; check.silent) {
    cause.owner = "koi-agent silent";
    cause.detail = "not reported for too long: is koi-agent running?";
  } else {
    cause.owner = "koi-agent";
    cause.detail = check.detail;
  }
  return cause;
}

std::vector<std::string> Health::update(DemotionLedger& ledger, const std::vector<bool>& link_up,
                                        Instant now, std::chrono::system_clock::time_point wall) {
  for (Check& check : checks_) {
    check.silent = now - check.last_report > patience(check.track);
  }
  std::vector<std::string> lines;
  for (Effect& effect : effects_) {
    const bool was_there = std::exchange(effect.there, is_there(effect, link_up));
    if (effect.there) {
      DemotionCause cause = cause_of(effect);
      cause.since = wall;
      if (!was_there) {
        lines.push_back("demoted by " + std::to_string(effect.count) + ": " + effect.name + " (" +
                        cause.owner + (cause.detail.empty() ? "" : ": " + cause.detail) + ")");
      }
      ledger.set(std::move(cause));
    } else if (was_there) {
      ledger.clear_if([&](const DemotionCause& c) {
        return !c.commanded && c.name == effect.name && c.groups == effect.groups;
      });
      lines.push_back("no longer demoted by " + std::to_string(effect.count) + ": " + effect.name);
    }
  }
  return lines;
}

}  // namespace koi::controlplane
