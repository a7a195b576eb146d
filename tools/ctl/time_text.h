#pragma once

#include <chrono>
#include <string>

/// The times that koid writes (RFC 3339, UTC, with milliseconds), for a person: in local time, and
/// as they are where they are no times.
namespace koi::ctl {

/// "2026-01-02 03:04:05 (2h 11m ago)".
std::string since_text(const std::string& since, std::chrono::system_clock::time_point now);

/// "2026-01-02 03:04:05.678".
std::string moment_text(const std::string& moment);

}  // namespace koi::ctl
