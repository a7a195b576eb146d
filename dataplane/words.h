#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <smmintrin.h>

/// Words of a frame, wherever they lie in it, in the machine's byte order.
namespace koi::dataplane {

inline std::uint16_t load16(const std::byte* from) {
  std::uint16_t word;
  std::memcpy(&word, from, sizeof word);
  return word;
}
inline std::uint32_t load32(const std::byte* from) {
  std::uint32_t word;
  std::memcpy(&word, from, sizeof word);
  return word;
}
inline std::uint64_t load64(const std::byte* from) {
  std::uint64_t word;
  std::memcpy(&word, from, sizeof word);
  return word;
}
inline __m128i load128(const std::byte* from) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
}
/// REQUIRES: from is a multiple of 16.
inline __m128i load_aligned(const std::byte* from) {
  return _mm_load_si128(reinterpret_cast<const __m128i*>(from));
}

template <class Word>
void store(std::byte* to, Word word) {
  std::memcpy(to, &word, sizeof word);
}
inline void store(std::byte* to, __m128i word) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), word);
}

/// For a shuffle they say where each byte comes from, 0xff for none.
inline __m128i two_words(std::uint64_t low, std::uint64_t high) {
  return _mm_set_epi64x(static_cast<long long>(high), static_cast<long long>(low));
}

}  // namespace koi::dataplane
