#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "common/net/ip_address.h"
#include "common/net/mac_address.h"
#include "common/wire/bytes.h"

namespace koi::wire {

/// Fills a buffer from front to back. Overflow is sticky: what does not fit whole is not written,
/// nor is anything after it, and ok() stays false. Integers are given in host order and written
/// big-endian.
///
/// Not owned: the buffer must outlive the writer. One thread at a time; allocates nothing.
class Writer {
 public:
  explicit Writer(std::span<std::byte> out) : out_(out) {}

  /// True iff everything fitted so far.
  bool ok() const { return ok_; }
  /// Bytes written so far, always from the front of the buffer.
  std::size_t written() const { return written_; }

  void u8(std::uint8_t v) { put(&v, sizeof v); }
  void be16(std::uint16_t v) {
    const std::uint16_t be = __builtin_bswap16(v);
    put(&be, sizeof be);
  }
  void be32(std::uint32_t v) {
    const std::uint32_t be = __builtin_bswap32(v);
    put(&be, sizeof be);
  }
  void be64(std::uint64_t v) {
    const std::uint64_t be = __builtin_bswap64(v);
    put(&be, sizeof be);
  }
  void mac(const MacAddress& m) { put(m.bytes.data(), m.bytes.size()); }
  void ipv4(const Ipv4Address& a) { put(a.bytes.data(), a.bytes.size()); }
  void ipv6(const Ipv6Address& a) { put(a.bytes.data(), a.bytes.size()); }
  void bytes(std::span<const std::byte> b) { put(b.data(), b.size()); }

 private:
  void put(const void* from, std::size_t n) {
    if (!ok_ || n > out_.size() - written_) {
      ok_ = false;
      return;
    }
    if (n != 0) std::memcpy(out_.data() + written_, from, n);
    written_ += n;
  }

  std::span<std::byte> out_;
  std::size_t written_ = 0;
  bool ok_ = true;
};

}  // namespace koi::wire
