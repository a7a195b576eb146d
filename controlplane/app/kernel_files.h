#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace koi::app {

/// The number that the text begins with; nothing: there is none.
std::optional<unsigned> number_at_start(std::string_view text);

/// What the kernel shows in files, below a folder that is a machine's root. Errors are as if there
/// was no such file.
class KernelFiles {
 public:
  /// root: empty for the machine's own.
  explicit KernelFiles(std::string root) : root_(std::move(root)) {}

  const std::string& root() const { return root_; }
  /// The first line of it.
  std::optional<std::string> line(const std::string& path) const;
  bool there(const std::string& path) const;
  /// A list of the kernel's: "0-3,8". What is no number is left out.
  std::set<unsigned> list(const std::string& path) const;
  /// The last part of where a link leads; empty: there is none.
  std::string link_name(const std::string& path) const;
  /// What is in a folder, in order.
  std::vector<std::string> names_in(const std::string& path) const;

 private:
  std::string root_;
};

}  // namespace koi::app
