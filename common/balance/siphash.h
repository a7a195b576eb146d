#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace koi::balance {

/// The two halves of a 16-byte key, little-endian.
struct SipKey {
  std::uint64_t k0 = 0;
  std::uint64_t k1 = 0;
};

/// SipHash-2-4 of the message, 64 bits (Aumasson and Bernstein, "SipHash: a fast short-input PRF",
/// 2012, §2). Without the key nobody can choose messages that meet in one value. Allocates nothing;
/// any thread.
std::uint64_t siphash24(const SipKey& key, std::span<const std::byte> message);

/// The same of up to seven bytes, given as a little-endian word.
std::uint64_t siphash24(const SipKey& key, std::uint64_t word, std::size_t length);

}  // namespace koi::balance
