#include "controlplane/view_builder.h"

#include <algorithm>
#include <bit>

#include "common/auth/balance_key.h"

namespace koi::controlplane {
namespace {

using config::Dialect;

const std::vector<config::InterfaceAddress>& own_addresses(const config::Port& port, VlanId vlan) {
  return vlan == VlanId(0) ? port.addresses : port.vlans.at(vlan).addresses;
}

/// The first IPv4 address there: source of advertisements (protocol.md §2).
Ipv4Address source_of(const config::Port& port, VlanId vlan) {
  for (const config::InterfaceAddress& own : own_addresses(port, vlan)) {
    if (own.address.is_v4()) return own.address.v4();
  }
  return {};
}

/// Spreads the slots over the workers that have a queue on the port.
WorkerIndex pick_transmitter(std::uint8_t receivers, std::size_t slot) {
  auto skip = slot % static_cast<std::size_t>(std::popcount(receivers));
  for (; skip > 0; --skip) receivers &= static_cast<std::uint8_t>(receivers - 1);
  return WorkerIndex(static_cast<std::uint8_t>(std::countr_zero(receivers)));
}

balance::Balancer balancer_of(const config::Group& group) {
  const config::Balance& balance = *group.balance;
  const auto members = static_cast<unsigned>(balance.members.size());
  const config::Secret& key = balance.hash_key.empty() ? group.key : balance.hash_key;
  switch (balance.hash) {
    case config::BalanceHash::openbsd:
      return balance::Balancer::openbsd(key.bytes(), members);
    case config::BalanceHash::freebsd:
      return balance::Balancer::freebsd(members);
    case config::BalanceHash::siphash:
      break;
  }
  const auto by = balance.by == config::HashBy::mac ? balance::By::mac : balance::By::ip;
  return balance::Balancer::siphash(auth::balance_key(key.bytes()), by, members);
}

class Builder {
 public:
  Builder(const config::Config& config, const std::vector<PortFacts>& facts)
      : config_(config), facts_(facts) {}

  Plan build() {
    for (std::size_t p = 0; p < config_.ports.size(); ++p) add_port(p);
    for (std::size_t g = 0; g < config_.groups.size(); ++g) add_group(g);
    topology_.addresses = FlatTable<std::uint64_t>(address_items_);
    topology_.vhids = FlatTable<std::uint64_t>(vhid_items_);
    topology_.node_id = config_.node_id;
    plan_.topology = std::make_shared<const Topology>(std::move(topology_));
    return std::move(plan_);
  }

 private:
  void add_port(std::size_t p) {
    const config::Port& port = config_.ports[p];
    topology_.ports.push_back(PortView{facts_[p].mac, facts_[p].receivers});
    const PortIndex index(static_cast<std::uint8_t>(p));
    add_own(index, VlanId(0), port.addresses);
    for (const auto& [vlan, settings] : port.vlans) add_own(index, vlan, settings.addresses);
  }

  void add_own(PortIndex port, VlanId vlan, const std::vector<config::InterfaceAddress>& own) {
    for (const config::InterfaceAddress& address : own) {
      if (address.address.is_v4()) {
        add_entry(port, vlan, address.address.v4(), Entry{EntryKind::own, {}});
      }
    }
  }

  void add_entry(PortIndex port, VlanId vlan, Ipv4Address address, const Entry& entry) {
    address_items_.push_back({Topology::address_key(port, vlan, address),
                              static_cast<std::uint32_t>(topology_.entries.size())});
    topology_.entries.push_back(entry);
  }

  void add_group(std::size_t g) {
    const config::Group& group = config_.groups[g];
    std::size_t p = 0;
    while (config_.ports[p].name != group.port) ++p;
    const PortIndex port(static_cast<std::uint8_t>(p));
    const SlotIndex first(static_cast<std::uint16_t>(topology_.slots.size()));

    Entry entry{EntryKind::shared, first};
    std::vector<config::Member> members = {{group.vhid, group.advskew}};
    if (group.balance) {
      members = group.balance->members;
      std::sort(members.begin(), members.end(),
                [](const auto& a, const auto& b) { return a.vhid < b.vhid; });
      entry.balancer = static_cast<std::uint16_t>(topology_.balancers.size());
      topology_.balancers.push_back(balancer_of(group));
    }
    for (const config::Member& member : members) add_slot(g, port, member);
    plan_.groups.push_back({first, static_cast<std::uint16_t>(members.size())});

    for (const IpAddress& address : group.addresses) {
      if (address.is_v4()) add_entry(port, group.vlan, address.v4(), entry);
    }
  }

  void add_slot(std::size_t g, PortIndex port, const config::Member& member) {
    const config::Group& group = config_.groups[g];
    const SlotIndex slot(static_cast<std::uint16_t>(topology_.slots.size()));
    const Ipv4Address source = source_of(config_.ports[port.value()], group.vlan);
    const WorkerIndex transmitter = pick_transmitter(facts_[port.value()].receivers, slot.value());

    const auto first_auth = static_cast<std::uint32_t>(topology_.auths.size());
    add_auths(group, member.vhid);
    topology_.slots.push_back(
        SlotView{.port = port,
                 .vlan = group.vlan,
                 .vhid = member.vhid,
                 .mac = virtual_mac(member.vhid),
                 .families = family_bit(Family::ipv4),
                 .replay = group.dialect == Dialect::koi ? ReplayRule::strict : ReplayRule::none,
                 .transmitter = transmitter,
                 .source = source,
                 .first_auth = first_auth,
                 .auth_count = static_cast<std::uint32_t>(topology_.auths.size()) - first_auth});
    vhid_items_.push_back({Topology::vhid_key(port, group.vlan, member.vhid), slot.value()});

    std::vector<Ipv4Address> shared;
    for (const IpAddress& address : group.addresses) {
      if (address.is_v4()) shared.push_back(address.v4());
    }
    plan_.slots.push_back(
        SlotPlan{.group = group.name,
                 .group_index = static_cast<std::uint16_t>(g),
                 .announces = !group.balance,
                 .port = port,
                 .vlan = group.vlan,
                 .parameters = parameters_of(group, member, source),
                 .transmitter = transmitter,
                 .frames = FrameMaker(port, group.vlan, member.vhid, source, std::move(shared),
                                      topology_.auths[first_auth])});
  }

  /// Every accepted key with every accepted address list; the ones in use come first.
  void add_auths(const config::Group& group, Vhid vhid) {
    std::vector<const config::Secret*> keys = {&group.key};
    for (const config::Secret& key : group.accept_keys) keys.push_back(&key);
    std::vector<const std::vector<IpAddress>*> lists = {&group.addresses};
    if (!group.previous_addresses.empty()) lists.push_back(&group.previous_addresses);
    for (const auto* key : keys) {
      for (const auto* list : lists) {
        topology_.auths.push_back(auth::CarpAuth::prepare(key->bytes(), vhid, *list));
      }
    }
  }

  election::Parameters parameters_of(const config::Group& group, const config::Member& member,
                                     Ipv4Address source) const {
    return election::Parameters{.vhid = member.vhid,
                                .advbase = group.advbase,
                                .advskew = member.advskew,
                                .lowest_advskew = group.lowest_advskew.value_or(0),
                                .dead_ratio = group.dead_ratio,
                                .dialect = group.dialect,
                                .preempt = group.preempt,
                                .families = family_bit(Family::ipv4),
                                .source = source,
                                .node = config_.node_id,
                                .announce_refresh = group.announce_refresh,
                                .demotion_encoding = group.demotion_encoding,
                                .preempt_delay = group.preempt_delay,
                                .takeover_when_deaf = group.takeover_when_deaf};
  }

  const config::Config& config_;
  const std::vector<PortFacts>& facts_;
  Topology topology_;
  std::vector<FlatTable<std::uint64_t>::Item> address_items_;
  std::vector<FlatTable<std::uint64_t>::Item> vhid_items_;
  Plan plan_;
};

}  // namespace

Plan make_plan(const config::Config& config, const std::vector<PortFacts>& ports) {
  return Builder(config, ports).build();
}

}  // namespace koi::controlplane
