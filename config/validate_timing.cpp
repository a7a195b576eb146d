#include <algorithm>

#include <fmt/format.h>

#include "config/derived.h"
#include "config/group_rules.h"

namespace koi::config {
namespace {

/// protocol.md §6: a backup whose master-down time, 3·max(advskew, 1)/256 s, is not longer than
/// the master's interval of advskew/256 s takes over from a healthy master, again and again.
void check_lowest(const Group& group, GroupReport& report) {
  if (!report.clean({"advbase", "lowest-advskew"})) return;
  if (!group.lowest_advskew) {
    if (group.advbase != 0) return;
    report.error("lowest-advskew",
                 "is missing; required with advbase 0: the lowest advskew of any box "
                 "in the group, 0 to 254");
    return;
  }
  const unsigned lowest = *group.lowest_advskew;
  const unsigned highest = 2 * std::max(lowest, 1U);
  const auto members = members_of(group);
  unsigned least = 255;
  for (std::size_t i = 0; i < members.size(); ++i) {
    const std::string key = advskew_key(group, i);
    if (!report.clean(key)) continue;
    const unsigned advskew = members[i].advskew;
    least = std::min(least, advskew);
    if (advskew >= lowest && group.advbase == 0 && advskew > highest) {
      report.error(key, fmt::format("{} is too far from the lowest of the group: the others would "
                                    "take over from this box while it is well; allowed with "
                                    "advbase 0 and lowest-advskew {}: {} to {}, at most twice the "
                                    "lowest (counted as 1 if it is 0)",
                                    advskew, lowest, lowest, highest));
    }
  }
  if (least < lowest) {
    report.error("lowest-advskew",
                 fmt::format("{} is above this box's own advskew {}; allowed: 0 to {}", lowest,
                             least, least));
  }
}

/// The lease (design.md, L5) is dead-ratio · advbase less 5 %; an advertisement of a demoted box
/// (advskew 240) must leave before it is over, or the box silences itself.
void check_dead_ratio(const Group& group, GroupReport& report) {
  if (!report.clean({"dead-ratio", "advbase", "advskew", "balance.members"})) return;
  unsigned advskew = 240;
  for (const Member& member : members_of(group))
    advskew = std::max<unsigned>(advskew, member.advskew);
  const double lease = 0.95 * group.dead_ratio * group.advbase;
  const double interval = group.advbase + advskew / 256.0;
  if (group.advbase == 0 || interval < lease) return;
  report.error(
      "dead-ratio",
      fmt::format("{} leaves no time between two advertisements of this box and the takeover of "
                  "another; allowed with advbase {}: {} or more",
                  group.dead_ratio, group.advbase,
                  static_cast<int>(interval / (0.95 * group.advbase)) + 1));
}

}  // namespace

void check_timing(const Group& group, GroupReport& report) {
  check_lowest(group, report);
  if (!report.clean("dialect")) return;
  const bool ucarp = group.dialect == Dialect::ucarp;
  if (group.dead_ratio != 3 && !ucarp && report.clean("dead-ratio")) {
    report.error("dead-ratio",
                 fmt::format("{} is for groups with a UCarp that has the same; allowed: 3, "
                             "or dialect: ucarp",
                             group.dead_ratio));
  }
  if (ucarp) check_dead_ratio(group, report);
}

}  // namespace koi::config
