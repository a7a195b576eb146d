#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "common/net/ip_address.h"

/// The Internet checksum (RFC 1071). Values are host-order integers of the big-endian words, so
/// that a result is stored with put_be16.
namespace koi::wire {

/// The checksum to store: the one's complement of the one's complement sum. An odd last byte counts
/// as the high byte of a word. The checksum field itself must read 0.
std::uint16_t internet_checksum(std::span<const std::byte> bytes);

/// True iff the bytes, their checksum field included, sum to 0 (one's complement).
bool checksum_ok(std::span<const std::byte> bytes);

/// A one's complement sum that is being put together, also of bytes that are not one after the
/// other. Inline, because Neighbor Discovery needs two for every answer.
class ChecksumSum {
 public:
  ChecksumSum() = default;
  /// Starts from a checksum, for an incremental update (RFC 1624, equation 3): then subtract what
  /// goes, add what comes, and take checksum().
  static ChecksumSum of_checksum(std::uint16_t checksum) {
    ChecksumSum s;
    s.add_word(static_cast<std::uint16_t>(~checksum));
    return s;
  }

  /// REQUIRES: an even number of bytes, except the last time.
  void add(std::span<const std::byte> bytes) { add_native(bytes, 0); }
  /// The same bytes' complement. REQUIRES: an even number of bytes.
  void subtract(std::span<const std::byte> bytes) { add_native(bytes, ~std::uint64_t{0}); }
  void add(const ChecksumSum& other) { add_carrying(other.sum_); }
  /// Eight bytes as a word of the machine.
  void add_native(std::uint64_t word) { add_carrying(word); }
  /// A 16-bit word, in host order.
  void add_word(std::uint16_t word) { add_carrying(__builtin_bswap16(word)); }
  void subtract_word(std::uint16_t word) { add_word(static_cast<std::uint16_t>(~word)); }

  /// The sum, folded: 0xffff iff it is that of bytes with a right checksum among them.
  std::uint16_t folded() const {
    // Half and half: the upper half of this sum has the lower half's carry in it.
    const auto half = static_cast<std::uint32_t>((sum_ + std::rotl(sum_, 32)) >> 32);
    const auto sum = static_cast<std::uint16_t>((half + std::rotl(half, 16)) >> 16);
    return __builtin_bswap16(sum);
  }
  std::uint16_t checksum() const { return static_cast<std::uint16_t>(~folded()); }

 private:
  // RFC 1071 §2 (B), (C): the sum of native words, taken as wide as one likes, is the byte-swapped
  // sum of the big-endian ones. flip: all ones to add the complement.
  void add_native(std::span<const std::byte> bytes, std::uint64_t flip) {
    const std::byte* at = bytes.data();
    std::size_t left = bytes.size();
    for (; left >= 8; at += 8, left -= 8) {
      std::uint64_t word;
      std::memcpy(&word, at, sizeof word);
      add_carrying(word ^ flip);
    }
    for (; left >= 2; at += 2, left -= 2) {
      std::uint16_t word;
      std::memcpy(&word, at, sizeof word);
      add_carrying(static_cast<std::uint16_t>(word ^ flip));
    }
    if (left != 0) add_carrying(std::to_integer<std::uint64_t>(*at));
  }

  void add_carrying(std::uint64_t word) {
    sum_ += word;
    sum_ += sum_ < word ? 1 : 0;  // the end-around carry
  }

  std::uint64_t sum_ = 0;
};

/// The pseudo-header of an upper layer over IPv6 (RFC 8200 §8.1): to be added to the message's own
/// sum. length: of the upper layer's message, in bytes. protocol: the last next-header value.
inline ChecksumSum ipv6_pseudo_header(const Ipv6Address& source, const Ipv6Address& destination,
                                      std::uint32_t length, std::uint8_t protocol) {
  ChecksumSum sum;
  sum.add(source.bytes);
  sum.add(destination.bytes);
  sum.add_word(static_cast<std::uint16_t>(length >> 16));
  sum.add_word(static_cast<std::uint16_t>(length & 0xffff));
  sum.add_word(protocol);
  return sum;
}

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
