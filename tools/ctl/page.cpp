#include "tools/ctl/page.h"

#include <algorithm>
#include <charconv>
#include <cstdint>

#include <fmt/format.h>

namespace koi::ctl {
namespace {

bool continues_utf8(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; }

}  // namespace

std::string printable(std::string_view text) {
  std::string result(text);
  std::ranges::replace_if(
      result, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }, '?');
  return result;
}

std::vector<std::string> wrap(std::string_view raw, std::size_t columns) {
  const std::string clean = printable(raw);
  std::string_view rest = clean;
  std::vector<std::string> lines;
  std::string line;
  while (!rest.empty()) {
    std::string_view word = rest.substr(0, rest.find(' '));
    rest.remove_prefix(std::min(word.size() + 1, rest.size()));
    if (!line.empty() && line.size() + 1 + word.size() > columns) {
      lines.push_back(std::move(line));
      line.clear();
    }
    while (word.size() > columns) {
      std::size_t cut = columns;
      while (cut > columns - 3 && continues_utf8(word[cut])) --cut;
      lines.emplace_back(word.substr(0, cut));
      word.remove_prefix(cut);
    }
    if (!line.empty()) line += ' ';
    line += word;
  }
  if (!line.empty() || lines.empty()) lines.push_back(std::move(line));
  return lines;
}

std::string age(double seconds) {
  constexpr double kLongest = 1e15;
  const auto s = static_cast<std::int64_t>(std::clamp(seconds, 0.0, kLongest));
  if (s < 60) return fmt::format("{}s", s);
  if (s < 3600) return fmt::format("{}m {}s", s / 60, s % 60);
  if (s < 86400) return fmt::format("{}h {}m", s / 3600, s / 60 % 60);
  return fmt::format("{}d {}h", s / 86400, s / 3600 % 24);
}

std::optional<double> parse_span(std::string_view text) {
  constexpr double kLongest = 10.0 * 365 * 86400;
  double value = 0;
  const auto [rest, error] =
      std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (error != std::errc()) return std::nullopt;
  const std::string_view unit = text.substr(static_cast<std::size_t>(rest - text.data()));
  double factor = 0;
  if (unit.empty() || unit == "s") factor = 1;
  if (unit == "ms") factor = 1e-3;
  if (unit == "m") factor = 60;
  if (unit == "h") factor = 3600;
  if (unit == "d") factor = 86400;
  const double seconds = value * factor;
  // The comparison is false for what is no number.
  return seconds > 0 && seconds <= kLongest ? std::optional(seconds) : std::nullopt;
}

std::string short_time(double seconds) {
  if (seconds >= 1) return fmt::format("{:.2f} s", seconds);
  if (seconds >= 1e-3) return fmt::format("{:.2f} ms", seconds * 1e3);
  return fmt::format("{:.0f} us", seconds * 1e6);
}

void Page::add(std::string_view label, std::string_view text, Colour colour, bool whole) {
  std::string margin = printable(label.substr(0, margin_ - 1));
  std::size_t used = margin.size();
  margin = paint(std::move(margin), colour);
  for (std::string& line : wrap(text, kColumns - margin_)) {
    text_ += margin;
    text_.append(margin_ - used, ' ');
    text_ += paint(std::move(line), whole ? colour : Colour::none);
    text_ += '\n';
    margin.clear();
    used = 0;
  }
}

std::string Page::paint(std::string text, Colour colour) const {
  if (!colours_ || colour == Colour::none || text.empty()) return text;
  const char* code = colour == Colour::green ? "32" : colour == Colour::yellow ? "33" : "1;31";
  return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}

}  // namespace koi::ctl
