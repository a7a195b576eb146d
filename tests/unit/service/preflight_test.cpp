#include "controlplane/app/preflight.h"

#include <filesystem>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/lab_config.h"
#include "tests/support/temporary_folder.h"

namespace koi::app::preflight_test {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
namespace fs = std::filesystem;
using Verdict = Finding::Verdict;

/// A machine with nothing wrong: files as the kernel has them, below a folder.
class Preflight : public testing::Test {
 protected:
  static constexpr const char* kNic = "/sys/bus/pci/devices/0000:3b:00.0";

  void SetUp() override {
    write("/proc/cpuinfo", "processor : 0\nflags\t\t: fpu constant_tsc nonstop_tsc\n");
    write("/sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc");
    write("/sys/devices/system/cpu/online", "0-3,8");
    write("/sys/devices/system/cpu/isolated", "2-3");
    write("/sys/devices/system/cpu/nohz_full", "2-3");
    for (const char* core : {"0", "1", "2", "3"}) siblings(core, core);
    write("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "64");
    write("/sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages", "0");
    write("/sys/class/iommu/dmar0/x", "");
    write(std::string(kNic) + "/numa_node", "-1");
    bind("vfio-pci");
    config.dataplane.control_core = 1;
    config.dataplane.worker_cores = {2, 3};
    config.ports[0].device = "0000:3b:00.0";
  }

  void write(const std::string& path, const std::string& text) {
    fs::create_directories(fs::path(root() + path).parent_path());
    std::ofstream(root() + path) << text << "\n";
  }
  void remove(const std::string& path) { fs::remove_all(root() + path); }
  void siblings(const std::string& core, const std::string& list) {
    write("/sys/devices/system/cpu/cpu" + core + "/topology/thread_siblings_list", list);
  }
  void bind(const std::string& driver) {
    remove(std::string(kNic) + "/driver");
    fs::create_symlink("../../../bus/pci/drivers/" + driver, root() + kNic + "/driver");
  }
  std::string root() const { return folder / ""; }

  std::vector<Finding> run() {
    std::string base = root();
    while (base.ends_with('/')) base.pop_back();
    return preflight(config, 100, base);
  }
  /// The one that is not OK.
  Finding wrong() {
    std::vector<Finding> found = run();
    std::erase_if(found, [](const Finding& f) { return f.verdict == Verdict::ok; });
    EXPECT_EQ(found.size(), 1U) << preflight_text(found);
    return found.empty() ? Finding{} : found[0];
  }

  test::TemporaryFolder folder;
  config::Config config = test::lan_box(2);
};

TEST_F(Preflight, AMachineAsItShouldBe) {
  const auto found = run();
  EXPECT_TRUE(passes(found));
  EXPECT_EQ(preflight_text(found),
            "OK    clock: TSC, constant and nonstop\n"
            "OK    core 1: control\n"
            "OK    core 2: a worker's own\n"
            "OK    core 3: a worker's own\n"
            "OK    memory: 128 MiB of hugepages are free, 100 MiB needed\n"
            "OK    IOMMU: on\n"
            "OK    port lan: 0000:3b:00.0 is bound to vfio-pci\n"
            "7 checks: 0 would keep koid from starting, 0 cost it something\n");
}

TEST_F(Preflight, ANicThatTheKernelHas) {
  bind("ixgbe");
  const Finding found = wrong();
  EXPECT_EQ(found.verdict, Verdict::fail);
  EXPECT_EQ(found.detail, "0000:3b:00.0 is bound to the kernel's ixgbe");
  EXPECT_EQ(found.mend, "tools/bind 0000:3b:00.0");
  EXPECT_FALSE(passes(run()));
  remove(std::string(kNic) + "/driver");
  EXPECT_EQ(wrong().detail, "0000:3b:00.0 is bound to no driver");
  for (const char* driver : {"mlx5_core", "uio_pci_generic"}) {  // a start takes these as well
    bind(driver);
    EXPECT_TRUE(passes(run())) << driver;
  }
  remove(kNic);
  EXPECT_EQ(wrong().mend, "lspci -D lists what there is");
}

TEST_F(Preflight, TheMembersOfABondAreLookedAt) {
  config.ports[0].device = "net_bonding0,mode=4";
  config.ports[0].members = {"0000:3b:00.0", "0000:3b:00.1"};
  EXPECT_EQ(wrong().detail, "there is no PCI device 0000:3b:00.1");
}

TEST_F(Preflight, HugepagesOfAllSizesCount) {
  write("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "49");
  Finding found = wrong();
  EXPECT_EQ(found.verdict, Verdict::fail);
  EXPECT_EQ(found.detail, "98 MiB of hugepages are free, 100 MiB needed");
  EXPECT_EQ(found.mend, "sysctl vm.nr_hugepages=51");
  write("/sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages", "1");
  EXPECT_TRUE(passes(run()));
  remove("/sys/kernel/mm/hugepages");
  EXPECT_FALSE(passes(run()));
  config.dataplane.hugepages = false;
  EXPECT_EQ(wrong().verdict, Verdict::warn);
}

TEST_F(Preflight, CoresThatAreNotTheWorkersAlone) {
  write("/sys/devices/system/cpu/isolated", "2");
  Finding found = wrong();
  EXPECT_EQ(found.verdict, Verdict::warn);
  EXPECT_EQ(found.what, "core 3");
  EXPECT_THAT(found.mend, EndsWith("isolcpus=2,3 nohz_full=2,3 rcu_nocbs=2,3"));
  write("/sys/devices/system/cpu/isolated", "2-3");
  write("/sys/devices/system/cpu/nohz_full", " (null)");  // as a kernel without it says
  EXPECT_EQ(run()[2].verdict, Verdict::warn);
  EXPECT_THAT(run()[2].detail, HasSubstr("tick"));
}

TEST_F(Preflight, ACoreThatIsNotThere) {
  write("/sys/devices/system/cpu/online", "0-2");
  const Finding found = wrong();
  EXPECT_EQ(found.verdict, Verdict::fail);
  EXPECT_EQ(found.detail, "is not online; there are 0, 1, 2");
}

TEST_F(Preflight, TwoThreadsOfOneCore) {
  siblings("2", "2-3");
  siblings("3", "2-3");
  const Finding found = wrong();
  EXPECT_EQ(found.what, "cores 2, 3");
  EXPECT_THAT(found.detail, HasSubstr("threads of one core"));
}

TEST_F(Preflight, ANicFarFromItsWorkers) {
  write(std::string(kNic) + "/numa_node", "1");
  write("/sys/devices/system/node/node1/cpulist", "3-7");
  const Finding found = wrong();
  EXPECT_EQ(found.verdict, Verdict::warn);
  EXPECT_EQ(found.detail, "0000:3b:00.0 is at NUMA node 1, the worker of core 2 is not");
}

TEST_F(Preflight, NoIommu) {
  remove("/sys/class/iommu/dmar0");
  EXPECT_EQ(wrong().verdict, Verdict::fail);
  write("/sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "Y");
  EXPECT_EQ(wrong().verdict, Verdict::warn);
  config.ports[0].device = "net_ring0";  // nothing to protect memory from
  EXPECT_TRUE(passes(run()));
}

TEST_F(Preflight, AClockThatIsNotTheTsc) {
  write("/sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet");
  EXPECT_THAT(wrong().detail, HasSubstr("takes hpet"));
  write("/proc/cpuinfo", "flags\t: constant_tsc");
  EXPECT_THAT(wrong().detail, HasSubstr("nonstop_tsc"));
}

TEST_F(Preflight, InterfacesOfTheKernels) {
  config.ports[0].device = "net_af_packet0";
  EXPECT_EQ(wrong().detail, "net_af_packet0 names no network interface");
  config.ports[0].device = "net_af_packet0,iface=eth7,qpairs=2";
  EXPECT_EQ(wrong().detail, "there is no network interface eth7");
  write("/sys/class/net/eth7/carrier", "0");
  EXPECT_EQ(wrong().mend, "ip link set eth7 up");
  write("/sys/class/net/eth7/carrier", "1");
  EXPECT_TRUE(passes(run()));
}

TEST_F(Preflight, TheHostsSide) {
  config.ports[0].host = config::HostPort::virtio_user;
  write("/dev/net/tun", "");
  EXPECT_EQ(wrong().detail, "there is no /dev/vhost-net");
  write("/dev/vhost-net", "");
  EXPECT_TRUE(passes(run()));
  remove("/dev/net");
  EXPECT_EQ(wrong().mend, "modprobe tun");
}

TEST_F(Preflight, KernelsFilesThatSayNonsense) {
  write("/sys/devices/system/cpu/online", "0-3,x,7-,-1,1-99999999999,5-4");
  write(std::string(kNic) + "/numa_node", "what");
  EXPECT_TRUE(passes(run()));
}

}  // namespace
}  // namespace koi::app::preflight_test
