#include <algorithm>
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <string>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/unit/tools/fake_daemon.h"
#include "tools/agent/host_keeper.h"
#include "tools/agent/host_plan.h"
#include "tools/agent/now.h"

namespace koi::agent::agent_host_test {
namespace {

IpAddress ip(const char* text) { return IpAddress::parse(text).value(); }

// ---- what is to be done ------------------------------------------------------------------------

/// An interface that is as koid wants it, until the test changes one of the two.
class HostPlan : public ::testing::Test {
 protected:
  HostPlan() {
    wanted.name = is.name = "koi-lan";
    wanted.port = "lan";
    wanted.mac = is.mac = MacAddress::parse("02:00:00:00:00:01").value();
    wanted.mtu = is.mtu = 1400;
    wanted.up = true;
    wanted.link_local = true;
    wanted.addresses = {{ip("192.0.2.2"), 24, false, true},
                        {ip("fe80::1"), 64, false, true},
                        {ip("192.0.2.1"), 32, true, true},
                        {ip("192.0.2.5"), 32, true, false}};
    is.up = true;
    is.carrier = true;
    is.arp_ignore = 1;
    is.arp_announce = 2;
    is.address_generation = IN6_ADDR_GEN_MODE_NONE;
    is.addresses = {{ip("192.0.2.2"), 24}, {ip("fe80::1"), 64}, {ip("192.0.2.1"), 32}};
  }
  HostInterface wanted;
  KernelInterface is;
};

TEST_F(HostPlan, NothingWhereAllIsWell) {
  EXPECT_EQ(plan(wanted, is), HostChanges{});
  EXPECT_EQ(describe({}), "");
  wanted.mtu = 0;
  wanted.mac.reset();
  is.mtu = 9000;
  is.carrier.reset();
  is.arp_ignore.reset();
  is.address_generation.reset();
  EXPECT_EQ(plan(wanted, is), HostChanges{});
}

TEST_F(HostPlan, EachSettingThatDiffers) {
  is.mac = {};
  is.mtu = 1500;
  is.up = false;
  is.carrier = false;
  is.arp_ignore = 0;
  is.arp_announce = 0;
  is.address_generation = IN6_ADDR_GEN_MODE_EUI64;
  HostChanges all;
  all.no_link_local = true;
  all.arp_ignore = 1;
  all.arp_announce = 2;
  all.mac = wanted.mac;
  all.mtu = 1400;
  all.up = true;
  all.carrier = true;
  EXPECT_EQ(plan(wanted, is), all);
  EXPECT_EQ(describe(all),
            "no link-local address of the kernel's, arp_ignore 1, arp_announce 2, MAC "
            "02:00:00:00:00:01, MTU 1400, up, carrier on");
  // Of a VLAN's interface the link is the administrator's.
  wanted.vlan = 20;
  all.mac.reset();
  all.mtu.reset();
  all.up = false;
  all.carrier.reset();
  EXPECT_EQ(plan(wanted, is), all);
  // And of one that koid has no more, all but what the agent has put there.
  wanted.gone = true;
  for (HostAddress& address : wanted.addresses) address.wanted = false;
  is.addresses = {{ip("192.0.2.77"), 24}, {ip("192.0.2.2"), 16}, {ip("192.0.2.2"), 24}};
  HostChanges one;
  one.remove = {is.addresses[2]};
  EXPECT_EQ(plan(wanted, is), one);
}

TEST_F(HostPlan, TheCarrierFollowsTheNicAndTheInterfaceStaysUp) {
  wanted.up = false;
  HostChanges changes;
  changes.carrier = false;
  EXPECT_EQ(plan(wanted, is), changes);
}

TEST_F(HostPlan, AddressesThatAreMissingOrNotWantedAndNobodyElses) {
  is.addresses = {{ip("192.0.2.77"), 24},  // somebody else's
                  {ip("192.0.2.5"), 32},   // not wanted now
                  {ip("192.0.2.2"), 16},   // with another prefix
                  {ip("fe80::1"), 64, IFA_F_DADFAILED | IFA_F_TENTATIVE}};
  const HostChanges changes = plan(wanted, is);
  EXPECT_EQ(changes.remove,
            (std::vector<KernelAddress>{is.addresses[2], is.addresses[3], is.addresses[1]}));
  EXPECT_EQ(changes.add, (std::vector<HostAddress>{wanted.addresses[0], wanted.addresses[1],
                                                   wanted.addresses[2]}));
  EXPECT_EQ(describe(changes),
            "removed 192.0.2.2/16, fe80::1/64, 192.0.2.5/32, added 192.0.2.2/24, fe80::1/64, "
            "192.0.2.1/32");
}

TEST_F(HostPlan, ALinkLocalAddressThatTheKernelMadeGoesIfKoidHasOne) {
  constexpr std::uint8_t kMadeByTheKernel = 3;  // IFAPROT_KERNEL_LL of linux/if_addr.h
  is.addresses.push_back({ip("fe80::99"), 64, 0, kMadeByTheKernel});
  is.addresses.push_back({ip("fe80::98"), 64, 0, 0});
  is.addresses[1].protocol = kMadeByTheKernel;  // the same as koid's: stays
  EXPECT_EQ(plan(wanted, is).remove, std::vector<KernelAddress>{is.addresses[3]});
  wanted.link_local = false;
  EXPECT_TRUE(plan(wanted, is).remove.empty());
}

TEST_F(HostPlan, AHundredAddressesAreNamedBriefly) {
  HostChanges changes;
  for (std::uint32_t i = 1; i <= 100; ++i) {
    changes.add.push_back({Ipv4Address::from_u32(0xc0000200 + i), 32, true, true});
  }
  EXPECT_EQ(describe(changes),
            "added 192.0.2.1/32, 192.0.2.2/32, 192.0.2.3/32, 192.0.2.4/32 and 96 more");
}

// ---- the kernel --------------------------------------------------------------------------------

/// A network namespace of the test's own thread, with nothing in it but `lo`.
class HostKeeperTest : public ::testing::Test {
 protected:
  static bool enter() {
    if (unshare(CLONE_NEWNET) == 0) return true;
    return unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0;
  }
  /// In a thread of its own, for a thread does not come back from there.
  template <class Body>
  void inside(Body body) {
    bool entered = false;
    std::thread([&] {
      entered = enter();
      if (entered) body();
    }).join();
    if (!entered) GTEST_SKIP() << "no network namespace for this user";
  }
  static HostSpec lo(std::vector<HostAddress> addresses) {
    HostInterface interface;
    interface.name = "lo";
    interface.port = "lan";
    interface.mtu = 1400;
    interface.up = true;
    interface.addresses = std::move(addresses);
    HostSpec host;
    host.interfaces = {interface};
    return host;
  }
  /// What the C library sees: "192.0.2.1 255.255.255.255", sorted.
  static std::vector<std::string> addresses() {
    std::vector<std::string> all;
    ifaddrs* list = nullptr;
    EXPECT_EQ(getifaddrs(&list), 0);
    for (const ifaddrs* a = list; a != nullptr; a = a->ifa_next) {
      if (a->ifa_addr == nullptr || a->ifa_addr->sa_family == AF_PACKET) continue;
      std::string text;
      for (const sockaddr* part : {a->ifa_addr, a->ifa_netmask}) {
        char buffer[INET6_ADDRSTRLEN] = "";
        const void* bytes =
            part->sa_family == AF_INET
                ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in*>(part)->sin_addr)
                : &reinterpret_cast<const sockaddr_in6*>(part)->sin6_addr;
        inet_ntop(part->sa_family, bytes, buffer, sizeof buffer);
        text += (text.empty() ? "" : " ") + std::string(buffer);
      }
      all.push_back(text);
    }
    freeifaddrs(list);
    std::sort(all.begin(), all.end());
    return all;
  }
  static ifreq asked(unsigned long what) {
    ifreq request{};
    std::string("lo").copy(request.ifr_name, IFNAMSIZ - 1);
    const int fd = socket(AF_INET, SOCK_DGRAM, 0);
    EXPECT_EQ(ioctl(fd, what, &request), 0);
    close(fd);
    return request;
  }

  test::FakeDaemon daemon{[](const std::string&) {
    return R"({"ok":true})"
           "\n";
  }};
  std::vector<std::string> log;
  Koid koid{daemon.path(), [this](const std::string& line) { log.push_back(line); }};
};

TEST_F(HostKeeperTest, PutsAnInterfaceRightAndLeavesOtherPeoplesAddresses) {
  inside([&] {
    HostKeeper keeper(koid);
    auto netlink = Netlink::open();
    ASSERT_TRUE(netlink.ok());
    const unsigned index = if_nametoindex("lo");
    ASSERT_EQ(netlink.value().add(index, {ip("198.51.100.9"), 24, false, true}), 0);
    keeper.host_is(lo({{ip("192.0.2.2"), 24, false, true},
                       {ip("192.0.2.1"), 32, true, true},
                       {ip("2001:db8::1"), 128, true, true},
                       {ip("192.0.2.5"), 32, true, false}}));
    EXPECT_EQ(addresses(),
              (std::vector<std::string>{"127.0.0.1 255.0.0.0", "192.0.2.1 255.255.255.255",
                                        "192.0.2.2 255.255.255.0", "198.51.100.9 255.255.255.0",
                                        "2001:db8::1 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                                        "::1 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}));
    EXPECT_EQ(asked(SIOCGIFMTU).ifr_mtu, 1400);
    EXPECT_NE(asked(SIOCGIFFLAGS).ifr_flags & IFF_UP, 0);
    const auto read = netlink.value().interfaces({"lo", "absent"});
    ASSERT_TRUE(read.ok());
    ASSERT_EQ(read.value().size(), 1U);
    EXPECT_EQ(read.value()[0].arp_ignore, 1U);
    EXPECT_EQ(read.value()[0].arp_announce, 2U);
    log.clear();
    keeper.host_is(lo({{ip("192.0.2.2"), 24, false, true},
                       {ip("192.0.2.1"), 32, true, false},
                       {ip("2001:db8::1"), 128, true, false}}));
    EXPECT_EQ(addresses(),
              (std::vector<std::string>{"127.0.0.1 255.0.0.0", "192.0.2.2 255.255.255.0",
                                        "198.51.100.9 255.255.255.0",
                                        "::1 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}));
    EXPECT_EQ(log, std::vector<std::string>{"lo: removed 192.0.2.1/32, 2001:db8::1/128"});
  });
}

TEST_F(HostKeeperTest, WhatSomebodyElseRemovesIsBack) {
  inside([&] {
    HostKeeper keeper(koid);
    keeper.host_is(lo({{ip("192.0.2.2"), 24, false, true}}));
    const auto serve = [&](int ms) {
      std::vector<pollfd> fds;
      keeper.add_to(fds);
      poll(fds.data(), fds.size(), ms);
      keeper.ready(fds);
    };
    const auto settle = [&] {
      for (int i = 0; i < 10; ++i) {
        serve(0);
        if (keeper.next() == Instant::max()) return true;
        keeper.tick(now_is() + HostKeeper::kPause);
      }
      return false;
    };
    ASSERT_TRUE(settle());
    auto somebody = Netlink::open();
    ASSERT_TRUE(somebody.ok());
    ASSERT_EQ(somebody.value().remove(if_nametoindex("lo"), {ip("192.0.2.2"), 24}), 0);
    serve(5000);
    ASSERT_LE(keeper.next(), now_is() + HostKeeper::kPause);
    log.clear();
    keeper.tick(now_is() + HostKeeper::kPause);
    EXPECT_EQ(log, std::vector<std::string>{"lo: added 192.0.2.2/24"});
    EXPECT_EQ(addresses()[1], "192.0.2.2 255.255.255.0");
    EXPECT_TRUE(settle());
    EXPECT_EQ(log.size(), 1U);
    EXPECT_EQ(daemon.requests().back(),
              R"({"kind":"host","port":"lan","cause":"lo: added 192.0.2.2/24","command":"note",)"
              R"("agent":true})");
    koid.is_away("gone");
    ASSERT_EQ(somebody.value().remove(if_nametoindex("lo"), {ip("192.0.2.2"), 24}), 0);
    serve(5000);
    keeper.tick(now_is() + HostKeeper::kPause);
    EXPECT_EQ(addresses()[1][0], ':');  // ::1: what koid wants now is not known
  });
}

TEST_F(HostKeeperTest, WhatIsNotThereIsQuietAndAVlanIsMissedOnce) {
  inside([&] {
    HostKeeper keeper(koid);
    HostSpec host = lo({});
    host.interfaces[0].name = "koi-lan";
    host.interfaces.push_back(host.interfaces[0]);
    host.interfaces[1].name = "koi-lan.20";
    host.interfaces[1].vlan = 20;
    keeper.host_is(host);
    EXPECT_TRUE(log.empty());
    host.interfaces[0].name = "lo";
    keeper.host_is(host);
    keeper.host_is(host);
    EXPECT_EQ(std::count(log.begin(), log.end(),
                         "there is no interface koi-lan.20 for the addresses of VLAN 20"),
              1);
    host.interfaces[1].name = "koi-lan.30";
    host.interfaces[1].vlan = 30;
    host.interfaces[1].gone = true;  // nobody needs it
    const std::size_t said = log.size();
    keeper.host_is(host);
    EXPECT_EQ(log.size(), said);
  });
}

}  // namespace
}  // namespace koi::agent::agent_host_test
