#include "tools/agent/script_probe.h"

#include <csignal>
#include <poll.h>
#include <utility>

#include <fmt/format.h>

namespace koi::agent {

std::optional<Verdict> ScriptProbe::start() {
  std::string why = process_.start(program_, {"KOI_CHECK=" + name_}, Process::Output::nowhere);
  if (why.empty()) return std::nullopt;
  return Verdict{false, std::move(why)};
}

short ScriptProbe::events() const { return POLLIN; }

std::optional<Verdict> ScriptProbe::ready() {
  const int status = process_.end();
  if (std::exchange(given_up_, false)) return std::nullopt;
  if (status == 0) return Verdict{true, {}};
  return Verdict{false, outcome_of(status)};
}

Verdict ScriptProbe::give_up() {
  process_.signal(SIGKILL);
  given_up_ = true;
  return {false,
          fmt::format("not done within {} s", std::chrono::duration<double>(timeout_).count())};
}

}  // namespace koi::agent
