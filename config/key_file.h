#pragma once

#include <cstddef>
#include <string>

#include "common/result.h"
#include "config/secret.h"

namespace koi::config {

inline constexpr std::size_t kMaxPassphrase = 19;  // the BSDs cut longer ones in silence
inline constexpr std::size_t kHexKeyBytes = 20;
inline constexpr std::size_t kWeakBelow = 8;

/// Returns the key in a key file: a passphrase of 1..19 bytes, one newline at its end ignored, or
/// `hex:` and 40 hex digits. The file must be a regular one (no link is followed), belong to root
/// or to the caller's user, and give group and others no permission. Keys that are easily guessed
/// (shorter than 8 bytes, one byte repeated, well known) need allow_weak_key.
///
/// The error names neither the path nor a byte of the key. Never blocks on a FIFO or a device.
Result<Secret> read_key_file(const std::string& path, bool allow_weak_key);

}  // namespace koi::config
