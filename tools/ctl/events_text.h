#pragma once

#include <string>

#include "tools/ctl/reply.h"

namespace koi::ctl {

/// One event of koid's reply as one line, with its newline: number, local time, what happened.
/// What this version does not know is shown as far as it can be.
std::string event_line(const Json& event);

/// Iff the event is about that group, among others or alone.
bool concerns(const Json& event, const std::string& group);

}  // namespace koi::ctl
