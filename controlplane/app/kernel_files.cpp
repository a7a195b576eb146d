#include "controlplane/app/kernel_files.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>

namespace koi::app {

namespace fs = std::filesystem;

std::optional<unsigned> number_at_start(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end == text.data()) return std::nullopt;
  return value;
}

std::optional<std::string> KernelFiles::line(const std::string& path) const {
  std::ifstream file(root_ + path);
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  return line;
}

bool KernelFiles::there(const std::string& path) const {
  std::error_code ignored;
  return fs::exists(root_ + path, ignored);
}

std::set<unsigned> KernelFiles::list(const std::string& path) const {
  const std::string text = line(path).value_or("");
  std::set<unsigned> all;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    const std::string part = text.substr(at, comma - at);
    at = comma + 1;
    const std::size_t dash = part.find('-');
    const auto from = number_at_start(part);
    const auto to = dash == std::string::npos ? from : number_at_start(part.substr(dash + 1));
    if (!from || !to || *to - *from > 65536) continue;
    for (unsigned n = *from; n <= *to; ++n) all.insert(n);
  }
  return all;
}

std::string KernelFiles::link_name(const std::string& path) const {
  std::error_code ignored;
  return fs::read_symlink(root_ + path, ignored).filename();
}

std::vector<std::string> KernelFiles::names_in(const std::string& path) const {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(root_ + path, ignored)) {
    names.push_back(entry.path().filename());
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace koi::app
