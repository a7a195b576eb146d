#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// koid's log: standard error, or the journal where standard error leads there.
namespace koi::app {

/// Log lines go through a thread of their own: a slow terminal or journal stops nobody.
void start_log();

/// Fields of an entry, by name: upper case, as journald has them.
using LogFields = std::vector<std::pair<std::string_view, std::string>>;

/// Logs a line that programs read too, level info. In the journal each field is one; on standard
/// error they follow the text as NAME=value, in quotes where there are spaces. Any thread but a
/// worker. REQUIRES: values have no control characters.
void log_with_fields(const std::string& text, const LogFields& fields);

/// True iff `stream`, the environment's JOURNAL_STREAM (may be null), names the file that `fd` is:
/// then systemd has connected it to the journal (systemd.exec(5)).
bool leads_to_journal(const char* stream, int fd);

}  // namespace koi::app
