#include "common/auth/carp_auth.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <vector>

namespace koi::auth {
namespace {

constexpr std::size_t kMaxKey = 20;
constexpr std::byte kVersion{2};
constexpr std::byte kType{1};

template <class Address>
void add_once(std::vector<Address>& list, const Address& address) {
  // protocol.md §4: all zeros and all ones are outside the bounds of the BSDs' sort loop
  const auto& bytes = address.bytes;
  const auto all = [&bytes](std::byte v) {
    return std::all_of(bytes.begin(), bytes.end(), [v](std::byte b) { return b == v; });
  };
  if (all(std::byte{0}) || all(std::byte{0xff})) return;
  if (std::find(list.begin(), list.end(), address) == list.end()) list.push_back(address);
}

template <class Address>
void absorb_addresses(HmacSha1& hmac, std::vector<Address>& list, AddressOrder order) {
  if (order == AddressOrder::sorted) std::sort(list.begin(), list.end());
  for (const Address& address : list) hmac.absorb(address.bytes);
}

// protocol.md §4: counter(8) exactly as on the wire
std::array<std::byte, 8> on_the_wire(std::uint64_t counter) {
  const std::uint64_t be = __builtin_bswap64(counter);
  std::array<std::byte, 8> bytes;
  std::memcpy(bytes.data(), &be, sizeof be);
  return bytes;
}

}  // namespace

CarpAuth CarpAuth::prepare(std::span<const std::byte> key, Vhid vhid,
                           std::span<const IpAddress> addresses, LinkLocal link_local,
                           AddressOrder order) {
  assert(!key.empty() && key.size() <= kMaxKey);

  std::vector<Ipv4Address> v4;
  std::vector<Ipv6Address> v6;
  for (const IpAddress& address : addresses) {
    if (address.is_v4()) {
      add_once(v4, address.v4());
      continue;
    }
    Ipv6Address a = address.v6();
    if (a.is_link_local()) {
      if (link_local == LinkLocal::exclude) continue;  // protocol.md §4: HMAC_NOV6LL
      a.bytes[2] = a.bytes[3] = std::byte{0};          // protocol.md §4: scope id zeroed
    }
    add_once(v6, a);
  }

  HmacSha1 hmac(key);
  hmac.absorb(std::array{kVersion, kType, std::byte{vhid.value()}});
  absorb_addresses(hmac, v4, order);
  absorb_addresses(hmac, v6, order);
  return CarpAuth(hmac);
}

Sha1Digest CarpAuth::sign(std::uint64_t counter) const {
  return prepared_.finish(on_the_wire(counter));
}

bool CarpAuth::verify(std::uint64_t counter, std::span<const std::byte, 20> digest) const {
  return digests_equal(sign(counter), digest);
}

}  // namespace koi::auth
