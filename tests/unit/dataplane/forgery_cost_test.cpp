// What an advertisement that nobody signed costs a worker.
#include <gtest/gtest.h>

#include "tests/support/instructions.h"
#include "tests/support/world.h"

namespace koi::dataplane::forgery_cost_test {
namespace {

using namespace test;  // NOLINT: the whole file is about its frames

/// Instructions for one forgery from the peer's own addresses, beside a group of so many.
std::uint64_t cost_of_a_forgery(std::size_t addresses) {
  std::vector<Ipv4Address> shared;
  for (std::size_t i = 0; i < addresses; ++i) {
    shared.push_back(Ipv4Address::from_u32(0x0a010000U + static_cast<std::uint32_t>(i)));
  }
  World world(TopologyBuilder()
                  .port(kPortMac)
                  .own(PortIndex(0), VlanId(0), kOwnIp)
                  .group({.addresses = shared})
                  .build());
  const Bytes forgery = frame({.key = "forger"});
  // The first one is told to control, the others of that second are not.
  EXPECT_EQ(world.verdict_on(forgery), "carp_digest");
  Bytes bytes = forgery;
  bytes.resize(forgery.size() + 64);
  const BurstContext burst = world.burst();
  return instructions_of([&] {
    static_cast<void>(classify(std::span(bytes).first(forgery.size()), 64, burst, world.adverts));
  });
}

TEST(ForgeryCost, IsTheSameHoweverManyAddressesTheGroupHas) {
  const std::uint64_t with_one = cost_of_a_forgery(1);
  if (with_one == 0) GTEST_SKIP() << "ptrace is not allowed here";
  const std::uint64_t with_many = cost_of_a_forgery(4096);
  RecordProperty("with_one", std::to_string(with_one));
  RecordProperty("with_many", std::to_string(with_many));
  // 4,096 addresses end at the same byte of a SHA-1 block as none: not a block more than with one.
  EXPECT_LE(with_many, with_one + with_one / 50);
}

}  // namespace
}  // namespace koi::dataplane::forgery_cost_test
