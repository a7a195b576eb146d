#include "common/wire/checksum.h"

#include <bit>

namespace koi::wire {
namespace {

// bytes.h and the odd byte of a sum both rely on it.
static_assert(std::endian::native == std::endian::little);

std::uint16_t ones_complement_sum(std::span<const std::byte> bytes) {
  ChecksumSum sum;
  sum.add(bytes);
  return sum.folded();
}

}  // namespace

std::uint16_t internet_checksum(std::span<const std::byte> bytes) {
  return static_cast<std::uint16_t>(~ones_complement_sum(bytes));
}

bool checksum_ok(std::span<const std::byte> bytes) { return ones_complement_sum(bytes) == 0xffff; }

}  // namespace koi::wire
