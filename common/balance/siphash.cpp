#include "common/balance/siphash.h"

#include <bit>

namespace koi::balance {
namespace {

struct State {
  std::uint64_t v0, v1, v2, v3;

  void round() {
    v0 += v1;
    v2 += v3;
    v1 = std::rotl(v1, 13) ^ v0;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 = std::rotl(v0, 32);
    v2 += v1;
    v0 += v3;
    v1 = std::rotl(v1, 17) ^ v2;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 = std::rotl(v2, 32);
  }

  /// §2.2: two rounds per word.
  void absorb(std::uint64_t word) {
    v3 ^= word;
    round();
    round();
    v0 ^= word;
  }
};

/// §2.1: "somepseudorandomlygeneratedbytes"
State begin(const SipKey& key) {
  return {key.k0 ^ 0x736f6d6570736575, key.k1 ^ 0x646f72616e646f6d, key.k0 ^ 0x6c7967656e657261,
          key.k1 ^ 0x7465646279746573};
}

/// last: up to seven bytes of a message of that length.
std::uint64_t end(State s, std::uint64_t last, std::size_t length) {
  s.absorb(std::uint64_t{length & 0xff} << 56 | last);
  s.v2 ^= 0xff;  // §2.3: four rounds at the end
  for (int i = 0; i < 4; ++i) s.round();
  return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

/// Up to eight bytes, little-endian.
std::uint64_t word_of(std::span<const std::byte> bytes) {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    word |= std::to_integer<std::uint64_t>(bytes[i]) << (8 * i);
  }
  return word;
}

}  // namespace

std::uint64_t siphash24(const SipKey& key, std::span<const std::byte> message) {
  State s = begin(key);
  const std::size_t length = message.size();
  while (message.size() >= 8) {
    s.absorb(word_of(message.first(8)));
    message = message.subspan(8);
  }
  return end(s, word_of(message), length);
}

std::uint64_t siphash24(const SipKey& key, std::uint64_t word, std::size_t length) {
  return end(begin(key), word, length);
}

}  // namespace koi::balance
