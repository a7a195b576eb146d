#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <rte_ethdev.h>

/// How many queue pairs a port gets, and what spreads the frames over them. Answers do not depend
/// on it: every worker knows the whole view, and L1, L7 and L9 count each worker that may receive a
/// slot's advertisements. Only speed does, and that the frames of one flow stay in order.
namespace koi::dataplane {

enum class Spread : std::uint8_t {
  none,    // one queue
  rss,     // the NIC, by the hash types of the plan
  rules,   // the NIC, by flow rules (rte_flow) that its port makes
  device,  // what is behind the device: the kernel, a peer, the files of net_pcap
};

// All of each version of IP, whatever it carries.
inline constexpr std::uint64_t kRssIpv4 =
    RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_FRAG_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_OTHER;
inline constexpr std::uint64_t kRssIpv6 =
    RTE_ETH_RSS_IPV6 | RTE_ETH_RSS_FRAG_IPV6 | RTE_ETH_RSS_NONFRAG_IPV6_OTHER | RTE_ETH_RSS_IPV6_EX;

/// What a driver says of itself.
struct QueueOffer {
  std::uint16_t pairs = 1;      // the lesser one of its receive and transmit queues
  std::uint64_t rss_types = 0;  // RTE_ETH_RSS_*, its flow_type_rss_offloads
  std::uint16_t reta = 0;       // entries of its redirection table; 0: it does not say
  bool fills = false;           // see fills_queues()
  bool rss_by_rules = false;    // it has these types for flow rules alone
};

struct QueuePlan {
  std::uint16_t pairs = 1;
  Spread spread = Spread::none;
  std::uint64_t rss_types = 0;  // of them what is wanted; 0 without Spread::rss and rules
};

/// Whether the queues of such a device are filled by what is behind it, not by its driver. The
/// driver's name as in rte_eth_dev_info.
bool fills_queues(std::string_view driver);

/// Whether it needs flow rules for RSS, though its info says otherwise: net_tap.
bool rss_by_rules(std::string_view driver);

/// REQUIRES: workers > 0, offer.pairs > 0. RSS before all else, then what is behind the device,
/// then flow rules, for which its port finds out whether the driver takes them.
QueuePlan plan_queues(const QueueOffer& offer, std::uint16_t workers);

/// For the log: "RSS over IPv4, TCP; the rest to one of them". Empty for one worker.
std::string text(const QueuePlan& plan, std::uint16_t workers);

}  // namespace koi::dataplane
