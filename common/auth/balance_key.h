#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "common/auth/hmac_sha1.h"

/// What the balancing hashes take from a group's key (protocol.md §10). Set-up only: OpenSSL
/// allocates in here.
namespace koi::auth {

/// HKDF-SHA256 (RFC 5869) of the key, no salt, info "koi arpbalance v1": the key of SipHash, so
/// that who learns it from the answers learns nothing of the key that signs.
/// Aborts iff OpenSSL has no HKDF: a box with another key would answer for clients of others.
std::array<std::byte, 16> balance_key(std::span<const std::byte> key);

/// OpenBSD's kmd: SHA-1 of ((key XOR 0x36..) || 0x02 || 0x01), key zero padded to 64 bytes.
/// REQUIRES: key.size() <= 64.
Sha1Digest openbsd_balance_digest(std::span<const std::byte> key);

}  // namespace koi::auth
