#pragma once

#include <cstddef>
#include <new>
#include <sys/mman.h>

namespace koi {

/// std::vector's allocator for large tables that are looked up at random: in the kernel's huge
/// pages where it gives them (transparent_hugepage: always or madvise), for most of these look-ups
/// would miss the TLB. Below one such page as std::allocator.
template <class T>
struct HugePages {
  using value_type = T;
  static constexpr std::size_t kPage = std::size_t{2} << 20;  // bytes

  HugePages() = default;
  template <class U>
  explicit HugePages(const HugePages<U>&) {}

  T* allocate(std::size_t count) {
    const std::size_t bytes = count * sizeof(T);
    if (bytes < kPage) return static_cast<T*>(::operator new(bytes, kSmall));
    const std::size_t whole = (bytes + kPage - 1) / kPage * kPage;
    void* const memory = ::operator new(whole, kLarge);
    madvise(memory, whole, MADV_HUGEPAGE);  // refused: small pages
    return static_cast<T*>(memory);
  }
  void deallocate(T* memory, std::size_t count) noexcept {
    ::operator delete(memory, count * sizeof(T) < kPage ? kSmall : kLarge);
  }

  bool operator==(const HugePages&) const = default;

 private:
  static constexpr std::align_val_t kSmall{alignof(T)};
  static constexpr std::align_val_t kLarge{kPage};
};

}  // namespace koi
