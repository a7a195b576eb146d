// What a worker remembers of who asked for a balanced address must not show: classify(), which
// remembers nothing, is the oracle.
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/balanced.h"

namespace koi::dataplane::asker_memory_test {
namespace {

using namespace test;  // NOLINT: the whole file is about its frames

constexpr Ipv4Address kAddresses[] = {ipv4(192, 0, 2, 20), ipv4(192, 0, 2, 21), ipv4(192, 0, 2, 22),
                                      ipv4(192, 0, 2, 23)};

/// Four groups, each with a hash of its own.
std::shared_ptr<const Topology> four_hashes() {
  using balance::Balancer;
  const Bytes key = from_text("sixteen bytes 16");
  const auto sip = std::span(key).first<16>();
  const Balancer balancers[] = {openbsd_balancer(3), Balancer::freebsd(4),
                                Balancer::siphash(sip, balance::By::mac, 5),
                                Balancer::siphash(sip, balance::By::ip, 6)};
  TopologyBuilder builder;
  builder.port(kPortMac).own(PortIndex(0), VlanId(0), kOwnIp);
  std::uint8_t vhid = 1;
  for (std::size_t n = 0; n < std::size(balancers); ++n) {
    std::vector<std::uint8_t> vhids(balancers[n].members());
    for (std::uint8_t& member : vhids) member = vhid++;
    builder.balanced({.addresses = {kAddresses[n]}}, vhids, balancers[n]);
  }
  return builder.build();
}

/// Far more askers than there is room for, each by two addresses, of each group; all of it twice,
/// so that some are known, some have been displaced, and some share a MAC.
TEST(AskerMemory, EachAskerIsAnsweredAsIfNobodyRemembered) {
  World world{four_hashes()};
  for (std::uint16_t s = 0; s < world.topology->slots.size(); ++s) world.reign(SlotIndex(s));
  world.poll();
  const BurstContext burst = world.burst();
  std::set<std::string> replies;
  for (int round = 0; round < 2; ++round) {
    for (unsigned n = 0; n < 1500; ++n) {
      const auto high = static_cast<std::uint8_t>(n >> 8);
      const auto low = static_cast<std::uint8_t>(n);
      const MacAddress mac = mac_from({0x52, 0x54, 0, 1, high, low});
      for (const Ipv4Address& ip : {ipv4(10, 1, high, low), ipv4(10, 2, low, high)}) {
        for (const Ipv4Address& target : kAddresses) {
          const Bytes asked =
              arp({.sender_mac = mac, .sender_ip = ip, .target_ip = target}, {.from = mac});
          Bytes by_classify = asked;
          by_classify.resize(std::max<std::size_t>(asked.size(), 60));
          for (int twice = 0; twice < 2; ++twice) {
            Bytes by_quick_look = asked;
            by_quick_look.resize(by_classify.size());
            ASSERT_EQ(verdict(QuickLook(burst).decide(by_quick_look)), "answer");
            if (twice == 0) {
              ASSERT_EQ(verdict(classify(by_classify, 0, burst, world.adverts)), "answer");
            }
            ASSERT_EQ(to_hex(by_quick_look), to_hex(by_classify));
          }
          replies.insert(to_hex(std::span(by_classify).subspan(6, 6)));
        }
      }
    }
  }
  EXPECT_EQ(replies.size(), 3U + 4 + 5 + 6);  // all members had somebody
}

/// Under one quick look, which has the entry of the address asked for last at hand.
TEST(AskerMemory, SeveralOfOneBurst) {
  World world{four_hashes()};
  for (std::uint16_t s = 0; s < world.topology->slots.size(); ++s) world.reign(SlotIndex(s));
  world.poll();
  const BurstContext burst = world.burst();
  QuickLook quick(burst);
  for (unsigned n = 0; n < 400; ++n) {
    const MacAddress mac = mac_from({0x52, 0x54, 0, 1, 0, static_cast<std::uint8_t>(n / 4)});
    Bytes by_quick_look =
        arp({.sender_mac = mac, .target_ip = kAddresses[n / 7 % 4]}, {.from = mac});
    by_quick_look.resize(60);
    Bytes by_classify = by_quick_look;
    ASSERT_EQ(verdict(quick.decide(by_quick_look)), "answer");
    ASSERT_EQ(verdict(classify(by_classify, 0, burst, world.adverts)), "answer");
    by_quick_look.resize(42);
    by_classify.resize(42);
    ASSERT_EQ(to_hex(by_quick_look), to_hex(by_classify));
  }
}

// L1
TEST(AskerMemory, WhoIsKnownIsAnsweredOnlyByItsMembersMaster) {
  World world{balanced_topology({2, 5, 9}, openbsd_balancer(3))};
  for (std::uint16_t s = 0; s < 3; ++s) world.reign(SlotIndex(s));
  world.poll();
  const auto asked = [&] {
    Bytes request = arp({});  // the third member's
    request.resize(60);
    return verdict(QuickLook(world.burst()).decide(request));
  };
  EXPECT_EQ(asked(), "answer");
  EXPECT_EQ(asked(), "answer");
  world.board->slot(SlotIndex(2)).term.store(0);
  world.poll();
  EXPECT_EQ(asked(), "undecided");
}

TEST(AskerMemory, KnowsAndForgets) {
  AskerMemory memory;
  const SlotIndex* const nobody = nullptr;
  EXPECT_EQ(memory.find(0, 1, 7), nobody);
  memory.learn(0, 1, 7, SlotIndex(3));
  for (const std::uint64_t behind_the_mac : {std::uint64_t{0}, std::uint64_t{0xffff} << 48}) {
    const SlotIndex* const slot = memory.find(0, 1 | behind_the_mac, 7);
    ASSERT_NE(slot, nobody);
    EXPECT_EQ(*slot, SlotIndex(3));
  }
  EXPECT_EQ(memory.find(1, 1, 7), nobody);
  EXPECT_EQ(memory.find(0, 1, 8), nobody);
  memory.forget();
  EXPECT_EQ(memory.find(0, 1, 7), nobody);
}

}  // namespace
}  // namespace koi::dataplane::asker_memory_test
