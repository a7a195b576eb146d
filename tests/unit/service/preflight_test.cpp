#include "controlplane/app/preflight.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controlplane/app/kernel_files.h"
#include "controlplane/app/preflight_folders.h"
#include "controlplane/app/preflight_nics.h"
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
    config.state_file = "/srv/state/koi";
    config.control.socket = "/srv/run/koid.sock";
    for (const char* path : {"/srv/state", "/srv/run"}) mode(path, 0777);
    // Nobody owns what the test makes but who runs it: this user is among the others.
    write("/etc/passwd", "root:x:0:0::/:/bin/sh\nkoi:x:4242424:4242424::/:/bin/false");
  }

  void mode(const std::string& path, unsigned bits) {
    if (!fs::exists(root() + path)) fs::create_directories(root() + path);
    fs::permissions(root() + path, static_cast<fs::perms>(bits));
  }
  /// As root would find it.
  Finding folders_wrong() {
    Findings found;
    check_folders(config, KernelFiles(folder / "."), 0, found);
    std::vector<Finding> all = found.take();
    std::erase_if(all, [](const Finding& f) { return f.verdict == Verdict::ok; });
    EXPECT_LE(all.size(), 1U) << preflight_text(all);
    return all.empty() ? Finding{} : all[0];
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

  /// Who the folders have to be writable for, in this machine's list.
  static std::string user() { return geteuid() == 0 ? "koi" : std::to_string(geteuid()); }

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
            "OK    state file: /srv/state, writable for " +
                user() +
                "\n"
                "OK    control socket: /srv/run, writable for " +
                user() +
                "\n"
                "OK    IOMMU: on\n"
                "OK    port lan: 0000:3b:00.0 is bound to vfio-pci\n"
                "9 checks: 0 would keep koid from starting, 0 cost it something\n");
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
  bind("mlx5_core");  // a start takes this as well
  EXPECT_TRUE(passes(run()));
  remove(kNic);
  EXPECT_EQ(wrong().mend, "lspci -D lists what there is");
}

TEST_F(Preflight, ANicBesideTheIommu) {
  remove("/sys/class/iommu");  // these need none
  for (const char* driver : {"uio_pci_generic", "igb_uio"}) {
    bind(driver);
    const Finding found = wrong();
    EXPECT_EQ(found.verdict, Verdict::warn) << driver;
    EXPECT_THAT(found.detail, HasSubstr(driver));
    EXPECT_EQ(found.mend, "tools/bind 0000:3b:00.0");
  }
  bind("mlx5_core");
  EXPECT_TRUE(passes(run()));
}

TEST_F(Preflight, AnIommuGroupThatTheKernelHasAPartOf) {
  const std::string other = "/sys/bus/pci/devices/0000:3b:00.1";
  const auto other_bound_to = [&](const std::string& driver) {
    remove(other + "/driver");
    if (driver.empty()) return;
    fs::create_symlink("../../../bus/pci/drivers/" + driver, root() + other + "/driver");
  };
  for (const char* address : {"0000:3b:00.0", "0000:3b:00.1"}) {
    write(std::string(kNic) + "/iommu_group/devices/" + address, "");
  }
  write(other + "/class", "0x020000");
  for (const char* harmless : {"", "vfio-pci", "pcieport", "pci-stub"}) {
    other_bound_to(harmless);
    EXPECT_EQ(run().size(), 9U);
    EXPECT_TRUE(passes(run())) << harmless;
  }
  other_bound_to("ixgbe");
  Finding found = wrong();
  EXPECT_EQ(found.verdict, Verdict::fail);
  EXPECT_THAT(found.detail, HasSubstr("with 0000:3b:00.1, which the kernel's ixgbe has"));
  EXPECT_EQ(found.mend, "tools/bind 0000:3b:00.1");
  write(other + "/class", "0x010601");  // a disk's is not for DPDK
  EXPECT_THAT(wrong().mend, HasSubstr("another slot"));
}

TEST_F(Preflight, VfioThatDoesWithoutIommuForOneNic) {
  write(std::string(kNic) + "/iommu_group/name", "vfio-noiommu");
  EXPECT_EQ(wrong().verdict, Verdict::warn);
  EXPECT_EQ(wrong().detail, "the IOMMU is not before 0000:3b:00.0: it may write anywhere");
}

TEST_F(Preflight, WhatTheHostOfAVirtualFunctionIsTold) {
  const KernelFiles files(folder / ".");
  EXPECT_EQ(trust_command("0000:3b:00.0", files), "");
  const std::string parent = "/sys/bus/pci/devices/0000:3a:00.0";
  write(parent + "/net/eth4/carrier", "1");
  fs::create_symlink("../0000:3a:10.7", root() + parent + "/virtfn2");
  fs::create_symlink("../0000:3b:00.0", root() + parent + "/virtfn3");
  fs::create_symlink("../0000:3a:00.0", root() + kNic + "/physfn");
  EXPECT_EQ(trust_command("0000:3b:00.0,some=argument", files),
            "ip link set eth4 vf 3 trust on spoofchk off");
  fs::create_symlink("../../../bus/pci/drivers/i40e", root() + parent + "/driver");
  EXPECT_EQ(trust_command("0000:3b:00.0", files),
            "ip link set eth4 vf 3 trust on spoofchk off; "
            "ethtool --set-priv-flags eth4 vf-true-promisc-support on");
  EXPECT_EQ(trust_command("net_null0", files), "");
}

TEST_F(Preflight, WhomDpdkIsNotToAsk) {
  const KernelFiles files(folder / ".");
  bind("vfio-pci");
  EXPECT_EQ(why_not_asked("0000:3b:00.0", files), "");
  bind("igb_uio");
  EXPECT_THAT(why_not_asked("0000:3b:00.0,some=argument", files), HasSubstr("reset"));
  EXPECT_EQ(why_not_asked("net_tap0,iface=lan", files), "");
  write("/sys/class/net/lan/carrier", "1");
  EXPECT_EQ(why_not_asked("net_tap0,iface=lan", files), "lan is there, and its MAC would change");
  EXPECT_EQ(why_not_asked("net_af_packet0,iface=lan", files), "");
  EXPECT_THAT(why_not_asked("net_af_xdp0,iface=lan", files), HasSubstr("XDP"));
}

TEST_F(Preflight, FoldersThatUserKoiCannotUse) {
  EXPECT_EQ(folders_wrong().what, "");
  mode("/srv/state", 0755);
  Finding found = folders_wrong();
  EXPECT_EQ(found.verdict, Verdict::warn);  // root by hand could
  EXPECT_EQ(found.what, "state file");
  EXPECT_EQ(found.detail, "/srv/state is not writable for koi");
  EXPECT_EQ(found.mend, "install -d -o koi -g koi -m 0750 /srv/state");
  mode("/srv/state", 0777);
  mode("/srv/run", 0774);
  EXPECT_EQ(folders_wrong().what, "control socket");
  mode("/srv/run", 0777);
  write("/srv/state/koi", "{}");
  mode("/srv/state/koi", 0644);
  EXPECT_EQ(folders_wrong().what, "");
  mode("/srv/state/koi", 0640);
  EXPECT_EQ(folders_wrong().mend, "chown koi:koi /srv/state/koi");
}

TEST_F(Preflight, FoldersThatAreNotThere) {
  config.state_file = "/srv/state/more/koi";  // koid makes them
  config.control.socket = "/srv/run/even/more/koid.sock";
  EXPECT_EQ(folders_wrong().what, "");
  mode("/srv/run", 0755);
  EXPECT_EQ(folders_wrong().verdict, Verdict::warn);
  EXPECT_EQ(folders_wrong().detail,
            "there is no folder /srv/run/even/more, and koi may not make it");
  Findings found;
  check_folders(config, KernelFiles(folder / "."), 4242425, found);
  EXPECT_EQ(found.take()[1].verdict, Verdict::fail);
  mode("/srv/run", 0777);
  mode("/var/lib", 0755);  // where the unit makes them
  mode("/run", 0755);
  config.state_file = "/var/lib/koi/state";
  config.control.socket = "/run/koi/koid.sock";
  EXPECT_EQ(folders_wrong().what, "");
  config.control.socket = "/run/other/koid.sock";
  EXPECT_EQ(folders_wrong().what, "control socket");
}

TEST_F(Preflight, WhoIsNotRootAsksForHimself) {
  Findings found;
  mode("/srv/state", 0755);
  check_folders(config, KernelFiles(folder / "."), 4242425, found);
  EXPECT_EQ(found.take()[0].verdict, Verdict::fail);
  Findings own;
  mode("/srv/state", 0700);
  struct stat info {};
  ASSERT_EQ(stat((root() + "/srv/state").c_str(), &info), 0);
  check_folders(config, KernelFiles(folder / "."), info.st_uid, own);
  if (info.st_uid != 0) EXPECT_EQ(own.take()[0].verdict, Verdict::ok);
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
