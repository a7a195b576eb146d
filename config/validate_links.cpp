#include <algorithm>
#include <map>
#include <set>
#include <string_view>

#include <fmt/format.h>

#include "config/derived.h"
#include "config/group_rules.h"
#include "config/words.h"

namespace koi::config {

void check_ties(const Config& config, Report& all) {
  std::set<std::string_view> names;
  for (const Group& group : config.groups) names.insert(group.name);
  for (const Group& group : config.groups) {
    GroupReport report(group, all);
    std::set<std::string_view> seen;
    for (std::size_t i = 0; i < group.tie.size(); ++i) {
      const std::string item = fmt::format("tie[{}]", i);
      const std::string& other = group.tie[i];
      if (!report.clean(item)) continue;
      if (other == group.name) {
        report.error(item,
                     fmt::format("{} is this group; allowed: other groups", in_quotes(other)));
      } else if (!seen.insert(other).second) {
        report.error(item, fmt::format("{} given twice; allowed: once", in_quotes(other)));
      } else if (!names.contains(other) && all.clean("groups." + path_part(other))) {
        report.error(item, fmt::format("there is no group {}; allowed: {}", in_quotes(other),
                                       some_of(config.groups,
                                               [](const Group& g) { return path_part(g.name); })));
      }
    }
  }
}

void check_tracks(const Config& config, Report& all) {
  struct Seen {
    const Track* track;
    const Group* group;
  };
  std::map<std::string_view, Seen> seen;
  for (const Group& group : config.groups) {
    GroupReport report(group, all);
    for (std::size_t i = 0; i < group.track.size(); ++i) {
      const std::string item = fmt::format("track[{}]", i);
      const Track& track = group.track[i];
      if (!report.clean(item) || track.name.empty()) continue;
      if (track.kind == Track::Kind::port &&
          std::none_of(config.ports.begin(), config.ports.end(),
                       [&](const Port& p) { return p.name == track.port; })) {
        if (!all.clean("ports." + path_part(track.port))) continue;
        report.error(
            item + ".port",
            fmt::format("there is no port {}; allowed: {}", in_quotes(track.port),
                        some_of(config.ports, [](const Port& p) { return path_part(p.name); })));
        continue;
      }
      const auto [first, fresh] = seen.emplace(track.name, Seen{&track, &group});
      if (fresh) continue;
      const bool derived = track.name == default_name(track);
      if (first->second.group == &group) {
        report.error(item, fmt::format("check {} given twice; allowed: once, or a name of its own",
                                       in_quotes(track.name)));
      } else if (!derived) {
        report.error(item + ".name",
                     fmt::format("{} is already a check of group {}; allowed: "
                                 "another name",
                                 in_quotes(track.name), path_part(first->second.group->name)));
      } else if (!(track == *first->second.track)) {
        report.error(item,
                     fmt::format("check {} has other settings in group {}; allowed: the same "
                                 "ones, or a name of its own",
                                 in_quotes(track.name), path_part(first->second.group->name)));
      }
    }
  }
}

void check_hosts(const Config& config, Report& all) {
  for (const Group& group : config.groups) {
    GroupReport report(group, all);
    const auto port = std::find_if(config.ports.begin(), config.ports.end(),
                                   [&](const Port& p) { return p.name == group.port; });
    if (!report.clean("port") || port == config.ports.end() ||
        !all.clean("ports." + path_part(port->name) + ".host")) {
      continue;
    }
    if (group.assign != Assign::never && report.clean("assign") && !has_kernel_interface(*port)) {
      report.error("assign", fmt::format("port {} has no kernel interface; allowed: with its host: "
                                         "tap or virtio-user",
                                         port->name));
    }
    if (group.balance && is_by_packet(*group.balance) && report.clean("balance.mode") &&
        port->host == HostPort::none) {
      report.error("balance.mode",
                   fmt::format("{} shares what goes on to the host, and port {} has none; allowed: "
                               "arp, or with the port's host: tap, virtio-user or vdev:",
                               word(group.balance->mode), port->name));
    }
  }
}

}  // namespace koi::config
