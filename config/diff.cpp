#include "config/diff.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "config/derived.h"
#include "config/load.h"
#include "config/printer.h"

namespace koi::config {
namespace {

/// One line of the canonical form: the names above it and its own, and what stands behind.
struct Item {
  std::vector<std::string> path;
  std::string text;

  std::string key() const { return fmt::format("{}", fmt::join(path, ".")); }
};

/// The name at the line's begin, and the rest behind its colon.
std::pair<std::string, std::string> split(const std::string& line) {
  std::size_t end = line.find(':');
  if (line.front() == '"') {  // of a name that would read as something else
    const std::size_t closing = line.find('"', 1);
    return {line.substr(1, closing - 1), line.substr(std::min(closing + 3, line.size()))};
  }
  return {line.substr(0, end), line.substr(std::min(end + 2, line.size()))};
}

/// From the canonical form, so that no key can be forgotten. The checks of a group are one item.
std::vector<Item> items_of(const Config& config) {
  constexpr std::size_t kCheckLevel = 3;  // groups, name, track
  std::vector<Item> items;
  std::vector<std::string> above;
  const std::string text = print(config);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    std::string line = text.substr(at, end - at);
    at = end + 1;
    const std::size_t indent = line.find_first_not_of(' ');
    const std::size_t level = indent / 2;
    line.erase(0, indent);
    if (level >= kCheckLevel && above.size() >= kCheckLevel && above[2] == "track") {
      std::string& checks = items.back().text;
      checks += (checks.empty()        ? ""
                 : line.front() == '-' ? "; "
                                       : ", ") +
                (line.front() == '-' ? line.substr(2) : line);
      continue;
    }
    above.resize(level);
    auto [name, value] = split(line);
    above.push_back(name);
    if (!value.empty() || name == "track") items.push_back({above, value});
  }
  return items;
}

struct Rule {
  std::string_view key;  // below the group or the port
  Effect effect;
  bool role_may_change = false;
};

constexpr std::array kGroupRules = {
    Rule{"port", Effect::restarts, true},
    Rule{"vlan", Effect::restarts, true},
    Rule{"protocol", Effect::restarts, true},
    Rule{"vhid", Effect::restarts, true},
    Rule{"dialect", Effect::restarts, true},
    Rule{"balance", Effect::refused},  // C12.7: every asker would go to another slot
    Rule{"advbase", Effect::live, true},
    Rule{"advskew", Effect::live, true},
    Rule{"lowest-advskew", Effect::live, true},
    Rule{"dead-ratio", Effect::live, true},
    Rule{"hmac-v6ll", Effect::live},
    Rule{"demotion-encoding", Effect::live},
    Rule{"preempt", Effect::live, true},
    Rule{"preempt-delay", Effect::live},
    Rule{"takeover-when-deaf", Effect::live},
    Rule{"key-file", Effect::live},
    Rule{"allow-weak-key", Effect::live},
    Rule{"addresses", Effect::live},
    Rule{"accept-key-files", Effect::live},
    Rule{"previous-addresses", Effect::live},
    Rule{"trailer", Effect::live},
    Rule{"announce-refresh", Effect::live},
    Rule{"peers", Effect::live},
    Rule{"multicast", Effect::live},
    Rule{"tie", Effect::live, true},
    Rule{"track", Effect::live, true},
    Rule{"assign", Effect::live},
    Rule{"sync-wait", Effect::live},
    Rule{"hooks", Effect::live},
};

constexpr std::array kPortRules = {
    Rule{"addresses", Effect::live}, Rule{"vlans", Effect::live}, Rule{"configure", Effect::live},
    Rule{"dscp", Effect::live},      Rule{"pcp", Effect::live},
};

Rule rule_for(const std::vector<std::string>& path) {
  const auto find_in = [&](const auto& rules) {
    const auto found = std::find_if(rules.begin(), rules.end(),
                                    [&](const Rule& rule) { return rule.key == path[2]; });
    return found == rules.end() ? Rule{"", Effect::refused} : *found;
  };
  if (path.size() >= 3 && path[0] == "groups") return find_in(kGroupRules);
  if (path.size() >= 3 && path[0] == "ports") return find_in(kPortRules);
  return {"", Effect::refused};
}

bool has(const std::vector<Secret>& keys, const Secret& key) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

/// What is half of a change that goes through all boxes one after the other: accept the old and the
/// new everywhere, then go over to the new one (CARP.md §5, §19).
class Rolling {
 public:
  Rolling(const Group& running, const Group& wanted) : running_(running), wanted_(wanted) {}

  /// key: below the group.
  void judge(std::string_view key, Change& change) const {
    if (key == "addresses") {
      addresses(change);
    } else if (key == "key-file") {
      settle(change, has(wanted_.accept_keys, running_.key), "key", "accept-key-files");
    } else if (key == "trailer.key-file" || key == "trailer.key-id") {
      trailer_key(change);
    } else if (key == "balance.members") {
      members(change);
    } else if (key == "trailer.mode") {
      change.role_may_change = true;
      change.note = "a box that signs nothing is not heard by one with mode: enforce";
    }
  }

 private:
  void addresses(Change& change) const {
    if (families_of(running_) != families_of(wanted_)) {
      change.effect = Effect::restarts;
      change.role_may_change = true;
      change.note = "the group speaks another family now";
      return;
    }
    const auto sorted = [](std::vector<IpAddress> list) {
      std::sort(list.begin(), list.end());
      return list;
    };
    if (sorted(running_.addresses) == sorted(wanted_.addresses)) return;  // the HMAC's is sorted
    settle(change, sorted(wanted_.previous_addresses) == sorted(running_.addresses), "address list",
           "previous-addresses");
  }

  /// Their timers may change, not who they are.
  void members(Change& change) const {
    const auto vhids = [](const Group& group) {
      std::vector<Vhid> list;
      for (const Member& member : members_of(group)) list.push_back(member.vhid);
      return list;
    };
    if (!running_.balance || !wanted_.balance || vhids(running_) != vhids(wanted_)) return;
    change.effect = Effect::live;
    change.role_may_change = true;
  }

  void trailer_key(Change& change) const {
    if (!running_.trailer || !wanted_.trailer || !running_.trailer->key) return;
    const auto& accepted = wanted_.trailer->accept;
    const TrailerKey& old = *running_.trailer->key;
    settle(
        change,
        std::any_of(accepted.begin(), accepted.end(),
                    [&](const TrailerKey& key) { return key.id == old.id && key.key == old.key; }),
        "trailer key", "trailer.accept");
  }

  static void settle(Change& change, bool takes_old, const char* what, const char* where) {
    if (takes_old) {
      change.note =
          fmt::format("the other boxes must accept the new {} already ({} there)", what, where);
      return;
    }
    change.role_may_change = true;
    change.note = fmt::format(
        "boxes with the old {0} are not heard any more, and both become MASTER: put the old one "
        "into {1} until every box has the new one",
        what, where);
  }

  const Group& running_;
  const Group& wanted_;
};

/// What print() does not show: another key in the same file.
std::vector<Change> changed_keys(const Group& running, const Group& wanted) {
  std::vector<Change> changes;
  const auto compare = [&](const char* key, const std::string& from, const std::string& to,
                           bool same, Effect effect) {
    if (same || from != to) return;  // another file shows
    Change change{.key = "groups." + wanted.name + "." + key,
                  .from = from,
                  .to = to,
                  .effect = effect,
                  .group = wanted.name};
    Rolling(running, wanted).judge(key, change);
    change.note =
        "the key in the file is another one" + (change.note.empty() ? "" : "; " + change.note);
    changes.push_back(std::move(change));
  };
  compare("key-file", running.key_file, wanted.key_file, running.key == wanted.key, Effect::live);
  compare("accept-key-files", list(running.accept_key_files), list(wanted.accept_key_files),
          running.accept_keys == wanted.accept_keys, Effect::live);
  if (running.trailer && wanted.trailer && running.trailer->key && wanted.trailer->key) {
    compare("trailer.key-file", running.trailer->key->file, wanted.trailer->key->file,
            running.trailer->key->key == wanted.trailer->key->key, Effect::live);
    compare("trailer.accept", list(running.trailer->accept), list(wanted.trailer->accept),
            running.trailer->accept == wanted.trailer->accept, Effect::live);
  }
  // Where there is no such file the key of koid's start goes on.
  if (running.balance && wanted.balance && !wanted.balance->hash_key_file.empty()) {
    compare("balance.hash-key-file", running.balance->hash_key_file, wanted.balance->hash_key_file,
            running.balance->hash_key == wanted.balance->hash_key, Effect::refused);
  }
  return changes;
}

/// By name: there may be 4,080.
using Groups = std::map<std::string_view, const Group*>;

Groups groups_of(const Config& config) {
  Groups groups;
  for (const Group& group : config.groups) groups.emplace(group.name, &group);
  return groups;
}

bool has_port(const Config& config, const std::string& name) {
  return std::any_of(config.ports.begin(), config.ports.end(),
                     [&](const Port& port) { return port.name == name; });
}

class Comparison {
 public:
  Comparison(const Config& running, const Config& wanted)
      : running_(running),
        wanted_(wanted),
        groups_before_(groups_of(running)),
        groups_now_(groups_of(wanted)) {
    for (Item& item : items_of(running)) {
      const std::string key = item.key();
      before_.emplace(key, item.text);
      order_.push_back(std::move(item));
    }
  }

  std::vector<Change> run() {
    const std::vector<Item> items = items_of(wanted_);
    std::set<std::string> now;
    for (const Item& item : items) {
      const std::string key = item.key();
      now.insert(key);
      if (is_whole(item.path, running_, groups_before_, Effect::starts)) continue;
      const auto before = before_.find(key);
      const std::string from = before == before_.end() ? "" : before->second;
      if (from != item.text || before == before_.end()) add(item.path, from, item.text);
    }
    for (const Group& group : wanted_.groups) {
      const auto before = groups_before_.find(group.name);
      if (before == groups_before_.end()) continue;
      for (Change& change : changed_keys(*before->second, group)) {
        changes_.push_back(std::move(change));
      }
    }
    for (const Item& item : order_) {
      if (now.contains(item.key()) || is_whole(item.path, wanted_, groups_now_, Effect::ends))
        continue;
      add(item.path, item.text, "");
    }
    compare_port_order();
    restart_whole_groups();
    return std::move(changes_);
  }

 private:
  /// Of a group or a port that the other configuration has not: one change for all its keys.
  bool is_whole(const std::vector<std::string>& path, const Config& other, const Groups& groups,
                Effect effect) {
    if (path.size() < 2) return false;
    const bool group = path[0] == "groups" && !groups.contains(path[1]);
    const bool port = path[0] == "ports" && !has_port(other, path[1]);
    if (!group && !port) return false;
    const std::string key = path[0] + "." + path[1];
    if (!told_.insert(key).second) return true;
    const std::string there = group ? "a group" : "a port";
    const bool starts = effect == Effect::starts;
    changes_.push_back({.key = key,
                        .from = starts ? "" : there,
                        .to = starts ? there : "",
                        .effect = group ? effect : Effect::refused,
                        .group = group ? path[1] : "",
                        .role_may_change = group});
    return true;
  }

  void add(const std::vector<std::string>& path, const std::string& from, const std::string& to) {
    const Rule rule = rule_for(path);
    Change change{.key = Item{path, ""}.key(),
                  .from = from,
                  .to = to,
                  .effect = rule.effect,
                  .role_may_change = rule.role_may_change};
    if (path.size() >= 3 && path[0] == "groups") {
      change.group = path[1];
      const std::string below = Item{{path.begin() + 2, path.end()}, ""}.key();
      Rolling(*groups_before_.at(path[1]), *groups_now_.at(path[1])).judge(below, change);
    }
    changes_.push_back(std::move(change));
  }

  /// Nothing of a group that starts anew is live.
  void restart_whole_groups() {
    std::set<std::string> anew;
    for (const Change& change : changes_) {
      if (change.effect == Effect::restarts) anew.insert(change.group);
    }
    for (Change& change : changes_) {
      if (change.effect == Effect::live && anew.contains(change.group)) {
        change.effect = Effect::restarts;
        change.role_may_change = true;
      }
    }
  }

  void compare_port_order() {
    if (running_.ports.size() != wanted_.ports.size()) return;  // said already
    std::vector<std::string> before;
    std::vector<std::string> now;
    for (const Port& port : running_.ports) before.push_back(port.name);
    for (const Port& port : wanted_.ports) now.push_back(port.name);
    if (before == now || !std::is_permutation(before.begin(), before.end(), now.begin())) return;
    changes_.push_back({.key = "ports",
                        .from = list(before),
                        .to = list(now),
                        .effect = Effect::refused,
                        .note = "their order counts"});
  }

  const Config& running_;
  const Config& wanted_;
  const Groups groups_before_;
  const Groups groups_now_;
  std::map<std::string, std::string> before_;
  std::vector<Item> order_;
  std::set<std::string> told_;
  std::vector<Change> changes_;
};

}  // namespace

std::vector<Change> diff(const Config& running, const Config& wanted) {
  return Comparison(running, wanted).run();
}

std::string_view to_string(Effect effect) {
  constexpr std::array<std::string_view, 5> kNames = {"live", "starts", "ends", "restarts",
                                                      "needs a restart of koid"};
  return kNames[static_cast<std::size_t>(effect)];
}

}  // namespace koi::config
