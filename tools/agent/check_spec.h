#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/net/ip_address.h"
#include "common/time.h"
#include "tools/ctl/reply.h"

namespace koi::agent {

/// One health check as koid hands it out (config::Track, but for kind port, which koid watches
/// itself).
struct CheckSpec {
  enum class Kind : std::uint8_t { ping, tcp, script };
  std::string name;
  Kind kind = Kind::ping;
  IpAddress address;       // kinds ping and tcp
  std::uint16_t port = 0;  // kind tcp
  std::string program;     // kind script: absolute path
  Duration interval = 1s;  // from the start of one run to that of the next; at least 10 ms
  Duration timeout = 1s;   // at least 1 ms
  std::uint8_t rise = 1;   // at least 1, as fall
  std::uint8_t fall = 1;

  bool operator==(const CheckSpec&) const = default;
};

/// A check and what koid thinks of it now.
struct ListedCheck {
  CheckSpec spec;
  bool healthy = true;
};

/// Reads koid's reply to {"command":"checks"}. One that this agent does not understand is left out
/// and named in `problems`: koid will count it as failed, which is what not checking it means.
std::vector<ListedCheck> parse_checks(const ctl::Json& reply, std::vector<std::string>& problems);

}  // namespace koi::agent
