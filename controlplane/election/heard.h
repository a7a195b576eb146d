#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "common/contract/messages.h"
#include "common/net/ip_address.h"
#include "common/net/mac_address.h"
#include "common/strong_types.h"
#include "common/time.h"

/// What the election remembers of the other boxes of a slot. By value, allocates nothing.
namespace koi::election {

constexpr std::size_t index_of(Family f) { return f == Family::ipv4 ? 0 : 1; }

/// The master last heard.
struct HeardMaster {
  struct Source {
    bool known = false;
    IpAddress address;
    Instant at{};
  };

  IpAddress address;  // for a person: the IPv4 one as long as it is heard there
  MacAddress mac;     // sender of that one
  std::uint8_t advbase = 0;
  std::uint8_t advskew = 0;
  std::uint8_t demote = 0;
  Instant at{};
  std::array<Source, 2> sources;  // of each family, by index_of(): a bow-out must come from it

  const Source& source(Family f) const { return sources[index_of(f)]; }

  /// An advertisement of the master. master_down: after that the IPv4 address is an old one.
  void note(const VerifiedAdvert& ad, Instant now, Duration master_down) {
    sources[index_of(ad.family)] = Source{true, ad.source, now};
    const Source& v4 = source(Family::ipv4);
    if (ad.family == Family::ipv4 || !v4.known || now - v4.at >= master_down) {
      address = ad.source;
      mac = ad.source_mac;
    }
    advbase = ad.advbase;
    advskew = ad.advskew;
    demote = ad.demote;
    at = now;
  }
};

}  // namespace koi::election
