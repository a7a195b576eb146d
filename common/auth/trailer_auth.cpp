#include "common/auth/trailer_auth.h"

#include <algorithm>
#include <array>
#include <cassert>

#include <openssl/crypto.h>

#include "common/wire/writer.h"

namespace koi::auth {
namespace {

constexpr std::size_t kChecksumAt = 6;  // in CARP's header as in VRRP's
constexpr std::size_t kChecksumLength = 2;
constexpr std::size_t kPseudoHeader = 20;

// protocol.md §14: family 4 or 6, protocol version, vhid, 0, the sender's address in 16 bytes
std::array<std::byte, kPseudoHeader> pseudo_header(const TrailerSubject& subject) {
  std::array<std::byte, kPseudoHeader> bytes{};
  wire::Writer w(bytes);
  w.u8(subject.source.is_v4() ? 4 : 6);
  w.u8(subject.protocol_version);
  w.u8(subject.vhid.value());
  w.u8(0);
  if (subject.source.is_v4()) {
    w.ipv4(subject.source.v4());
  } else {
    w.ipv6(subject.source.v6());
  }
  return bytes;
}

}  // namespace

TrailerAuth::TrailerAuth(std::span<const std::byte> key) : prepared_(key) {
  assert(key.size() >= kMinKey && key.size() <= kMaxKey);
}

void TrailerAuth::sign(const TrailerSubject& subject, wire::Trailer& trailer) const {
  trailer.mac = mac_of(subject, trailer);
}

bool TrailerAuth::verify(const TrailerSubject& subject, const wire::Trailer& trailer) const {
  const wire::TrailerMac expected = mac_of(subject, trailer);
  return CRYPTO_memcmp(expected.data(), trailer.mac.data(), expected.size()) == 0;
}

wire::TrailerMac TrailerAuth::mac_of(const TrailerSubject& subject,
                                     const wire::Trailer& trailer) const {
  static constexpr std::array<std::byte, wire::kTrailerMacLength> kZeros{};
  std::array<std::byte, wire::kTrailerLength> unsigned_one;
  wire::Trailer without = trailer;
  without.mac = kZeros;  // protocol.md §14: trailer bytes 0-11, then 16 zero bytes
  wire::write_trailer(without, unsigned_one);
  const auto pseudo = pseudo_header(subject);
  const Sha256Digest digest = prepared_.finish(
      {pseudo, subject.pdu.first(kChecksumAt), std::span(kZeros).first<kChecksumLength>(),
       subject.pdu.subspan(kChecksumAt + kChecksumLength), unsigned_one});
  wire::TrailerMac mac;
  std::copy_n(digest.begin(), mac.size(), mac.begin());
  return mac;
}

}  // namespace koi::auth
