#pragma once

#include <poll.h>
#include <span>
#include <vector>

#include "common/time.h"

namespace koi::agent {

/// A part of what the agent's one thread does. Nothing in it blocks but, for a moment, an exchange
/// with koid or with the kernel.
class Part {
 public:
  virtual ~Part() = default;

  /// Does what is due.
  virtual void tick(Instant now) = 0;
  /// When tick() has work even if nothing becomes ready.
  virtual Instant next() const = 0;
  /// Adds what to poll.
  virtual void add_to(std::vector<pollfd>& fds) const = 0;
  /// What it added, as poll() left it. tick() follows.
  virtual void ready(std::span<const pollfd> fds) = 0;
};

}  // namespace koi::agent
