#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "common/balance/siphash.h"
#include "common/net/ip_address.h"
#include "common/net/mac_address.h"

/// Balancing `arp` (protocol.md §10): which member of a balanced group answers whom. Every box
/// computes the same from the same request, so exactly one answers, without a word between them.
namespace koi::balance {

inline constexpr unsigned kMaxMembers = 32;  // OpenBSD's CARP_MAXNODES

/// Who asks for a balanced address.
struct Asker {
  /// ARP: the sender hardware address. ND: the source link-layer address option, absent in
  /// duplicate address detection and wherever the asker left it out.
  std::optional<MacAddress> link_layer{};
  /// The Ethernet source of the request.
  MacAddress ethernet;
  /// ARP: the sender protocol address. ND: the IPv6 source. All zero while the asker has none.
  IpAddress address{};
};

/// What of the asker SipHash hashes.
enum class By : std::uint8_t { mac, ip };

/// One group's hash. Prepared at set-up, by value, never changed afterwards; any thread reads it,
/// and reading allocates nothing. Members are numbered by ascending vhid; who is MASTER of them
/// does not count, so a client stays with its member while the set is the same.
class Balancer {
 public:
  /// OpenBSD up to 5.8, a keyed Jenkins mix over the asker's link-layer address. Little-endian on
  /// every machine, as on the PCs of then. An asker without such an address is nobody's.
  /// REQUIRES: key of 1..20 bytes, 1 <= members <= kMaxMembers, as for all.
  static Balancer openbsd(std::span<const std::byte> key, unsigned members);

  /// FreeBSD 6 to 9 and DragonFly: the sender's IPv4 address modulo the number of members; a probe
  /// (0.0.0.0) is thus the first one's. An IPv6 asker is nobody's.
  static Balancer freebsd(unsigned members);

  /// koi's own: SipHash-2-4 of the asker's MAC (6 bytes) or IP address (4 or 16 bytes). An asker
  /// without link-layer address, or without an IP address yet, is known by its MAC all the same, so
  /// that one box defends the address against it. key: see auth::balance_key().
  static Balancer siphash(std::span<const std::byte, 16> key, By by, unsigned members);

  unsigned members() const { return members_; }

  /// Returns the asker's member, 0..members() - 1, or nothing: nobody answers it.
  std::optional<unsigned> member_for(const Asker& asker) const;

  /// The same of who asks by ARP. mac, ip: the sender's addresses as they lie in memory.
  unsigned member_for_arp(std::uint64_t mac, std::uint32_t ip) const {
    if (hash_ == Hash::openbsd) return modulo(openbsd_hash(mac));
    if (hash_ == Hash::freebsd) return modulo(__builtin_bswap32(ip));
    return siphash_member(mac, ip);
  }

 private:
  enum class Hash : std::uint8_t { openbsd, freebsd, siphash };
  Balancer(Hash hash, unsigned members)
      : hash_(hash),
        members_(static_cast<std::uint8_t>(members)),
        reciprocal_(UINT64_MAX / members + 1) {}

  /// hash % members_, without the division (Lemire, Kaser, Kurz, "Faster remainder by direct
  /// computation", 2019): exact for 32 bits. Of one member the reciprocal is 0.
  unsigned modulo(std::uint32_t hash) const {
    const std::uint64_t fraction = reciprocal_ * hash;
    return static_cast<unsigned>(static_cast<unsigned __int128>(fraction) * members_ >> 64);
  }

  std::uint32_t openbsd_hash(std::uint64_t mac) const {
    std::uint32_t a = 0x9e3779b9 + static_cast<std::uint32_t>(mac);
    std::uint32_t b = b_ + static_cast<std::uint32_t>(mac >> 32);
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
  unsigned siphash_member(std::uint64_t mac, std::uint32_t ip) const;

  Hash hash_;
  By by_ = By::mac;
  std::uint8_t members_;
  std::uint64_t reciprocal_;
  std::uint32_t b_ = 0;  // openbsd: what the key adds to b and c before the mix
  std::uint32_t c_ = 0;
  SipKey sip_;
};

}  // namespace koi::balance
