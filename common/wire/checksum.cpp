#include "common/wire/checksum.h"

#include <bit>
#include <cstring>

namespace koi::wire {
namespace {

// bytes.h and the odd byte below both rely on it.
static_assert(std::endian::native == std::endian::little);

// RFC 1071 §2 (B), (C): the sum of native words, taken as wide as one likes, is the byte-swapped
// sum of the big-endian ones.
std::uint16_t ones_complement_sum(std::span<const std::byte> bytes) {
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  std::uint64_t sum = 0;
  for (; left >= 4; at += 4, left -= 4) {
    std::uint32_t word;
    std::memcpy(&word, at, sizeof word);
    sum += word;
  }
  if (left >= 2) {
    std::uint16_t word;
    std::memcpy(&word, at, sizeof word);
    sum += word;
    at += 2;
    left -= 2;
  }
  if (left != 0) sum += std::to_integer<std::uint64_t>(*at);

  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return __builtin_bswap16(static_cast<std::uint16_t>(sum));
}

}  // namespace

std::uint16_t internet_checksum(std::span<const std::byte> bytes) {
  return static_cast<std::uint16_t>(~ones_complement_sum(bytes));
}

bool checksum_ok(std::span<const std::byte> bytes) { return ones_complement_sum(bytes) == 0xffff; }

}  // namespace koi::wire
