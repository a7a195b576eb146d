#pragma once

#include <functional>

#include "common/time.h"

namespace koi::test {

/// A clock that stands still until it is told to move.
class FakeClock final : public Clock {
 public:
  Instant now() override {
    if (before_read) before_read();
    return time;
  }
  void advance(Duration d) { time += d; }

  Instant time{Duration(1s)};
  /// Runs at the start of every reading, for tests in which time passes inside a turn.
  std::function<void()> before_read;
};

}  // namespace koi::test
