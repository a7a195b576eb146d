#include "dataplane/queue_plan.h"

#include <gtest/gtest.h>

namespace koi::dataplane {
namespace {

// What drivers of DPDK 22.11 offer, written down from drivers/net/*.
constexpr std::uint64_t kIxgbe =
    RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV4_UDP |
    RTE_ETH_RSS_IPV6 | RTE_ETH_RSS_NONFRAG_IPV6_TCP | RTE_ETH_RSS_NONFRAG_IPV6_UDP |
    RTE_ETH_RSS_IPV6_EX | RTE_ETH_RSS_IPV6_TCP_EX | RTE_ETH_RSS_IPV6_UDP_EX;
constexpr std::uint64_t kI40eWithoutSctp =
    RTE_ETH_RSS_FRAG_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV4_UDP |
    RTE_ETH_RSS_NONFRAG_IPV4_OTHER | RTE_ETH_RSS_FRAG_IPV6 | RTE_ETH_RSS_NONFRAG_IPV6_TCP |
    RTE_ETH_RSS_NONFRAG_IPV6_UDP | RTE_ETH_RSS_NONFRAG_IPV6_OTHER | RTE_ETH_RSS_L2_PAYLOAD;
constexpr std::uint64_t kI40e =
    kI40eWithoutSctp | RTE_ETH_RSS_NONFRAG_IPV4_SCTP | RTE_ETH_RSS_NONFRAG_IPV6_SCTP;
constexpr std::uint64_t kEna = RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV4_UDP |
                               RTE_ETH_RSS_NONFRAG_IPV6_TCP | RTE_ETH_RSS_NONFRAG_IPV6_UDP;
constexpr std::uint64_t kTap = RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP;

QueueOffer offer(std::uint16_t pairs, std::uint64_t types, std::uint16_t reta = 0) {
  return {.pairs = pairs, .rss_types = types, .reta = reta, .fills = false, .rss_by_rules = false};
}

QueueOffer offer_of(std::string_view driver, std::uint16_t pairs, std::uint64_t types) {
  return {.pairs = pairs,
          .rss_types = types,
          .reta = 0,
          .fills = fills_queues(driver),
          .rss_by_rules = rss_by_rules(driver)};
}

TEST(QueuePlan, RssOverAllThatIsWantedAndOffered) {
  const QueuePlan ixgbe = plan_queues(offer(128, kIxgbe, 128), 2);
  EXPECT_EQ(ixgbe.pairs, 2);
  EXPECT_EQ(ixgbe.spread, Spread::rss);
  EXPECT_EQ(ixgbe.rss_types, kIxgbe);
  EXPECT_EQ(text(ixgbe, 2), "RSS over IPv4, IPv6, TCP, UDP; the rest to one of them");

  // ENA has no type for IP alone: without TCP and UDP there would be nothing to ask for.
  const QueuePlan ena = plan_queues(offer(8, kEna, 128), 4);
  EXPECT_EQ(ena.pairs, 4);
  EXPECT_EQ(ena.rss_types, kEna);
  EXPECT_EQ(text(ena, 4), "RSS over TCP, UDP; the rest to one of them");
}

TEST(QueuePlan, L2PayloadWhereItExistsAndNothingThatIsNotWanted) {
  // What narrows a hash (source only, and the like) is not for us, nor is SCTP, nor MPLS.
  const std::uint64_t more = RTE_ETH_RSS_L3_SRC_ONLY | RTE_ETH_RSS_L4_DST_ONLY | RTE_ETH_RSS_MPLS |
                             RTE_ETH_RSS_ETH | RTE_ETH_RSS_L2_SRC_ONLY;
  const QueuePlan plan = plan_queues(offer(64, kI40e | more, 512), 3);
  EXPECT_EQ(plan.pairs, 3);
  EXPECT_EQ(plan.rss_types, kI40eWithoutSctp);
  EXPECT_EQ(text(plan, 3), "RSS over IPv4, IPv6, TCP, UDP, L2 payload");
}

TEST(QueuePlan, NoMoreQueuesThanWorkersTheDriverOrItsTableHave) {
  EXPECT_EQ(plan_queues(offer(2, kIxgbe, 128), 8).pairs, 2);
  EXPECT_EQ(plan_queues(offer(16, kIxgbe, 4), 8).pairs, 4);
  EXPECT_EQ(plan_queues(offer(16, kIxgbe, 0), 8).pairs, 8);  // virtio: it does not say
}

TEST(QueuePlan, OneQueueIsAskedForNoRss) {
  for (const auto& [pairs, workers] : {std::pair{16, 1}, {1, 4}}) {
    const QueuePlan plan = plan_queues(offer(static_cast<std::uint16_t>(pairs), kI40e, 512),
                                       static_cast<std::uint16_t>(workers));
    EXPECT_EQ(plan.pairs, 1);
    EXPECT_EQ(plan.spread, Spread::none);
    EXPECT_EQ(plan.rss_types, 0U);
  }
  EXPECT_EQ(text(QueuePlan{}, 1), "");
  EXPECT_EQ(text(QueuePlan{}, 4), "its driver has no more, or spreads nothing");
}

TEST(QueuePlan, WhatIsBehindTheDeviceSpreads) {
  for (const char* driver : {"net_af_packet", "net_memif", "net_pcap", "net_virtio"}) {
    const QueuePlan plan = plan_queues(offer_of(driver, 4, 0), 2);
    EXPECT_EQ(plan.pairs, 2) << driver;
    EXPECT_EQ(plan.spread, Spread::device) << driver;
    EXPECT_EQ(plan.rss_types, 0U) << driver;
  }
  // virtio with VIRTIO_NET_F_RSS does it itself.
  EXPECT_EQ(plan_queues(offer_of("net_virtio", 4, kIxgbe), 2).spread, Spread::rss);
  // net_tap's types are for flow rules, and the kernel fills its queues without.
  EXPECT_EQ(plan_queues(offer_of("net_tap", 16, kTap), 2).spread, Spread::device);
}

TEST(QueuePlan, FlowRulesWhereThereIsNoRss) {
  const QueuePlan plan = plan_queues(offer_of("net_e1000_em", 2, 0), 4);
  EXPECT_EQ(plan.pairs, 2);
  EXPECT_EQ(plan.spread, Spread::rules);
  EXPECT_EQ(plan.rss_types, RTE_ETH_RSS_IP);
  EXPECT_EQ(text(plan, 4), "flow rules over IPv4, IPv6; the rest to one of them");
  // A driver that only has types nobody wants has none.
  EXPECT_EQ(plan_queues(offer(2, RTE_ETH_RSS_MPLS), 2).spread, Spread::rules);
}

}  // namespace
}  // namespace koi::dataplane
