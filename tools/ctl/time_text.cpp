#include "tools/ctl/time_text.h"

#include <cstdio>
#include <ctime>
#include <optional>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "tools/ctl/page.h"

namespace koi::ctl {
namespace {

using std::chrono::system_clock;

/// RFC 3339 UTC, whole seconds: what koid writes. Nothing iff it is written otherwise.
std::optional<std::time_t> parse_utc(const std::string& s) {
  std::tm t{};
  if (std::sscanf(s.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d", &t.tm_year, &t.tm_mon, &t.tm_mday,
                  &t.tm_hour, &t.tm_min, &t.tm_sec) != 6 ||
      !s.ends_with('Z')) {
    return std::nullopt;
  }
  t.tm_year -= 1900;
  t.tm_mon -= 1;
  return ::timegm(&t);
}

}  // namespace

std::string since_text(const std::string& since, system_clock::time_point now) {
  const std::optional<std::time_t> at = parse_utc(since);
  std::tm local{};
  if (!at || ::localtime_r(&*at, &local) == nullptr) return since;
  const double seconds =
      std::chrono::duration<double>(now - system_clock::from_time_t(*at)).count();
  if (seconds < 0) return fmt::format("{:%Y-%m-%d %H:%M:%S}", local);
  return fmt::format("{:%Y-%m-%d %H:%M:%S} ({} ago)", local, age(seconds));
}

std::string moment_text(const std::string& moment) {
  const std::optional<std::time_t> at = parse_utc(moment);
  std::tm local{};
  if (!at || ::localtime_r(&*at, &local) == nullptr) return moment;
  const std::size_t point = moment.find('.');
  const std::string part =
      point == std::string::npos ? "" : moment.substr(point, moment.size() - 1 - point);
  return fmt::format("{:%Y-%m-%d %H:%M:%S}{}", local, part);
}

}  // namespace koi::ctl
