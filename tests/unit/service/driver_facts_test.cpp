#include "controlplane/app/driver_facts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/lab_config.h"

namespace koi::app::driver_facts_test {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using Verdict = Finding::Verdict;

DriverAnswer of(const char* driver) {
  DriverAnswer answer;
  answer.what = "port lan";
  answer.device = "0000:3b:00.0";
  answer.driver = driver;
  answer.offered = 8;
  answer.used = 2;
  answer.spread = "RSS over IPv4";
  answer.mac_filters = 128;
  answer.link_interrupts = true;
  return answer;
}

PortNeeds needs() { return {.workers = 2, .virtual_macs = 3}; }

/// The line about that; an empty one if there is none.
Finding about(const std::string& subject, const DriverAnswer& answer,
              const PortNeeds& what = needs()) {
  for (const Finding& finding : driver_facts(answer, what)) {
    if (finding.what == "port lan, " + subject) return finding;
  }
  return {};
}

TEST(DriverFacts, OfANicThatDoesItAll) {
  const auto found = driver_facts(of("net_ixgbe"), needs());
  ASSERT_EQ(found.size(), 3U);
  for (const Finding& f : found) EXPECT_EQ(f.verdict, Verdict::ok) << f.what;
  EXPECT_EQ(found[0].detail, "net_ixgbe has 8 queue pair(s), 2 used by 2 worker(s): RSS over IPv4");
  EXPECT_EQ(found[1].detail,
            "promiscuous: 3 virtual MAC(s) and all groups come in; its 128 MAC filter(s) are not "
            "used");
  EXPECT_EQ(found[2].detail, "net_ixgbe is asked for it, and has link interrupts");
}

TEST(DriverFacts, FewerQueuesThanWorkers) {
  DriverAnswer answer = of("net_af_packet");
  answer.device = "net_af_packet0,iface=eth1";
  answer.offered = answer.used = 1;
  EXPECT_EQ(about("queues", answer).verdict, Verdict::warn);
  EXPECT_EQ(about("queues", answer).mend, "device: net_af_packet0,iface=eth1,qpairs=2");
  answer.device = "net_af_packet0,qpairs=1,iface=eth1";
  EXPECT_EQ(about("queues", answer).mend, "device: net_af_packet0,iface=eth1,qpairs=2");
  answer.driver = "net_ixgbe";
  EXPECT_THAT(about("queues", answer).mend, HasSubstr("dataplane.worker-cores"));
  answer.driver = "net_virtio";
  EXPECT_THAT(about("queues", answer).mend, EndsWith("mq=on,vectors=6"));
  EXPECT_EQ(about("queues", answer, {.workers = 1}).verdict, Verdict::ok);
  answer.offered = 0;
  EXPECT_EQ(about("queues", answer).verdict, Verdict::fail);
}

TEST(DriverFacts, CloudsNicsThatLetNothingElseIn) {
  for (const char* driver : {"net_ena", "net_gve", "net_idpf", "net_mana"}) {
    DriverAnswer answer = of(driver);
    answer.mac_filters = 1;
    const Finding found = about("addresses", answer);
    EXPECT_EQ(found.verdict, Verdict::warn) << driver;
    EXPECT_THAT(found.detail, HasSubstr("1 MAC filter(s): what is sent to 3 virtual MAC(s)"));
    EXPECT_THAT(found.mend, HasSubstr("peers: and multicast: false"));
  }
}

TEST(DriverFacts, VirtualFunctionsThatTheirHostHasToTrust) {
  for (const char* driver : {"net_iavf", "net_ixgbe_vf", "net_e1000_igb_vf", "net_ice_dcf"}) {
    const Finding found = about("addresses", of(driver));
    EXPECT_EQ(found.verdict, Verdict::warn) << driver;
    EXPECT_THAT(found.mend, HasSubstr("ip link set PF vf N trust on spoofchk off")) << driver;
  }
  // 700 and 800 Series hosts give a trusted one no more than all groups without.
  EXPECT_THAT(about("addresses", of("net_iavf")).mend, HasSubstr("vf-true-promisc-support on"));
  EXPECT_THAT(about("addresses", of("net_ixgbe_vf")).mend, EndsWith("spoofchk off"));
  PortNeeds known = needs();
  known.trust = "ip link set eth0 vf 3 trust on spoofchk off";
  EXPECT_EQ(about("addresses", of("net_iavf"), known).mend, known.trust);
}

TEST(DriverFacts, HypervisorsSwitches) {
  const Finding vmware = about("addresses", of("net_vmxnet3"));
  EXPECT_EQ(vmware.verdict, Verdict::warn);
  EXPECT_THAT(vmware.mend, HasSubstr("--allow-promiscuous"));
  const Finding hyper_v = about("addresses", of("net_netvsc"));
  EXPECT_EQ(hyper_v.verdict, Verdict::warn);
  EXPECT_THAT(hyper_v.mend, HasSubstr("MacAddressSpoofing"));
}

TEST(DriverFacts, SourcePruning) {
  for (const char* driver : {"net_ice", "net_i40e"}) {
    const Finding found = about("source pruning", of(driver));
    EXPECT_EQ(found.verdict, Verdict::ok);
    EXPECT_THAT(found.detail, HasSubstr("no virtual MAC")) << driver;
  }
  for (const char* driver : {"net_ixgbe", "net_iavf"}) {
    EXPECT_EQ(about("source pruning", of(driver)).what, "") << driver;
  }
}

TEST(DriverFacts, Links) {
  DriverAnswer answer = of("net_ixgbe");
  answer.link_interrupts = false;
  EXPECT_EQ(about("link", answer).verdict, Verdict::ok);
  EXPECT_THAT(about("link", answer).detail, EndsWith("has no link interrupts"));
  answer.driver = "net_virtio";
  EXPECT_EQ(about("link", answer).verdict, Verdict::warn);
  EXPECT_THAT(about("link", answer).mend, HasSubstr("status=on"));
  answer.link_interrupts = true;
  EXPECT_EQ(about("link", answer).verdict, Verdict::ok);
  for (const char* driver : {"net_null", "net_pcap", "net_ring"}) {
    EXPECT_EQ(about("link", of(driver)).verdict, Verdict::warn) << driver;
    EXPECT_EQ(about("addresses", of(driver)).verdict, Verdict::ok) << driver;
  }
  answer.device = "net_tap0,iface=tap7";  // its driver would say up
  answer.driver = "net_tap";
  EXPECT_EQ(about("link", answer).detail, "the kernel tells of tap7's");
}

/// What DPDK 22.11 logs, lib/eal/linux/eal_vfio.c.
TEST(DriverFacts, ADeviceThatDpdkDoesNotGet) {
  DriverAnswer answer = of("");
  answer.refusal = "DPDK says: EAL: Cannot open /dev/vfio/12: Device or resource busy";
  const auto found = driver_facts(answer, needs());
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].verdict, Verdict::fail);
  EXPECT_EQ(found[0].detail, "0000:3b:00.0 is in use by another process");
  EXPECT_THAT(found[0].mend, HasSubstr("fuser -v /dev/vfio/*"));
  answer.refusal = "DPDK says: EAL: Cannot open /dev/vfio/12: Permission denied";
  EXPECT_THAT(about("driver", answer).mend, HasSubstr("70-koi-vfio.rules"));
  answer.refusal =
      "DPDK says: EAL:   0000:3b:00.0 VFIO group is not viable! Not all devices in IOMMU group "
      "bound to VFIO or unbound";
  EXPECT_THAT(about("driver", answer).mend, HasSubstr("/0000:3b:00.0/iommu_group/devices"));
  answer.refusal = "DPDK has no driver for device 0000:3b:00.0";
  EXPECT_EQ(about("driver", answer).verdict, Verdict::fail);
  EXPECT_EQ(about("driver", answer).detail, answer.refusal);
}

TEST(VirtualMacs, AreThoseOfThePortsGroupsOnceEach) {
  config::Config config = test::two_port_box(1);
  EXPECT_EQ(virtual_macs(config, PortIndex(0)), 1U);
  config::Group second = config.groups[0];  // another family's, or VLAN's: the same vhid and MAC
  second.name = "lan-tagged";
  second.vlan = VlanId(20);
  config.ports[0].vlans[VlanId(20)].addresses = config.ports[0].addresses;
  config.groups.push_back(second);
  EXPECT_EQ(virtual_macs(config, PortIndex(0)), 1U);
  config.groups.back().vhid = Vhid(7);
  EXPECT_EQ(virtual_macs(config, PortIndex(0)), 2U);
  EXPECT_EQ(virtual_macs(config, PortIndex(1)), 1U);
}

}  // namespace
}  // namespace koi::app::driver_facts_test
