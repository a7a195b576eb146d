#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

/// The Internet checksum (RFC 1071). Values are host-order integers of the big-endian words, so
/// that a result is stored with put_be16.
namespace koi::wire {

/// The checksum to store: the one's complement of the one's complement sum. An odd last byte counts
/// as the high byte of a word. The checksum field itself must read 0.
std::uint16_t internet_checksum(std::span<const std::byte> bytes);

/// True iff the bytes, their checksum field included, sum to 0 (one's complement).
bool checksum_ok(std::span<const std::byte> bytes);

/// RFC 1624, equation 3: the checksum after one 16-bit word changed.
constexpr std::uint16_t checksum_update(std::uint16_t checksum, std::uint16_t old_word,
                                        std::uint16_t new_word) {
  std::uint32_t sum = static_cast<std::uint16_t>(~checksum);
  sum += static_cast<std::uint16_t>(~old_word);
  sum += new_word;
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

}  // namespace koi::wire
