#include "common/huge_pages.h"

#include <cstdint>
#include <numeric>
#include <vector>

#include <gtest/gtest.h>

namespace koi::huge_pages_test {
namespace {

std::vector<std::uint32_t, HugePages<std::uint32_t>> counted(std::size_t bytes) {
  std::vector<std::uint32_t, HugePages<std::uint32_t>> numbers(bytes / sizeof(std::uint32_t));
  std::iota(numbers.begin(), numbers.end(), 1U);
  return numbers;
}

bool begins_a_page(const void* memory) {
  return reinterpret_cast<std::uintptr_t>(memory) % HugePages<std::uint32_t>::kPage == 0;
}

/// A page less four bytes, one, and one and four bytes: all of it can be written, and freed.
TEST(HugePages, FromAPageOnItIsAligned) {
  constexpr std::size_t kPage = HugePages<std::uint32_t>::kPage;
  for (const std::size_t bytes : {std::size_t{4}, kPage - 4, kPage, kPage + 4}) {
    const auto numbers = counted(bytes);
    EXPECT_EQ(numbers.back(), bytes / 4);
    if (bytes >= kPage) {
      EXPECT_TRUE(begins_a_page(numbers.data())) << bytes;
    }
    const auto copy = numbers;
    EXPECT_EQ(copy, numbers);
  }
}

}  // namespace
}  // namespace koi::huge_pages_test
