#pragma once

#include <optional>
#include <string>

#include "config/report.h"

namespace koi::config {

/// Returns the text of the configuration file: at most kMaxFileBytes, UTF-8 without byte order
/// mark, no control characters but tab and line ends. Anything else goes to the report with line
/// and column, and nothing is returned.
std::optional<std::string> read_source(const std::string& path, Report& report);

/// The part of read_source() that needs no file. Returns true iff the text is acceptable.
bool check_source(const std::string& text, Report& report);

}  // namespace koi::config
