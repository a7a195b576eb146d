#include "dataplane/host_nd.h"

#include <algorithm>

#include "common/wire/bytes.h"
#include "common/wire/checksum.h"
#include "common/wire/icmpv6.h"
#include "common/wire/nd.h"

namespace koi::dataplane {
namespace {

constexpr std::uint8_t kRouterSolicitation = 133;
constexpr std::uint8_t kRouterAdvertisement = 134;
constexpr std::size_t kTargetAt = 8;
// RFC 4861 §4.1, §4.2, §4.3: where the options begin.
constexpr std::size_t kSolicitationLength = 8;
constexpr std::size_t kAdvertisementLength = 16;

bool is_shared(const Ipv6Address& address, VlanId vlan, const BurstContext& burst) {
  const Entry* entry = burst.topology().find_address(burst.port, vlan, address);
  return entry != nullptr && entry->kind == EntryKind::shared;
}

/// Some group has IPv6 addresses there, so that routers are elected.
bool has_group(VlanId vlan, const BurstContext& burst) {
  const auto& slots = burst.topology().slots;
  return std::any_of(slots.begin(), slots.end(), [&](const SlotView& slot) {
    return slot.port == burst.port && slot.vlan == vlan &&
           (slot.families & family_bit(Family::ipv6)) != 0;
  });
}

/// RFC 4861 §4.6.1: makes every source link-layer option name this MAC. A broken option ends the
/// walk: whoever receives it discards the message.
void name_source(std::span<std::byte> message, std::size_t options, const MacAddress& mac) {
  auto sum = wire::ChecksumSum::of_checksum(wire::get_be16(message, wire::kIcmpv6ChecksumAt));
  for (std::size_t at = options; message.size() - at >= wire::kLinkLayerOptionLength;) {
    const std::size_t length = std::size_t{8} * wire::get_u8(message, at + 1);
    if (length == 0 || length > message.size() - at) break;
    if (wire::get_u8(message, at) == wire::kSourceLinkLayer) {
      const auto named = message.subspan(at + 2, mac.bytes.size());
      sum.subtract(named);
      std::copy(mac.bytes.begin(), mac.bytes.end(), named.begin());
      sum.add(named);
    }
    at += length;
  }
  wire::put_be16(message, wire::kIcmpv6ChecksumAt, sum.checksum());
}

}  // namespace

std::optional<DropReason> check_host_nd(std::span<std::byte> packet, const wire::Ipv6Header& ip,
                                        VlanId vlan, const SlotView* slot,
                                        const BurstContext& burst) {
  const std::span<std::byte> message = packet.subspan(ip.payload, ip.payload_length);
  if (message.empty()) return DropReason::kIcmp6Length;
  std::size_t options = 0;
  switch (wire::get_u8(message, 0)) {
    case wire::kNeighborSolicitation: {
      options = wire::kNeighborLength;
      if (message.size() < options) return DropReason::kNdLength;
      const bool detection = ip.source.is_unspecified();
      if (detection && is_shared(wire::get_ipv6(message, kTargetAt), vlan, burst)) {
        return DropReason::kHostClaim;
      }
      break;
    }
    case wire::kNeighborAdvertisement:
      if (message.size() < wire::kNeighborLength) return DropReason::kNdLength;
      if (is_shared(wire::get_ipv6(message, kTargetAt), vlan, burst)) {
        return DropReason::kHostClaim;
      }
      return std::nullopt;
    case kRouterAdvertisement:
      options = kAdvertisementLength;
      if (message.size() < options) return DropReason::kNdLength;
      if ((slot == nullptr || !ip.source.is_link_local()) && has_group(vlan, burst)) {
        return DropReason::kHostRouterAdvert;
      }
      break;
    case kRouterSolicitation:
      options = kSolicitationLength;
      if (message.size() < options) return DropReason::kNdLength;
      break;
    default:
      return std::nullopt;
  }
  if (slot != nullptr) name_source(message, options, slot->told);
  return std::nullopt;
}

}  // namespace koi::dataplane
