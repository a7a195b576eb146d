#include "config/secret.h"

#include <cstring>

namespace koi::config {

Secret& Secret::operator=(const Secret& other) {
  if (this != &other) {
    // Wiped first: assign() may leave the old bytes in memory that the vector gives back.
    wipe();
    bytes_ = other.bytes_;
  }
  return *this;
}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this != &other) {
    wipe();
    bytes_ = std::move(other.bytes_);
    other.bytes_.clear();
  }
  return *this;
}

Secret::~Secret() { wipe(); }

bool Secret::operator==(const Secret& other) const {
  if (bytes_.size() != other.bytes_.size()) return false;
  auto difference = std::byte{0};
  for (std::size_t i = 0; i < bytes_.size(); ++i) difference |= bytes_[i] ^ other.bytes_[i];
  return difference == std::byte{0};
}

void Secret::wipe() {
  // explicit_bzero is not optimised away, which a plain memset before a free would be.
  if (!bytes_.empty()) explicit_bzero(bytes_.data(), bytes_.size());
  bytes_.clear();
}

}  // namespace koi::config
