#include "dataplane/queue_plan.h"

#include <algorithm>
#include <array>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace koi::dataplane {
namespace {

struct Kind {
  std::string_view name;
  std::uint64_t types;
};

// Neighbor Discovery is IPv6, ARP is not IP: it is among the L2 payload, if in anything.
constexpr Kind kL2{"L2 payload", RTE_ETH_RSS_L2_PAYLOAD};
constexpr std::array<Kind, 5> kKinds{{
    {"IPv4", kRssIpv4},
    {"IPv6", kRssIpv6},
    {"TCP", RTE_ETH_RSS_TCP},
    {"UDP", RTE_ETH_RSS_UDP},
    kL2,
}};

constexpr std::uint64_t kWanted = [] {
  std::uint64_t all = 0;
  for (const Kind& kind : kKinds) all |= kind.types;
  return all;
}();

std::string kinds(std::uint64_t types) {
  std::vector<std::string_view> names;
  for (const Kind& kind : kKinds) {
    if ((kind.types & types) != 0) names.push_back(kind.name);
  }
  return names.empty() ? "nothing" : fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

bool fills_queues(std::string_view driver) {
  // net_virtio where it has no RSS (virtio 1.1, 5.1.6.5.5: automatic receive steering).
  constexpr std::array<std::string_view, 9> kThose{"net_af_packet", "net_af_xdp",      "net_tap",
                                                   "net_virtio",    "net_virtio_user", "net_vhost",
                                                   "net_memif",     "net_pcap",        "net_ring"};
  return std::find(kThose.begin(), kThose.end(), driver) != kThose.end();
}

bool rss_by_rules(std::string_view driver) { return driver == "net_tap"; }

QueuePlan plan_queues(const QueueOffer& offer, std::uint16_t workers) {
  QueuePlan plan{.pairs = std::min(offer.pairs, workers), .spread = Spread::none, .rss_types = 0};
  if (plan.pairs == 1) return plan;
  const std::uint64_t types = offer.rss_by_rules ? 0 : offer.rss_types & kWanted;
  if (types != 0) {
    plan.spread = Spread::rss;
    plan.rss_types = types;
    if (offer.reta != 0) plan.pairs = std::min(plan.pairs, offer.reta);
  } else if (offer.fills) {
    plan.spread = Spread::device;
  } else {
    plan.spread = Spread::rules;
    plan.rss_types = kRssIpv4 | kRssIpv6;
  }
  return plan;
}

std::string text(const QueuePlan& plan, std::uint16_t workers) {
  switch (plan.spread) {
    case Spread::none:
      return workers == 1 ? "" : "its driver has no more, or spreads nothing";
    case Spread::device:
      return "spread by what is behind the device";
    case Spread::rules:
    case Spread::rss:
      return fmt::format("{} over {}{}", plan.spread == Spread::rss ? "RSS" : "flow rules",
                         kinds(plan.rss_types),
                         (plan.rss_types & kL2.types) != 0 ? "" : "; the rest to one of them");
  }
  return {};
}

}  // namespace koi::dataplane
