#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace koi::config {

/// Key bytes. Wiped when destroyed or replaced; never printed, never formatted.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::vector<std::byte> bytes) : bytes_(std::move(bytes)) {}
  Secret(const Secret&) = default;
  Secret(Secret&&) noexcept = default;
  Secret& operator=(const Secret& other);
  Secret& operator=(Secret&& other) noexcept;
  ~Secret();

  /// Valid until the Secret is changed or destroyed.
  std::span<const std::byte> bytes() const { return bytes_; }
  bool empty() const { return bytes_.empty(); }

  /// Takes the same time wherever the bytes differ.
  bool operator==(const Secret& other) const;

 private:
  void wipe();
  std::vector<std::byte> bytes_;
};

}  // namespace koi::config
