#include "tools/agent/check_spec.h"

#include <algorithm>
#include <chrono>

#include <fmt/format.h>

namespace koi::agent {
namespace {

using ctl::Json;

constexpr double kLongestInterval = 86400;  // seconds

std::optional<Duration> duration(const Json& check, const char* key, Duration least) {
  const auto value = ctl::number(check, key);
  if (!value || !(*value > 0) || *value > kLongestInterval) return std::nullopt;
  const auto span = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(*value));
  return std::max(span, least);
}

/// A whole number of 1..most.
std::optional<std::uint16_t> count(const Json& check, const char* key, double most) {
  const auto value = ctl::number(check, key);
  if (!value || *value < 1 || *value > most) return std::nullopt;
  return static_cast<std::uint16_t>(*value);
}

/// Fills in what belongs to the kind. Returns false iff something is missing.
bool read_target(const Json& check, CheckSpec& spec) {
  const std::string kind = ctl::text(check, "kind", "");
  if (kind == "script") {
    spec.kind = CheckSpec::Kind::script;
    spec.program = ctl::text(check, "program", "");
    return spec.program.starts_with('/') && spec.program.find('\0') == std::string::npos;
  }
  if (kind != "ping" && kind != "tcp") return false;
  const auto address = IpAddress::parse(ctl::text(check, "address", ""));
  if (!address) return false;
  spec.address = *address;
  if (kind == "ping") return true;
  spec.kind = CheckSpec::Kind::tcp;
  const auto port = count(check, "port", 65535);
  if (!port) return false;
  spec.port = *port;
  return true;
}

}  // namespace

std::vector<ListedCheck> parse_checks(const Json& reply, std::vector<std::string>& problems) {
  std::vector<ListedCheck> checks;
  for (const Json& check : ctl::list(reply, "checks")) {
    ListedCheck listed;
    CheckSpec& spec = listed.spec;
    spec.name = ctl::text(check, "name", "");
    const auto interval = duration(check, "interval", 10ms);
    const auto timeout = duration(check, "timeout", 1ms);
    const auto rise = count(check, "rise", 255);
    const auto fall = count(check, "fall", 255);
    if (spec.name.empty() || !interval || !timeout || !rise || !fall || !read_target(check, spec)) {
      problems.push_back(fmt::format("check \"{}\": not understood, left out", spec.name));
      continue;
    }
    spec.interval = *interval;
    spec.timeout = *timeout;
    spec.rise = static_cast<std::uint8_t>(*rise);
    spec.fall = static_cast<std::uint8_t>(*fall);
    listed.healthy = ctl::truth(check, "healthy");
    checks.push_back(std::move(listed));
  }
  return checks;
}

}  // namespace koi::agent
