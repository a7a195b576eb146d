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

unsigned Balancer::siphash_member(std::uint64_t mac, std::uint32_t ip) const {
  const std::uint64_t hash = by_ == By::mac || ip == 0
                                 ? siphash24(sip_, mac, MacAddress{}.bytes.size())
                                 : siphash24(sip_, ip, sizeof ip);
  return static_cast<unsigned>(hash % members_);
}

std::optional<unsigned> Balancer::member_for(const Asker& asker) const {
  switch (hash_) {
    case Hash::openbsd:
      if (!asker.link_layer) return std::nullopt;  // protocol.md §10: absent (DAD)
      return modulo(openbsd_hash(asker.link_layer->word()));
    case Hash::freebsd:
      if (!asker.address.is_v4()) return std::nullopt;  // protocol.md §10: IPv4 ARP only
      return modulo(asker.address.v4().to_u32());
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
