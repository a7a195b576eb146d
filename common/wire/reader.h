#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "common/net/ip_address.h"
#include "common/net/mac_address.h"
#include "common/wire/bytes.h"

namespace koi::wire {

/// Consumes bytes of unknown length from front to back. Failure is sticky: a read past the end
/// returns zero, leaves nothing to read, and from then on every read fails. So a parser reads all
/// it wants and asks ok() once. Integers are big-endian on the wire and in host order here.
///
/// Not owned: the bytes must outlive the reader. One thread at a time; allocates nothing.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : left_(bytes) {}

  /// True iff nothing was read or skipped past the end so far.
  bool ok() const { return ok_; }
  /// Bytes not consumed yet; 0 after a failure.
  std::size_t remaining() const { return left_.size(); }

  std::uint8_t u8() {
    const auto b = take(1);
    return b.empty() ? std::uint8_t{0} : get_u8(b, 0);
  }
  std::uint16_t be16() {
    const auto b = take(2);
    return b.empty() ? std::uint16_t{0} : get_be16(b, 0);
  }
  std::uint32_t be32() {
    const auto b = take(4);
    return b.empty() ? std::uint32_t{0} : get_be32(b, 0);
  }
  std::uint64_t be64() {
    const auto b = take(8);
    if (b.empty()) return 0;
    return (std::uint64_t{get_be32(b, 0)} << 32) | get_be32(b, 4);
  }
  MacAddress mac() { return {bytes<6>()}; }
  Ipv4Address ipv4() { return {bytes<4>()}; }
  Ipv6Address ipv6() { return {bytes<16>()}; }

  /// The next N bytes as they are; all zero on failure.
  template <std::size_t N>
  std::array<std::byte, N> bytes() {
    std::array<std::byte, N> out{};
    const auto b = take(N);
    if (!b.empty()) std::memcpy(out.data(), b.data(), N);
    return out;
  }

  /// Passes over n bytes; fails iff fewer remain.
  void skip(std::size_t n) { take(n); }

 private:
  // The next n bytes, or none and the failed state.
  std::span<const std::byte> take(std::size_t n) {
    if (n > left_.size()) {
      ok_ = false;
      left_ = {};
      return {};
    }
    const auto taken = left_.first(n);
    left_ = left_.subspan(n);
    return taken;
  }

  std::span<const std::byte> left_;
  bool ok_ = true;
};

}  // namespace koi::wire
