#pragma once

#include <functional>
#include <string>

#include "tools/ctl/reply.h"

namespace koi::agent {

using Log = std::function<void(const std::string& line)>;

/// koid, as the parts of the agent reach it; and whether it is away, which is said once.
class Koid {
 public:
  /// Of one exchange: short, for the other parts wait meanwhile.
  static constexpr Duration kDeadline = 250ms;

  Koid(std::string socket, Log log) : socket_(std::move(socket)), log_(std::move(log)) {}

  const std::string& socket() const { return socket_; }

  /// One exchange.
  ctl::Reply ask(const ctl::Json& request);
  /// Logs a line, and tells koid the event as it is; lost if koid is away.
  void tell(const std::string& line, ctl::Json event);
  void log(const std::string& line) const { log_(line); }

  void is_away(const std::string& why);
  void is_there();
  bool away() const { return away_; }
  /// Grows each time it is there again: it may have forgotten what it was told.
  unsigned returns() const { return returns_; }

 private:
  const std::string socket_;
  const Log log_;
  bool away_ = false;
  unsigned returns_ = 0;
};

}  // namespace koi::agent
