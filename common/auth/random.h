#pragma once

#include <cstddef>
#include <span>

namespace koi::auth {

/// Fills it with bytes that make keys (OpenSSL's private generator, seeded by the kernel). Aborts
/// iff there are none: a guessed key is worse than no program.
void random_bytes(std::span<std::byte> out);

}  // namespace koi::auth
