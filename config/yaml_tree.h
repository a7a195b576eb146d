#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/report.h"

namespace koi::config {

/// One value of a YAML document, as it was written: nothing is merged, expanded or converted, and
/// duplicate keys are still there.
struct Tree {
  enum class Kind : std::uint8_t { null, scalar, sequence, map };

  Kind kind = Kind::null;
  bool plain = false;  // scalar without quotes
  Mark mark;
  std::string text;            // of a scalar
  std::vector<Tree> children;  // of a sequence; of a map: key, value, key, value
};

/// Limits on what is parsed, since neither the size nor the shape of the file is trusted.
inline constexpr std::size_t kMaxDepth = 16;
inline constexpr std::size_t kMaxValues = 100'000;
/// The scanner takes a whole [..] or {..} into memory before it gives the first value in it.
inline constexpr std::size_t kMaxRun = 128 * 1024;

/// Parses one document. Anchors, aliases, tags, a second document, and an empty one are errors.
/// Returns nothing iff an error was reported. Does not throw.
std::optional<Tree> parse_yaml(const std::string& text, Report& report);

}  // namespace koi::config
