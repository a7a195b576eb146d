#include <map>
#include <string_view>

#include <fmt/format.h>

#include "config/derived.h"
#include "config/group_rules.h"
#include "config/words.h"

namespace koi::config {
namespace {

/// Which dialects' boxes choose by the hash (protocol.md §10, §16, 4).
std::string_view dialects_of(BalanceHash hash) {
  if (hash == BalanceHash::openbsd) return "koi, openbsd";
  if (hash == BalanceHash::freebsd) return "koi, freebsd";
  return "koi";
}

bool knows(Dialect dialect, BalanceHash hash) {
  return dialect == Dialect::koi || (dialect == Dialect::openbsd && hash == BalanceHash::openbsd) ||
         (dialect == Dialect::freebsd && hash == BalanceHash::freebsd);
}

void check_hash(const Group& group, GroupReport& report) {
  if (!report.clean({"dialect", "balance.mode", "balance.hash"})) return;
  const BalanceHash hash = group.balance->hash;
  if (!knows(group.dialect, hash)) {
    report.error("balance.hash", fmt::format("{} is unknown to dialect {}; allowed with it: {}, or "
                                             "one of the dialects {}",
                                             word(hash), word(group.dialect), word(group.dialect),
                                             dialects_of(hash)));
  }
  if (hash != BalanceHash::freebsd) return;
  for (std::size_t i = 0; i < group.addresses.size(); ++i) {
    const std::string item = fmt::format("addresses[{}]", i);
    if (group.addresses[i].is_v4() || !report.clean(item)) continue;
    report.error(item, fmt::format("{} cannot be balanced by hash freebsd, which has IPv4 only; "
                                   "allowed: IPv4, or another hash",
                                   group.addresses[i].to_string()));
  }
}

/// protocol.md §11: only OpenBSD has these modes, and one member is no balancing to it.
void check_by_packet(const Group& group, GroupReport& report) {
  if (!report.clean({"dialect", "balance.mode"})) return;
  const std::string_view mode = word(group.balance->mode);
  if (group.dialect == Dialect::freebsd) {
    report.error("balance.mode", fmt::format("{} is unknown to dialect freebsd; allowed with it: "
                                             "arp, or one of the dialects koi, openbsd",
                                             mode));
  }
  if (group.balance->members.size() == 1 && report.clean("balance.members")) {
    report.error(
        "balance.members",
        fmt::format("has 1 member, who would share with nobody; allowed with mode {}: 2 to "
                    "32 members, or no balance",
                    mode));
  }
}

}  // namespace

void check_balance(const Group& group, GroupReport& report) {
  if (!group.balance) return;
  if (group.dialect == Dialect::ucarp) {
    if (report.clean({"dialect", "balance.mode", "balance.hash"})) {
      report.error("balance",
                   "is unknown to a UCarp; allowed with dialect koi, openbsd or freebsd");
    }
  } else if (is_by_packet(*group.balance)) {
    check_by_packet(group, report);
  } else {
    check_hash(group, report);
  }
  std::map<Vhid, std::size_t> seen;
  for (std::size_t i = 0; i < group.balance->members.size(); ++i) {
    const std::string key = fmt::format("balance.members[{}].vhid", i);
    const Vhid vhid = group.balance->members[i].vhid;
    if (vhid == Vhid{} || !report.clean(key)) continue;
    if (!seen.emplace(vhid, i).second) {
      report.error(key, fmt::format("{} given twice; allowed: once", vhid.value()));
    }
  }
}

}  // namespace koi::config
