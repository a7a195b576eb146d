#include <cstdint>
#include <memory>
#include <random>
#include <span>
#include <utility>

#include "common/auth/carp_auth.h"
#include "common/auth/trailer_auth.h"
#include "common/balance/balancer.h"
#include "common/contract/slot_board.h"
#include "common/contract/view.h"
#include "controlplane/view_builder.h"
#include "controlplane/view_keeper.h"
#include "tests/bench/operation.h"
#include "tests/support/lab_config.h"

namespace koi::bench {
namespace {

constexpr std::size_t kTimes = 512;
constexpr PortIndex kPort{0};
constexpr VlanId kUntagged{0};

Ipv4Address numbered4(std::size_t n) {
  return Ipv4Address::from_u32(0x0a010000U + static_cast<std::uint32_t>(n));
}
Ipv6Address numbered6(std::size_t n) {
  return ipv6_from({0x2001, 0xdb8, 0, 1, 0, 0, 0, static_cast<std::uint16_t>(n)});
}

/// Of a table of so many addresses, those of random ones.
template <class Address>
Operation look_up(std::string name, std::size_t addresses, Address (*numbered)(std::size_t)) {
  const auto topology = std::make_shared<Topology>();
  using Key = decltype(Topology::address_key(kPort, kUntagged, numbered(0)));
  using Table = FlatTable<Key, Entry>;
  std::vector<typename Table::Item> items;
  for (std::uint32_t n = 0; n < addresses; ++n) {
    items.push_back({Topology::address_key(kPort, kUntagged, numbered(n)),
                     Entry{.kind = EntryKind::shared, .slot = SlotIndex(7)}});
  }
  if constexpr (std::is_same_v<Address, Ipv4Address>) {
    topology->addresses = Table(items);
  } else {
    topology->addresses6 = Table(items);
  }
  std::mt19937 random;
  const auto targets = std::make_shared<std::vector<Address>>();
  for (std::size_t n = 0; n < kTimes; ++n) targets->push_back(numbered(random() % addresses));
  const auto run = [topology, targets] {
    std::size_t found = 0;
    for (const Address& target : *targets) {
      const Entry* entry = topology->find_address(kPort, kUntagged, target);
      found += entry != nullptr && entry->slot == SlotIndex(7) ? 1 : 0;
    }
    return found;
  };
  return {.name = std::move(name), .times = kTimes, .prepare = [] {}, .run = run};
}

Operation hash(std::string name, const balance::Balancer& balancer) {
  const auto run = [balancer] {
    std::size_t known = 0;
    for (std::size_t n = 0; n < kTimes; ++n) {
      const MacAddress mac =
          mac_from({2, 1, 0, 0, static_cast<std::uint8_t>(n >> 8), static_cast<std::uint8_t>(n)});
      known += balancer.member_for({.link_layer = mac, .ethernet = mac, .address = numbered4(n)})
                   ? 1
                   : 0;
    }
    return known;
  };
  return {.name = std::move(name), .times = kTimes, .prepare = [] {}, .run = run};
}

std::vector<std::byte> key_of(std::size_t length) { return {length, std::byte{'k'}}; }

Operation verify_advert() {
  const IpAddress covered[] = {numbered4(1)};
  const auth::CarpAuth auth = auth::CarpAuth::prepare(key_of(20), Vhid(1), covered);
  const auto digests = std::make_shared<std::vector<auth::Sha1Digest>>();
  for (std::size_t n = 0; n < kTimes; ++n) digests->push_back(auth.sign(n));
  const auto run = [auth, digests] {
    std::size_t right = 0;
    for (std::size_t n = 0; n < kTimes; ++n) right += auth.verify(n, (*digests)[n]) ? 1 : 0;
    return right;
  };
  return {.name = "hmac/advert", .times = kTimes, .prepare = [] {}, .run = run};
}

Operation verify_trailer() {
  const auth::TrailerAuth auth(key_of(32));
  const auto pdu = std::make_shared<std::vector<std::byte>>(36, std::byte{0x21});
  const auto subject = [pdu] {
    return auth::TrailerSubject{.protocol_version = auth::kTrailerOfCarp,
                                .vhid = Vhid(1),
                                .source = numbered4(1),
                                .pdu = *pdu};
  };
  const auto trailers = std::make_shared<std::vector<wire::Trailer>>(kTimes);
  for (std::size_t n = 0; n < kTimes; ++n) {
    wire::Trailer& trailer = (*trailers)[n];
    trailer.key_id = 1;
    trailer.sequence = n + 1;
    auth.sign(subject(), trailer);
  }
  const auto run = [auth, subject, trailers] {
    std::size_t right = 0;
    for (const wire::Trailer& trailer : *trailers) {
      right += auth.verify(subject(), trailer) ? 1 : 0;
    }
    return right;
  };
  return {.name = "hmac/trailer", .times = kTimes, .prepare = [] {}, .run = run};
}

/// One port with as many groups of 16 addresses as it can have.
config::Config full_port() {
  constexpr unsigned kGroups = 255;
  constexpr unsigned kAddresses = 16;
  config::Config config = test::lan_box(1);
  const config::Group usual = config.groups[0];
  config.groups.clear();
  for (unsigned g = 1; g <= kGroups; ++g) {
    config::Group group = usual;
    group.name = std::string("g").append(std::to_string(g));
    group.vhid = Vhid(static_cast<std::uint8_t>(g));
    group.addresses.clear();
    for (unsigned n = 0; n < kAddresses; ++n) {
      group.addresses.emplace_back(numbered4(g * kAddresses + n));
    }
    config.groups.push_back(std::move(group));
  }
  return config;
}

/// What a start and a reload build.
Operation build_plan(const config::Config& config) {
  const auto run = [config] {
    const controlplane::Plan plan = controlplane::make_plan(config, {test::port_facts()});
    return plan.slots.size() == config.groups.size() ? std::size_t{1} : 0;
  };
  return {.name = "view/plan", .times = 1, .prepare = [] {}, .run = run};
}

struct Nowhere final : Sender<DownMessage> {
  bool try_send(const DownMessage&) override { return true; }
};

/// What every change of role makes: the next view, sent, and the one before it freed.
Operation change_role(const config::Config& config) {
  struct Rig {
    explicit Rig(const std::shared_ptr<const Topology>& topology)
        : keeper(*board, {&down}, topology), terms(topology->slots.size()) {}
    std::unique_ptr<SlotBoard> board = std::make_unique<SlotBoard>();
    Nowhere down;
    controlplane::ViewKeeper keeper;
    std::vector<Term> terms;
  };
  const auto rig =
      std::make_shared<Rig>(controlplane::make_plan(config, {test::port_facts()}).topology);
  const auto run = [rig] {
    std::size_t adopted = 0;
    for (std::size_t n = 0; n < kTimes; ++n) {
      const ViewNumber number = rig->keeper.next_number();
      rig->keeper.make(rig->terms);
      rig->board->worker(WorkerIndex(0)).adopted.store(number.value());
      rig->keeper.push();
      adopted += rig->keeper.begin_with(number) ? 1 : 0;
    }
    return adopted;
  };
  return {.name = "view/role-change", .times = kTimes, .prepare = [] {}, .run = run};
}

}  // namespace

void add_part_operations(std::vector<Operation>& all) {
  for (const std::size_t addresses : {1U, 4096U, 65536U}) {
    const std::string count = std::to_string(addresses);
    all.push_back(look_up(std::string("lookup/ipv4/").append(count), addresses, numbered4));
    all.push_back(look_up(std::string("lookup/ipv6/").append(count), addresses, numbered6));
  }
  const auto key = key_of(16);
  const auto siphash = [&](balance::By by) {
    return balance::Balancer::siphash(std::span(key).first<16>(), by, 8);
  };
  all.push_back(hash("hash/openbsd", balance::Balancer::openbsd(key, 8)));
  all.push_back(hash("hash/freebsd", balance::Balancer::freebsd(8)));
  all.push_back(hash("hash/siphash-mac", siphash(balance::By::mac)));
  all.push_back(hash("hash/siphash-ip", siphash(balance::By::ip)));
  all.push_back(verify_advert());
  all.push_back(verify_trailer());
  const config::Config config = full_port();
  all.push_back(build_plan(config));
  all.push_back(change_role(config));
}

}  // namespace koi::bench
