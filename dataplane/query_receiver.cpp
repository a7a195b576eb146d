#include "dataplane/query_receiver.h"

#include "common/wire/icmpv6.h"
#include "common/wire/igmp.h"
#include "common/wire/mld.h"

namespace koi::dataplane {

Fate receive_igmp(std::span<const std::byte> packet, const wire::EthernetHeader& ethernet,
                  const BurstContext& burst) {
  const Parsed<wire::IgmpQuery> query = wire::parse_igmp_query(packet);
  if (!query) {
    return query.reason() == DropReason::kIgmpNotQuery ? Fate::not_ours(query.reason())
                                                       : Fate::drop(query.reason());
  }
  burst.reporter.offer(QueryHeard{.port = burst.port,
                                  .vlan = ethernet.vlan,
                                  .family = Family::ipv4,
                                  .older_version = query->older_version,
                                  .group = query->group,
                                  .max_response = query->max_response});
  return Fate::noted();
}

Fate receive_mld(std::span<const std::byte> frame, const wire::EthernetHeader& ethernet,
                 const wire::Ipv6Header& ip, const BurstContext& burst) {
  const auto message = frame.subspan(ethernet.payload + ip.payload, ip.payload_length);
  const Parsed<wire::MldQuery> query = wire::parse_mld_query(message, ip.source, ip.hop_limit);
  if (!query) return Fate::drop(query.reason());
  if (!wire::icmpv6_checksum_ok(ip, message)) return Fate::drop(DropReason::kIcmp6Checksum);
  burst.reporter.offer(QueryHeard{.port = burst.port,
                                  .vlan = ethernet.vlan,
                                  .family = Family::ipv6,
                                  .older_version = query->older_version,
                                  .group = query->group,
                                  .max_response = query->max_response});
  return Fate::noted();
}

}  // namespace koi::dataplane
