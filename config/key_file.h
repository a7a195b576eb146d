#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "common/result.h"
#include "config/secret.h"

namespace koi::config {

inline constexpr std::size_t kMaxPassphrase = 19;  // the BSDs cut longer ones in silence
inline constexpr std::size_t kHexKeyBytes = 20;
inline constexpr std::size_t kMaxHashKey = 64;
inline constexpr std::size_t kWeakBelow = 8;
inline constexpr std::size_t kMinTrailerKey = 32;
inline constexpr std::size_t kMaxTrailerKey = 64;

/// What a key is for: CARP's own HMAC (and OpenBSD's balancing hash, which is keyed by the same
/// kind of key), the hash `siphash` of a balanced group, whose key is derived from any bytes, or
/// the signed trailer.
enum class KeyUse : std::uint8_t { carp, siphash, trailer };

/// Returns the key in a key file: a passphrase of 1..19 bytes, one newline at its end ignored, or
/// `hex:` and 40 hex digits; with KeyUse::siphash 1..64 bytes, or `hex:` and twice as many digits;
/// with KeyUse::trailer 32..64 bytes, whatever they are, or `hex:` and twice as many digits; a
/// newline is ignored there only where 32 bytes are left, for it may be one of them.
/// The file must be a regular one (no link is followed), belong to root or to the caller's user,
/// and give group and others no permission. Keys that are easily guessed (shorter than 8 bytes, one
/// byte repeated, well known) need allow_weak_key.
///
/// The error names neither the path nor a byte of the key. Never blocks on a FIFO or a device.
Result<Secret> read_key_file(const std::string& path, bool allow_weak_key,
                             KeyUse use = KeyUse::carp);

}  // namespace koi::config
