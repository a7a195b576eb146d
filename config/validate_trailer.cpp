#include <set>

#include <fmt/format.h>

#include "config/group_rules.h"

namespace koi::config {

void check_trailer(const Group& group, GroupReport& report) {
  if (!group.trailer) return;
  const Trailer& trailer = *group.trailer;
  if (trailer.mode == TrailerMode::enforce && group.dialect != Dialect::koi &&
      report.clean({"dialect", "trailer.mode"})) {
    report.error("trailer.mode",
                 "enforce refuses every box that is not koi; allowed: receive-only, permissive, or "
                 "dialect: koi");
  }
  std::set<std::uint8_t> ids;
  if (trailer.key && report.clean("trailer.key-id")) ids.insert(trailer.key->id);
  for (std::size_t i = 0; i < trailer.accept.size(); ++i) {
    const std::string item = fmt::format("trailer.accept[{}]", i);
    if (!report.clean(item) || ids.insert(trailer.accept[i].id).second) continue;
    report.error(item + ".key-id", fmt::format("{} given twice; allowed: another for each key",
                                               trailer.accept[i].id));
  }
}

}  // namespace koi::config
