#pragma once

#include <cstddef>
#include <span>

namespace koi::config {

/// Before the first key is read, once, while there is one thread: from then on the bytes of every
/// Secret are in memory of their own that is locked and left out of core files (OpenSSL's secure
/// heap), and the process leaves no core and lets nobody of its own user look into it
/// (PR_SET_DUMPABLE). Without it, as in tests, Secrets are in ordinary memory.
/// Returns false iff the memory could not be locked (RLIMIT_MEMLOCK); it is used all the same.
bool guard_keys();

/// Key bytes. Wiped when destroyed or replaced; never printed, never formatted. Allocating one
/// throws std::bad_alloc when guard_keys()'s memory is full.
class Secret {
 public:
  Secret() = default;
  /// Copies the bytes; those of the caller are the caller's to wipe.
  explicit Secret(std::span<const std::byte> bytes);
  Secret(const Secret& other) : Secret(other.bytes()) {}
  Secret(Secret&& other) noexcept;
  Secret& operator=(const Secret& other);
  Secret& operator=(Secret&& other) noexcept;
  ~Secret() { wipe(); }

  /// Valid until the Secret is changed or destroyed.
  std::span<const std::byte> bytes() const { return {data_, size_}; }
  bool empty() const { return size_ == 0; }

  /// Takes the same time wherever the bytes differ.
  bool operator==(const Secret& other) const;

 private:
  void wipe();
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace koi::config
