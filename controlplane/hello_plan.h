#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "common/auth/trailer_auth.h"
#include "common/net/ip_address.h"
#include "common/strong_types.h"
#include "common/time.h"
#include "common/wire/hello.h"
#include "config/config.h"
#include "controlplane/interface.h"

namespace koi::controlplane {

/// What a group's hellos need of the configuration (CARP.md §21). Only groups with a trailer have
/// them.
struct HelloPlan {
  SlotIndex first;  // of the group's slots
  Vhid vhid;        // its first member's
  Interface from;   // link_local: what advertisements over IPv6 come from
  Ipv6Address global_source6;
  Family family = Family::ipv4;            // of its peers: IPv6 iff the group has no IPv4 address
  std::vector<IpAddress> peers;            // configured, of that family
  std::optional<auth::TrailerKey> signer;  // nothing: it sends none
  wire::GroupFacts facts;
  Duration interval{};  // from one hello to the next
};

/// Of a group, as its hellos say it. Digests are the first 8 bytes of an HMAC-SHA256 whose key is
/// "addresses" over the shared addresses (IPv4 ascending, then IPv6 ascending, each once),
/// "members" over the vhids ascending; and, where it is balanced, over the mode, the hash and what
/// it hashes, a byte each (0 where there is none), with what its hash is keyed by.
wire::GroupFacts facts_of(const config::Group& group);

}  // namespace koi::controlplane
