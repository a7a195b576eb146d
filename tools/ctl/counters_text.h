#pragma once

#include <string>

#include "tools/ctl/reply.h"

namespace koi::ctl {

/// What `koictl counters` prints: every counter that is not 0, by port, slot and worker.
std::string counters_text(const Json& counters, bool colours);

/// Returns {"ok":true,"ports":[{"name":…,"drops":{reason:count}}]} with the counts that are not 0,
/// the highest first, equal ones by reason. Ports without drops stay, with an empty object.
Json drops_only(const Json& counters);

/// The same as a table; "no drops" when there are none. `drops` is what drops_only() returned.
std::string drops_text(const Json& drops);

}  // namespace koi::ctl
