#pragma once

#include <chrono>

#include "common/time.h"

namespace koi::agent {

inline Instant now_is() {
  return Instant(
      std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()));
}

}  // namespace koi::agent
