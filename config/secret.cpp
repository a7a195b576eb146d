#include "config/secret.h"

#include <algorithm>
#include <new>
#include <sys/prctl.h>
#include <utility>

#include <openssl/crypto.h>

namespace koi::config {
namespace {

constexpr std::size_t kArena = 1 << 20;   // bytes; 16,384 keys of the longest kind
constexpr std::size_t kSmallestKey = 32;  // what one takes at least; a power of two

}  // namespace

bool guard_keys() {
  prctl(PR_SET_DUMPABLE, 0);
  // 1: locked and secured; 2: usable, but a step of that failed.
  return CRYPTO_secure_malloc_init(kArena, kSmallestKey) == 1;
}

Secret::Secret(std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  data_ = static_cast<std::byte*>(OPENSSL_secure_malloc(bytes.size()));
  if (data_ == nullptr) throw std::bad_alloc();
  std::copy(bytes.begin(), bytes.end(), data_);
  size_ = bytes.size();
}

Secret::Secret(Secret&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

Secret& Secret::operator=(const Secret& other) {
  if (this != &other) *this = Secret(other);
  return *this;
}

Secret& Secret::operator=(Secret&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  if (this != &other) other.wipe();
  return *this;
}

bool Secret::operator==(const Secret& other) const {
  return size_ == other.size_ && (size_ == 0 || CRYPTO_memcmp(data_, other.data_, size_) == 0);
}

void Secret::wipe() {
  OPENSSL_secure_clear_free(data_, size_);
  data_ = nullptr;
  size_ = 0;
}

}  // namespace koi::config
