#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "common/net/ip_address.h"
#include "common/net/mac_address.h"

/// Big-endian loads and stores at a fixed offset of a span that the caller has already measured.
/// For input of unknown length use Reader.
namespace koi::wire {

inline std::uint8_t get_u8(std::span<const std::byte> b, std::size_t at) {
  return std::to_integer<std::uint8_t>(b[at]);
}
inline std::uint16_t get_be16(std::span<const std::byte> b, std::size_t at) {
  std::uint16_t v;
  std::memcpy(&v, b.data() + at, sizeof v);
  return __builtin_bswap16(v);
}
inline std::uint32_t get_be32(std::span<const std::byte> b, std::size_t at) {
  std::uint32_t v;
  std::memcpy(&v, b.data() + at, sizeof v);
  return __builtin_bswap32(v);
}
inline MacAddress get_mac(std::span<const std::byte> b, std::size_t at) {
  MacAddress m;
  std::memcpy(m.bytes.data(), b.data() + at, 6);
  return m;
}
/// The same where the address lies already: a returned one is copied twice more (GCC 12).
inline void get_mac(std::span<const std::byte> b, std::size_t at, MacAddress& into) {
  std::memcpy(into.bytes.data(), b.data() + at, 6);
}
inline Ipv4Address get_ipv4(std::span<const std::byte> b, std::size_t at) {
  Ipv4Address a;
  std::memcpy(a.bytes.data(), b.data() + at, 4);
  return a;
}
inline Ipv6Address get_ipv6(std::span<const std::byte> b, std::size_t at) {
  Ipv6Address a;
  std::memcpy(a.bytes.data(), b.data() + at, 16);
  return a;
}
inline void put_be16(std::span<std::byte> b, std::size_t at, std::uint16_t v) {
  const std::uint16_t be = __builtin_bswap16(v);
  std::memcpy(b.data() + at, &be, sizeof be);
}
inline void put_be32(std::span<std::byte> b, std::size_t at, std::uint32_t v) {
  const std::uint32_t be = __builtin_bswap32(v);
  std::memcpy(b.data() + at, &be, sizeof be);
}
inline void put_mac(std::span<std::byte> b, std::size_t at, const MacAddress& m) {
  std::memcpy(b.data() + at, m.bytes.data(), 6);
}
inline void put_ipv4(std::span<std::byte> b, std::size_t at, const Ipv4Address& a) {
  std::memcpy(b.data() + at, a.bytes.data(), 4);
}

inline void put_ipv6(std::span<std::byte> b, std::size_t at, const Ipv6Address& a) {
  std::memcpy(b.data() + at, a.bytes.data(), 16);
}

}  // namespace koi::wire
