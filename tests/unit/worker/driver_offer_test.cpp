#include "dataplane/driver_offer.h"

#include <gtest/gtest.h>
#include <rte_bus_vdev.h>

namespace koi::dataplane {
namespace {

TEST(DriverOffer, OfADeviceThatIsThereAndOfNoOther) {
  ASSERT_EQ(rte_vdev_init("net_ring_offer", nullptr), 0);
  const auto offer = ask_driver("net_ring_offer,some=argument");
  rte_vdev_uninit("net_ring_offer");
  ASSERT_TRUE(offer) << offer.error().message;
  // As in drivers/net/ring/rte_eth_ring.c of DPDK 22.11.
  EXPECT_EQ(offer.value().driver, "net_ring");
  EXPECT_TRUE(offer.value().queues.fills);
  EXPECT_GE(offer.value().queues.pairs, 1);
  EXPECT_EQ(offer.value().mac_filters, 1U);
  EXPECT_FALSE(offer.value().link_interrupts);

  const auto gone = ask_driver("net_ring_offer");
  ASSERT_FALSE(gone);
  EXPECT_NE(gone.error().message.find("net_ring_offer"), std::string::npos);
}

}  // namespace
}  // namespace koi::dataplane
