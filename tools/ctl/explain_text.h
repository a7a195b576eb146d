#pragma once

#include <chrono>
#include <string>

#include "tools/ctl/reply.h"

namespace koi::ctl {

/// What `koictl explain` prints: who answers for an address, what MAC the client is told, and why.
/// `explained` is koid's reply; ages are counted to `now`.
std::string explain_text(const Json& explained, std::chrono::system_clock::time_point now,
                         bool colours);

}  // namespace koi::ctl
