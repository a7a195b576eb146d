#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/drop_reason.h"
#include "common/wire/bytes.h"

/// Bytes for the tests of the codecs.
namespace koi::test {

using Bytes = std::vector<std::byte>;

/// REQUIRES: hex digits, an even number; blanks between bytes are passed over.
inline Bytes from_hex(std::string_view text) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  Bytes bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    if (text[i] == ' ') ++i;
    bytes.push_back(static_cast<std::byte>(digit(text[i]) * 16 + digit(text[i + 1])));
  }
  return bytes;
}

inline std::string to_hex(std::span<const std::byte> bytes) {
  std::string text;
  for (const std::byte b : bytes) {
    text += "0123456789abcdef"[std::to_integer<unsigned>(b) >> 4];
    text += "0123456789abcdef"[std::to_integer<unsigned>(b) & 15];
  }
  return text;
}

inline Bytes from_text(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

/// The first n bytes in memory of their own, so that a sanitizer sees one read past them.
inline Bytes prefix(std::span<const std::byte> bytes, std::size_t n) {
  const auto first = bytes.first(n);
  return {first.begin(), first.end()};
}

inline Bytes random_bytes(std::mt19937& random, std::size_t n) {
  Bytes bytes(n);
  for (std::byte& b : bytes) b = static_cast<std::byte>(random());
  return bytes;
}

/// "ok", or the label of the reason why not.
template <class T>
std::string verdict(const Parsed<T>& parsed) {
  return parsed.ok() ? "ok" : std::string(to_string(parsed.reason()));
}

/// RFC 1071 §1 taken literally, one byte at a time: the tests' own opinion of a checksum.
inline std::uint16_t plain_checksum(std::span<const std::byte> bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const auto b = std::to_integer<std::uint32_t>(bytes[i]);
    sum += i % 2 == 0 ? b << 8 : b;
    if (sum > 0xffff) sum -= 0xffff;
  }
  return static_cast<std::uint16_t>(~sum);
}

/// Computes the checksum at an offset afresh, over the first length bytes.
inline void set_checksum(Bytes& bytes, std::size_t at, std::size_t length) {
  wire::put_be16(bytes, at, 0);
  wire::put_be16(bytes, at, plain_checksum(std::span(bytes).first(length)));
}

}  // namespace koi::test
