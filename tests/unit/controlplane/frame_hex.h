#pragma once

#include <span>
#include <string>

#include "common/contract/messages.h"
#include "tests/unit/common/test_bytes.h"

namespace koi::test {

/// The bytes of a frame as lower-case hex digits.
inline std::string hex(const TransmitFrame& frame) {
  return to_hex(std::span(frame.bytes).first(frame.length));
}

}  // namespace koi::test
