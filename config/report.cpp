#include "config/report.h"

#include <algorithm>
#include <tuple>

#include <fmt/format.h>

#include "config/values.h"

namespace koi::config {
namespace {

void sort_by_place(std::vector<Problem>& problems) {
  std::stable_sort(problems.begin(), problems.end(), [](const Problem& a, const Problem& b) {
    return std::tie(a.line, a.column) < std::tie(b.line, b.column);
  });
}

}  // namespace

std::string Problem::to_string() const {
  std::string out = file;
  if (line > 0) out += fmt::format(":{}:{}", line, column);
  if (!key.empty()) out += fmt::format(": {}", key);
  return out + ": " + text;
}

void Report::error(const std::string& path, std::string text) {
  error_at(find(path), path, std::move(text));
}

void Report::warning(const std::string& path, std::string text) {
  const Mark mark = find(path);
  warnings_.push_back({file_, mark.line, mark.column, path, std::move(text)});
}

void Report::error_at(Mark mark, const std::string& path, std::string text) {
  if (errors_.size() >= kMaxKept) {
    ++not_kept_;
    return;
  }
  errors_.push_back({file_, mark.line, mark.column, path, std::move(text)});
  at_.insert(path);
}

bool Report::clean(const std::string& path) const {
  if (at_.contains(path)) return false;
  for (const char separator : {'.', '['}) {
    const std::string below = path + separator;
    const auto next = at_.lower_bound(below);
    if (next != at_.end() && next->starts_with(below)) return false;
  }
  return true;
}

void Report::finish(Loaded& loaded) && {
  sort_by_place(errors_);
  sort_by_place(warnings_);
  if (not_kept_ > 0) {
    errors_.push_back({file_, 0, 0, "", fmt::format("{} further errors not shown", not_kept_)});
  }
  loaded.errors = std::move(errors_);
  loaded.warnings = std::move(warnings_);
}

Mark Report::find(std::string path) const {
  for (;;) {
    const auto it = places_.find(path);
    if (it != places_.end()) return it->second;
    const auto cut = path.find_last_of(".[");
    if (cut == std::string::npos) break;
    path.resize(cut);
  }
  const auto root = places_.find("");
  return root == places_.end() ? Mark{} : root->second;
}

std::string in_quotes(std::string_view text) {
  constexpr std::size_t kShown = 60;
  std::string out = "\"";
  for (std::size_t i = 0; i < text.size() && i < kShown; ++i) {
    const char c = text[i];
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c >= ' ' && c <= '~') {
      out += c;
    } else {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  return out + (text.size() > kShown ? "...\"" : "\"");
}

std::string path_part(std::string_view key) {
  return is_name(key, 40) ? std::string(key) : in_quotes(key);
}

}  // namespace koi::config
