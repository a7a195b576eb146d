#include "common/contract/view.h"

#include <array>
#include <map>
#include <random>
#include <set>

#include <gtest/gtest.h>

namespace koi::view_test {
namespace {

using Table = Topology::Vhids;
using Item = Table::Item;

Item item(std::uint64_t key, std::uint32_t value) {
  return {key, SlotIndex(static_cast<std::uint16_t>(value))};
}

/// Finds all that is in it with the first value given, and nothing else.
void expect_holds(const std::vector<Item>& items, const std::vector<std::uint64_t>& absent) {
  const Table table(items);
  std::map<std::uint64_t, std::optional<SlotIndex>> first;
  for (const Item& item : items) first.emplace(item.key, item.value);
  for (const auto& [key, value] : first) {
    ASSERT_EQ(table.find(key), value) << key;
    ASSERT_TRUE(table.may_have(key)) << key;
  }
  for (const std::uint64_t key : absent) {
    if (first.contains(key)) continue;
    ASSERT_EQ(table.find(key), std::nullopt) << key;
  }
}

std::vector<std::uint64_t> random_keys(std::mt19937_64& random, std::size_t n) {
  std::vector<std::uint64_t> keys(n);
  for (std::uint64_t& key : keys) key = random();
  return keys;
}

TEST(FlatTable, EmptyFindsNothing) {
  std::mt19937_64 random(1);
  const Table none;
  const Table no_items{std::span<const Item>()};
  for (const std::uint64_t key : random_keys(random, 1000)) {
    EXPECT_EQ(none.find(key), std::nullopt);
    EXPECT_EQ(no_items.find(key), std::nullopt);
  }
  EXPECT_FALSE(none.may_have(0) || no_items.may_have(0));
  EXPECT_EQ(none.find(0), std::nullopt);
  EXPECT_EQ(no_items.find(0), std::nullopt);
}

TEST(FlatTable, MayHaveFewThatItHasNot) {
  std::mt19937_64 random(4);
  for (const std::size_t size : {8U, 64U, 4096U, 5100U}) {
    std::vector<Item> items;
    for (const std::uint64_t key : random_keys(random, size)) items.push_back(item(key, 1));
    const Table table(items);
    unsigned wrong = 0;
    for (const std::uint64_t key : random_keys(random, 20'000)) wrong += table.may_have(key);
    EXPECT_GT(wrong, 0U) << size;
    EXPECT_LT(wrong, 20'000 / 12 * 1.1) << size;
  }
}

TEST(FlatTable, EverySizeUpToSome) {
  std::mt19937_64 random(2);
  const std::vector<std::uint64_t> absent = random_keys(random, 200);
  std::vector<Item> items;
  for (std::uint32_t n = 0; n < 200; ++n) {
    expect_holds(items, absent);
    items.push_back(item(random(), n));
  }
}

TEST(FlatTable, KeyZeroAndValueZeroAreOrdinary) {
  expect_holds({item(0, 0)}, {1, 2, UINT64_MAX});
  expect_holds({item(UINT64_MAX, 0), item(1, 5)}, {0, 2});
  expect_holds({item(0, 0xffff)}, {1});
}

TEST(FlatTable, FirstOfEqualKeysStays) {
  expect_holds({item(7, 1), item(7, 2), item(8, 3), item(7, 4)}, {9});
}

TEST(FlatTable, KeysThatFallTogether) {
  // Equal in all that the hash folds: the upper half comes down onto the lower.
  std::vector<Item> items;
  std::vector<std::uint64_t> absent;
  for (std::uint64_t i = 0; i < 512; ++i) {
    const std::uint64_t key = (i << 32) | (i ^ 0xc0000201);
    (i % 2 == 0 ? items.push_back(item(key, static_cast<std::uint32_t>(i)))
                : absent.push_back(key));
  }
  expect_holds(items, absent);
}

TEST(FlatTable, FourThousandAddressesOfOnePort) {
  std::vector<Item> items;
  std::vector<std::uint64_t> absent;
  for (std::uint32_t i = 0; i < 8192; ++i) {
    const std::uint64_t key =
        Topology::address_key(PortIndex(0), VlanId(0), Ipv4Address::from_u32(0x0a000000 + i));
    (i < 4096 ? items.push_back(item(key, i)) : absent.push_back(key));
  }
  expect_holds(items, absent);
}

TEST(FlatTable, FourThousandAtRandom) {
  std::mt19937_64 random(3);
  std::vector<Item> items;
  for (const std::uint64_t key : random_keys(random, 4096)) {
    items.push_back(item(key, static_cast<std::uint32_t>(items.size())));
  }
  expect_holds(items, random_keys(random, 10'000));
}

TEST(Topology, KeysDiffer) {
  std::set<std::uint64_t> addresses;
  std::set<std::uint64_t> vhids;
  std::size_t n = 0;
  for (std::uint8_t port = 0; port < kMaxPorts; ++port) {
    for (const std::uint16_t vlan : std::array<std::uint16_t, 4>{0, 1, 20, 4094}) {
      for (const std::uint8_t last : std::array<std::uint8_t, 5>{0, 1, 2, 20, 255}) {
        ++n;
        addresses.insert(Topology::address_key(PortIndex(port), VlanId(vlan),
                                               Ipv4Address::from_u32(0xc0000200U + last)));
        vhids.insert(Topology::vhid_key(PortIndex(port), VlanId(vlan), Vhid(last)));
      }
    }
  }
  EXPECT_EQ(addresses.size(), n);
  EXPECT_EQ(vhids.size(), n);
}

TEST(Topology, FindsByPortVlanAndAddressOrVhid) {
  const Ipv4Address address = Ipv4Address::from_u32(0xc0000201);
  Topology topology;
  topology.slots.resize(2);
  topology.slots[1].vhid = Vhid(7);
  topology.addresses = Topology::Addresses(std::vector<Topology::Addresses::Item>{
      {Topology::address_key(PortIndex(1), VlanId(20), address),
       {.kind = EntryKind::shared, .slot = SlotIndex(1)}}});
  topology.vhids =
      Table(std::vector{item(Topology::vhid_key(PortIndex(1), VlanId(20), Vhid(7)), 1)});

  const Entry* entry = topology.find_address(PortIndex(1), VlanId(20), address);
  ASSERT_NE(entry, nullptr);
  EXPECT_EQ(entry->slot, SlotIndex(1));
  EXPECT_EQ(topology.find_address(PortIndex(0), VlanId(20), address), nullptr);
  EXPECT_EQ(topology.find_address(PortIndex(1), VlanId(0), address), nullptr);
  EXPECT_EQ(topology.find_address(PortIndex(1), VlanId(20), Ipv4Address{}), nullptr);

  const SlotView* slot = topology.find_slot(PortIndex(1), VlanId(20), Vhid(7));
  ASSERT_EQ(slot, &topology.slots[1]);
  EXPECT_EQ(topology.index_of(*slot), SlotIndex(1));
  EXPECT_EQ(topology.find_slot(PortIndex(0), VlanId(20), Vhid(7)), nullptr);
  EXPECT_EQ(topology.find_slot(PortIndex(1), VlanId(21), Vhid(7)), nullptr);
  EXPECT_EQ(topology.find_slot(PortIndex(1), VlanId(20), Vhid(8)), nullptr);
}

}  // namespace
}  // namespace koi::view_test
