#pragma once

#include <cstddef>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "config/config.h"

namespace koi::config {

/// Text as YAML reads it back: plain where that is safe everywhere, else in double quotes.
std::string scalar(std::string_view text);

std::string item(unsigned value);
std::string item(const std::string& text);
std::string item(const IpAddress& address);
std::string item(const InterfaceAddress& address);
std::string item(const Hook& hook);
std::string item(const Member& member);
std::string item(const TrailerKey& key);

template <class T>
std::string list(const std::vector<T>& values) {
  std::string out = "[";
  for (const T& value : values) out += (out.size() > 1 ? ", " : "") + item(value);
  return out + "]";
}

inline std::string_view word(bool on) { return on ? "true" : "false"; }

/// Lines with their indentation.
class Printer {
 public:
  template <class... Args>
  void line(std::size_t indent, fmt::format_string<Args...> form, Args&&... args) {
    out_.append(indent, ' ');
    fmt::format_to(std::back_inserter(out_), form, std::forward<Args>(args)...);
    out_ += '\n';
  }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

void print_group(Printer& out, const Group& group);

}  // namespace koi::config
