#include <fmt/format.h>

#include "config/derived.h"
#include "config/group_rules.h"
#include "config/key_file.h"
#include "config/values.h"
#include "config/words.h"

namespace koi::config {
namespace {

/// protocol.md §6, hazard (b): an OpenBSD's timers run on ticks of 10 ms. From this advskew on no
/// master-down time is below its 60 ms.
constexpr unsigned kOpenbsdLowest = 10;

/// protocol.md §16, 1.
void check_advbase(const Group& group, GroupReport& report) {
  if (group.advbase != 0 || group.dialect == Dialect::koi || !report.clean("advbase")) return;
  if (group.dialect != Dialect::openbsd) {
    report.error("advbase",
                 "0 is for boxes of koi and OpenBSD alone; allowed: 1 to 254, or dialect: koi");
    return;
  }
  const auto floor = [&](const std::string& key, unsigned advskew) {
    if (advskew >= kOpenbsdLowest || !report.clean(key)) return;
    report.error(key, fmt::format("{} is too fast for an OpenBSD, which needs a master-down time "
                                  "of 60 ms; allowed with advbase 0 and dialect openbsd: {} to 254",
                                  advskew, kOpenbsdLowest));
  };
  const auto members = members_of(group);
  for (std::size_t i = 0; i < members.size(); ++i) {
    floor(advskew_key(group, i), members[i].advskew);
  }
  if (group.lowest_advskew) floor("lowest-advskew", *group.lowest_advskew);
}

/// protocol.md §7: byte 4 is padding to a FreeBSD and a UCarp, so a count alone is no demotion to
/// them; and a UCarp's group has no box that reads it.
void check_demotion(const Group& group, GroupReport& report) {
  if (!group.demotion_encoding || !report.clean("demotion-encoding")) return;
  const auto encoding = *group.demotion_encoding;
  if (group.dialect == Dialect::ucarp && encoding != DemotionEncoding::skew) {
    report.error("demotion-encoding", fmt::format("{} is not read by a UCarp; allowed with dialect "
                                                  "ucarp: skew",
                                                  word(encoding)));
  } else if (group.dialect == Dialect::freebsd && encoding == DemotionEncoding::count) {
    report.error("demotion-encoding",
                 "count is not read by a FreeBSD; allowed with dialect freebsd: skew, both");
  }
}

/// protocol.md §4: a FreeBSD's HMAC covers link-local addresses, and it accepts no other.
void check_link_local(const Group& group, GroupReport& report) {
  if (group.dialect != Dialect::freebsd || group.hmac_v6ll == HmacLinkLocal::include) return;
  if (!report.clean("hmac-v6ll")) return;
  for (std::size_t i = 0; i < group.addresses.size(); ++i) {
    const std::string item = fmt::format("addresses[{}]", i);
    if (!is_link_local(group.addresses[i]) || !report.clean(item)) continue;
    report.warning(item, fmt::format("{} is link-local, and a FreeBSD refuses advertisements whose "
                                     "HMAC leaves it out; better: hmac-v6ll: include, or no "
                                     "link-local address",
                                     group.addresses[i].to_string()));
  }
}

void check_ucarp(const Group& group, GroupReport& report) {
  if (group.addresses.size() > 1 || (report.clean("addresses") && !group.addresses[0].is_v4())) {
    report.error("addresses",
                 fmt::format("has {} addresses; allowed with dialect ucarp: exactly one, IPv4",
                             group.addresses.size()));
  }
  if (group.key.bytes().size() > kMaxPassphrase) {
    report.warning("key-file",
                   "holds a key of 20 bytes, which a UCarp cannot be given; better: a "
                   "passphrase of 8 to 19 bytes");
  }
}

}  // namespace

void check_dialect(const Group& group, GroupReport& report) {
  if (!report.clean("dialect")) return;
  check_advbase(group, report);
  check_demotion(group, report);
  check_link_local(group, report);
  if (group.dialect == Dialect::ucarp) check_ucarp(group, report);
}

}  // namespace koi::config
