#include "common/balance/balancer.h"

#include <array>
#include <cmath>
#include <random>
#include <type_traits>
#include <vector>

#include <gtest/gtest.h>

#include "common/auth/balance_key.h"
#include "test_bytes.h"
#include "tests/support/sample.h"

namespace koi::balance::balancer_test {
namespace {

using test::from_text;

MacAddress mac(const char* text) { return MacAddress::parse(text).value(); }
IpAddress ip(const char* text) { return IpAddress::parse(text).value(); }

constexpr const char* kMacs[] = {"00:11:22:33:44:55", "02:de:ad:be:ef:01", "52:54:00:12:34:56",
                                 "ff:ff:ff:ff:ff:ff"};

Asker known(const char* link_layer) {
  return {.link_layer = mac(link_layer), .ethernet = mac("02:00:00:00:00:99"), .address = {}};
}

Balancer sip(By by, unsigned members, const char* key = "secret") {
  return Balancer::siphash(auth::balance_key(from_text(key)), by, members);
}

/// The member is the whole hash modulo every size of a group: together they pin all its bits.
template <class Make>
void expect_hash(Make make, const Asker& asker, std::uint64_t hash) {
  for (unsigned n = 1; n <= kMaxMembers; ++n) {
    EXPECT_EQ(make(n).member_for(asker), hash % n) << n;
  }
}

// C12.2 kept, C12.3 kept
TEST(Balancer, OpenbsdsVectors) {  // protocol.md §10
  constexpr std::uint32_t kHashes[] = {0xca35733d, 0x7e757a16, 0x9e7a1b31, 0x44c2c7f2};
  for (std::size_t i = 0; i < 4; ++i) {
    expect_hash([](unsigned n) { return Balancer::openbsd(from_text("secret"), n); },
                known(kMacs[i]), kHashes[i]);
  }
}

TEST(Balancer, OpenbsdsHashWithTheShortestAndTheLongestKey) {  // Python
  constexpr std::uint32_t kShort[] = {0xb52a94ad, 0xfaf51c89, 0xaca93283, 0x2225b93a};
  constexpr std::uint32_t kLong[] = {0xb7d52f36, 0x2d8e9436, 0x1a7b883c, 0xf6df679b};
  std::vector<std::byte> key;
  for (unsigned i = 1; i <= 20; ++i) key.push_back(static_cast<std::byte>(i));
  for (std::size_t i = 0; i < 4; ++i) {
    expect_hash([](unsigned n) { return Balancer::openbsd(from_text("x"), n); }, known(kMacs[i]),
                kShort[i]);
    expect_hash([&](unsigned n) { return Balancer::openbsd(key, n); }, known(kMacs[i]), kLong[i]);
  }
}

// C12.3 kept, C12.4 kept, C12.4 refused
TEST(Balancer, OpenbsdLooksAtTheLinkLayerAddressOnly) {
  const Balancer balancer = Balancer::openbsd(from_text("secret"), 3);
  Asker asker = known(kMacs[0]);
  for (const char* address : {"0.0.0.0", "192.0.2.77", "::", "2001:db8::77"}) {
    asker.address = ip(address);
    EXPECT_EQ(balancer.member_for(asker), 2U) << address;
  }
  asker.ethernet = mac(kMacs[1]);
  EXPECT_EQ(balancer.member_for(asker), 2U);
  asker.link_layer.reset();  // DAD: nobody
  EXPECT_EQ(balancer.member_for(asker), std::nullopt);
}

// C12.5 kept, C12.5 refused
TEST(Balancer, FreebsdIsTheAddressModuloTheMembers) {
  const auto make = [](unsigned n) { return Balancer::freebsd(n); };
  Asker asker = known(kMacs[0]);
  asker.address = ip("192.0.2.77");
  expect_hash(make, asker, 0xc000024d);
  asker.address = ip("198.51.100.200");
  expect_hash(make, asker, 0xc63364c8);
  asker.address = ip("0.0.0.0");  // a probe
  expect_hash(make, asker, 0);
  asker.address = ip("2001:db8::77");
  EXPECT_EQ(make(2).member_for(asker), std::nullopt);
  asker.address = ip("::");
  EXPECT_EQ(make(1).member_for(asker), std::nullopt);
}

// C12.6 kept
TEST(Balancer, SiphashByMac) {  // Python
  constexpr std::uint64_t kHashes[] = {0xceb599265282e4f8, 0x7db66ebe99ef0a06, 0x79c5cdf255233db5,
                                       0xc9ec971a9d8317d6};
  for (std::size_t i = 0; i < 4; ++i) {
    Asker asker = known(kMacs[i]);
    asker.address = ip("192.0.2.77");
    expect_hash([](unsigned n) { return sip(By::mac, n); }, asker, kHashes[i]);
    // Without the option it is the Ethernet source that counts.
    asker.link_layer.reset();
    asker.ethernet = mac(kMacs[i]);
    expect_hash([](unsigned n) { return sip(By::mac, n); }, asker, kHashes[i]);
  }
}

// C12.6 kept
TEST(Balancer, SiphashByIp) {  // Python
  const auto make = [](unsigned n) { return sip(By::ip, n); };
  Asker asker = known(kMacs[0]);
  asker.address = ip("192.0.2.77");
  expect_hash(make, asker, 0xc59f3c2997296c28);
  asker.address = ip("2001:db8::77");
  expect_hash(make, asker, 0x6e8d5be4ccc88819);
  // Without an address yet: by its MAC, so that exactly one box defends against it.
  for (const char* none : {"0.0.0.0", "::"}) {
    asker = known(kMacs[0]);
    asker.address = ip(none);
    expect_hash(make, asker, 0xceb599265282e4f8);
    asker = {.link_layer = {}, .ethernet = mac(kMacs[1]), .address = ip(none)};
    expect_hash(make, asker, 0x7db66ebe99ef0a06);
  }
}

TEST(Balancer, AnotherKeyMovesClients) {
  unsigned moved = 0;
  for (unsigned i = 0; i < 1000; ++i) {
    Asker asker = known(kMacs[0]);
    asker.link_layer->bytes[5] = static_cast<std::byte>(i);
    asker.link_layer->bytes[4] = static_cast<std::byte>(i >> 8);
    if (sip(By::mac, 2).member_for(asker) != sip(By::mac, 2, "secreT").member_for(asker)) ++moved;
  }
  EXPECT_NEAR(moved, 500, 80);  // 5 sigma of 1000 coins
}

TEST(Balancer, IsAPlainValue) { EXPECT_TRUE(std::is_trivially_copyable_v<Balancer>); }

/// What NICs come with: three bytes of the vendor, then numbers one after the other.
Asker client(std::uint32_t number) {
  constexpr std::array<std::uint32_t, 4> kVendors = {0x525400, 0x001b21, 0x3cecef, 0xb42e99};
  const std::uint32_t vendor = kVendors[number % kVendors.size()];
  const std::uint32_t serial = 0x123400 + number / static_cast<std::uint32_t>(kVendors.size());
  const auto byte = [](std::uint32_t v, unsigned shift) {
    return static_cast<std::uint8_t>(v >> shift);
  };
  const MacAddress address = mac_from({byte(vendor, 16), byte(vendor, 8), byte(vendor, 0),
                                       byte(serial, 16), byte(serial, 8), byte(serial, 0)});
  return {.link_layer = address, .ethernet = address, .address = Ipv4Address::from_u32(number)};
}

/// Every client is somebody's, and the members' shares are those of a fair die: chi squared of n -
/// 1 degrees of freedom has the mean n - 1 and the variance 2(n - 1); six sigma are allowed.
void expect_even(const Balancer& balancer, std::uint32_t clients) {
  const unsigned n = balancer.members();
  std::vector<unsigned> share(n);
  for (std::uint32_t i = 0; i < clients; ++i) {
    const auto member = balancer.member_for(client(i));
    ASSERT_TRUE(member.has_value() && *member < n);
    ++share[*member];
  }
  const double expected = static_cast<double>(clients) / n;
  double chi_squared = 0;
  for (const unsigned got : share) {
    chi_squared += (got - expected) * (got - expected) / expected;
    // The issue: a box's share within 2 % of that of its slots.
    EXPECT_NEAR(got / static_cast<double>(clients), 1.0 / n, 0.02) << n;
  }
  EXPECT_LE(chi_squared, n - 1 + 6 * std::sqrt(2.0 * (n - 1)) + 1e-9) << n;
}

TEST(Balancer, SharesOfAHundredThousandClientsAreEven) {
  for (unsigned n = 1; n <= kMaxMembers; n += test::kStride) {
    expect_even(sip(By::mac, n), 100'000);
    expect_even(sip(By::ip, n), 100'000);
    expect_even(Balancer::openbsd(from_text("secret"), n), 100'000);
  }
}

TEST(Balancer, SharesOfAMillionClientsAreEven) {
  const std::vector<unsigned> all = {2, 3, 7, 32};
  for (const unsigned n : test::kStride > 1 ? std::vector<unsigned>{3} : all) {
    expect_even(sip(By::mac, n), 1'000'000);
    expect_even(Balancer::openbsd(from_text("secret"), n), 1'000'000);
  }
}

TEST(Balancer, NeighborsInASubnetAreShared) {  // 6.x and later; the first octets do not decide
  for (unsigned n = 1; n <= kMaxMembers; ++n) {
    std::vector<unsigned> share(n);
    for (std::uint32_t host = 0; host < 256; ++host) {
      Asker asker = client(0);
      asker.address = Ipv4Address::from_u32(0xc0000200 + host);
      ++share[Balancer::freebsd(n).member_for(asker).value()];
    }
    for (const unsigned got : share) EXPECT_NEAR(got, 256.0 / n, 1) << n;
  }
}

}  // namespace
}  // namespace koi::balance::balancer_test
