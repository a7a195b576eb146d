#include "controlplane/hello_plan.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include "common/auth/balance_key.h"
#include "common/auth/hmac_sha256.h"
#include "config/derived.h"

namespace koi::controlplane {
namespace {

wire::GroupDigest digest(std::span<const std::byte> key, std::span<const std::byte> of) {
  const auth::Sha256Digest whole = auth::HmacSha256(key).finish({of});
  wire::GroupDigest out;
  std::copy_n(whole.begin(), out.size(), out.begin());
  return out;
}

wire::GroupDigest digest(std::string_view key, std::span<const std::byte> of) {
  return digest(std::as_bytes(std::span(key)), of);
}

wire::GroupDigest digest_of_addresses(const config::Group& group) {
  std::vector<std::byte> bytes;
  // In IpAddress' order: IPv4 first, each family as unsigned numbers in network order.
  for (const IpAddress& address : std::set(group.addresses.begin(), group.addresses.end())) {
    if (address.is_v4()) {
      const Ipv4Address a = address.v4();
      bytes.insert(bytes.end(), a.bytes.begin(), a.bytes.end());
    } else {
      const Ipv6Address a = address.v6();
      bytes.insert(bytes.end(), a.bytes.begin(), a.bytes.end());
    }
  }
  return digest("addresses", bytes);
}

wire::GroupDigest digest_of_hash(const config::Group& group) {
  const config::Balance& balance = *group.balance;
  const auto number = [](auto word) {
    return static_cast<std::byte>(static_cast<unsigned>(word) + 1);
  };
  std::array<std::byte, 3> how{number(balance.mode)};
  if (config::is_by_packet(balance)) return digest("", how);
  how[1] = number(balance.hash);
  const config::Secret& key = balance.hash_key.empty() ? group.key : balance.hash_key;
  switch (balance.hash) {
    case config::BalanceHash::openbsd:
      return digest(key.bytes(), how);
    case config::BalanceHash::freebsd:
      return digest("", how);
    case config::BalanceHash::siphash:
      break;
  }
  how[2] = number(balance.by);
  return digest(auth::balance_key(key.bytes()), how);
}

}  // namespace

wire::GroupFacts facts_of(const config::Group& group) {
  std::vector<std::byte> vhids;
  for (const config::Member& member : config::members_of(group)) {
    vhids.push_back(static_cast<std::byte>(member.vhid.value()));
  }
  wire::GroupFacts facts{.members = static_cast<std::uint8_t>(vhids.size()),
                         .advbase = group.advbase,
                         .dead_ratio = group.dead_ratio,
                         .lowest_advskew = {},
                         .addresses = digest_of_addresses(group),
                         .vhids = digest("members", vhids)};
  // Only there it counts (L5).
  if (group.advbase == 0) facts.lowest_advskew = group.lowest_advskew.value_or(0);
  if (group.balance) facts.hash = digest_of_hash(group);
  return facts;
}

}  // namespace koi::controlplane
