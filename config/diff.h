#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"

namespace koi::config {

/// What a change asks of a running koid.
enum class Effect : std::uint8_t {
  live,      // takes effect at once: roles, timers and leases stay
  starts,    // a group that is new
  ends,      // a group that is gone: it steps down (L10)
  restarts,  // a group that steps down and starts anew, for it is another one on the wire
  refused    // only another start of koid can do it
};

/// One key with another value, or one group or port that has come or gone.
struct Change {
  std::string key;   // "groups.lan-gateway.advskew"; of a whole group "groups.lan-gateway"
  std::string from;  // as print() shows it, so that no secret appears; empty: was not there
  std::string to;    // empty: is not there any more
  Effect effect = Effect::refused;
  std::string group{};           // that it is about; empty: of no single one
  bool role_may_change = false;  // of the group, or of one that is tied to it
  std::string note{};            // what a person should know besides; may be empty
};

/// What is different, in the order of the file as print() has it; what has gone comes last. A key
/// that no rule names is refused. The order of groups does not count, that of ports does. Both
/// configurations are valid. Any thread.
std::vector<Change> diff(const Config& running, const Config& wanted);

/// "live", "starts", "ends", "restarts", "needs a restart of koid".
std::string_view to_string(Effect effect);

}  // namespace koi::config
