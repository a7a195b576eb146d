#include "common/balance/balancer.h"

#include <algorithm>
#include <cassert>

#include "common/auth/balance_key.h"

namespace koi::balance {
namespace {

/// Four bytes, little-endian.
std::uint32_t le32(std::span<const std::byte> bytes) {
  return std::to_integer<std::uint32_t>(bytes[0]) |
         (std::to_integer<std::uint32_t>(bytes[1]) << 8) |
         (std::to_integer<std::uint32_t>(bytes[2]) << 16) |
         (std::to_integer<std::uint32_t>(bytes[3]) << 24);
}

std::uint64_t le64(std::span<const std::byte> bytes) {
  return le32(bytes) | (std::uint64_t{le32(bytes.subspan(4))} << 32);
}

bool is_zero(const IpAddress& address) {
  return address == IpAddress(Ipv4Address{}) || address == IpAddress(Ipv6Address{});
}

}  // namespace

Balancer Balancer::openbsd(std::span<const std::byte> key, unsigned members) {
  assert(members >= 1 && members <= kMaxMembers);
  Balancer balancer(Hash::openbsd, members);
  // protocol.md §10: hk0 = kmd[0]^kmd[1], hk1 = kmd[2]^kmd[3]; the key's first bytes go to c
  const auth::Sha1Digest kmd = auth::openbsd_balance_digest(key);
  const std::span<const std::byte> words(kmd);
  std::array<std::byte, 4> first{};
  std::copy_n(key.begin(), std::min(key.size(), first.size()), first.begin());
  balancer.b_ = le32(words) ^ le32(words.subspan(4));
  balancer.c_ = (le32(words.subspan(8)) ^ le32(words.subspan(12))) + le32(first);
  return balancer;
}

Balancer Balancer::freebsd(unsigned members) {
  assert(members >= 1 && members <= kMaxMembers);
  return {Hash::freebsd, members};
}

Balancer Balancer::siphash(std::span<const std::byte, 16> key, By by, unsigned members) {
  assert(members >= 1 && members <= kMaxMembers);
  Balancer balancer(Hash::siphash, members);
  balancer.by_ = by;
  balancer.sip_ = SipKey{le64(key.first(8)), le64(key.subspan(8))};
  return balancer;
}

std::uint32_t Balancer::openbsd_hash(const MacAddress& mac) const {
  const auto& src = mac.bytes;
  std::uint32_t a = 0x9e3779b9 + le32(src);
  std::uint32_t b =
      b_ + (std::to_integer<std::uint32_t>(src[5]) << 8) + std::to_integer<std::uint32_t>(src[4]);
  std::uint32_t c = c_;
  const auto mix = [&](unsigned first, unsigned second, unsigned third) {
    a -= b;
    a -= c;
    a ^= c >> first;
    b -= c;
    b -= a;
    b ^= a << second;
    c -= a;
    c -= b;
    c ^= b >> third;
  };
  mix(13, 8, 13);
  mix(12, 16, 5);
  mix(3, 10, 15);
  return c;
}

std::optional<unsigned> Balancer::member_for(const Asker& asker) const {
  switch (hash_) {
    case Hash::openbsd:
      if (!asker.link_layer) return std::nullopt;  // protocol.md §10: absent (DAD)
      return openbsd_hash(*asker.link_layer) % members_;
    case Hash::freebsd:
      if (!asker.address.is_v4()) return std::nullopt;  // protocol.md §10: IPv4 ARP only
      return asker.address.v4().to_u32() % members_;
    case Hash::siphash:
      break;
  }
  std::uint64_t hash;
  if (by_ == By::mac || is_zero(asker.address)) {
    hash = siphash24(sip_, asker.link_layer.value_or(asker.ethernet).bytes);
  } else if (asker.address.is_v4()) {
    hash = siphash24(sip_, asker.address.v4().bytes);
  } else {
    hash = siphash24(sip_, asker.address.v6().bytes);
  }
  return static_cast<unsigned>(hash % members_);
}

}  // namespace koi::balance
