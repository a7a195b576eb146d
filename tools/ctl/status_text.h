#pragma once

#include <chrono>
#include <string>

#include "tools/ctl/reply.h"

namespace koi::ctl {

/// Above this the control thread is late: it starts a turn at least every 200 us.
inline constexpr double kControlLateSeconds = 0.01;

/// What `koictl status` prints: who owns what, why, since when and for how long.
/// `status` is koid's reply; times are shown in the local time zone, ages counted to `now`.
std::string status_text(const Json& status, std::chrono::system_clock::time_point now,
                        bool colours);

/// Returns "none", or "240 (command 240)": the total and the causes that are not 0. The total is of
/// the causes that concern the whole node; "0 (link lan 1)" is one that concerns some groups.
std::string demotion_text(const Json& demotion);

}  // namespace koi::ctl
