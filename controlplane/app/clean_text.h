#pragma once

#include <algorithm>
#include <cstddef>
#include <string>

namespace koi::app {

inline bool is_printable(char c) { return c >= ' ' && c <= '~'; }

/// Text of another process for a log or a terminal: printable ASCII, no more than `longest` bytes.
inline std::string cleaned(std::string text, std::size_t longest = 200) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return !is_printable(c); }, '?');
  if (text.size() > longest) text.resize(longest);
  return text;
}

}  // namespace koi::app
