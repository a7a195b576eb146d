#pragma once

#include <string>

#include "tools/ctl/reply.h"

namespace koi::ctl {

/// What a reload has changed, would change (--dry-run), or why it was refused: one change a line,
/// what it does in the margin. At most 80 columns.
std::string reload_text(const Json& reply, bool colours);

}  // namespace koi::ctl
