#include "controlplane/view_builder.h"

#include <bit>

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

class Builder {
 public:
  Builder(const config::Config& config, const std::vector<PortFacts>& facts)
      : config_(config), facts_(facts) {}

  Plan build() {
    for (std::size_t p = 0; p < config_.ports.size(); ++p) add_port(p);
    for (const config::Group& group : config_.groups) add_group(group);
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

  void add_group(const config::Group& group) {
    std::size_t p = 0;
    while (config_.ports[p].name != group.port) ++p;
    const PortIndex port(static_cast<std::uint8_t>(p));
    const SlotIndex slot(static_cast<std::uint16_t>(topology_.slots.size()));
    const Ipv4Address source = source_of(config_.ports[p], group.vlan);
    const WorkerIndex transmitter = pick_transmitter(facts_[p].receivers, slot.value());

    const auto first_auth = static_cast<std::uint32_t>(topology_.auths.size());
    add_auths(group);
    topology_.slots.push_back(
        SlotView{.port = port,
                 .vlan = group.vlan,
                 .vhid = group.vhid,
                 .mac = virtual_mac(group.vhid),
                 .families = family_bit(Family::ipv4),
                 .replay = group.dialect == Dialect::koi ? ReplayRule::strict : ReplayRule::none,
                 .transmitter = transmitter,
                 .source = source,
                 .first_auth = first_auth,
                 .auth_count = static_cast<std::uint32_t>(topology_.auths.size()) - first_auth});
    vhid_items_.push_back({Topology::vhid_key(port, group.vlan, group.vhid), slot.value()});

    std::vector<IpAddress> shared;
    for (const IpAddress& address : group.addresses) {
      if (!address.is_v4()) continue;
      shared.push_back(address);
      add_entry(port, group.vlan, address.v4(), Entry{EntryKind::shared, slot});
    }
    plan_.slots.push_back(SlotPlan{
        .group = group.name,
        .port = port,
        .vlan = group.vlan,
        .parameters = parameters_of(group, source),
        .transmitter = transmitter,
        .frames = FrameMaker({.port = port,
                              .vlan = group.vlan,
                              .vhid = group.vhid,
                              .source = source,
                              .source6 = {},
                              .global_source6 = {},
                              .shared = std::move(shared),
                              .traffic = traffic_class(group.dialect, config_.ports[p].dscp),
                              .pcp = config_.ports[p].pcp},
                             topology_.auths[first_auth])});
  }

  /// Every accepted key with every accepted address list; the ones in use come first.
  void add_auths(const config::Group& group) {
    std::vector<const config::Secret*> keys = {&group.key};
    for (const config::Secret& key : group.accept_keys) keys.push_back(&key);
    std::vector<const std::vector<IpAddress>*> lists = {&group.addresses};
    if (!group.previous_addresses.empty()) lists.push_back(&group.previous_addresses);
    for (const auto* key : keys) {
      for (const auto* list : lists) {
        topology_.auths.push_back(auth::CarpAuth::prepare(key->bytes(), group.vhid, *list));
      }
    }
  }

  election::Parameters parameters_of(const config::Group& group, Ipv4Address source) const {
    return election::Parameters{.vhid = group.vhid,
                                .advbase = group.advbase,
                                .advskew = group.advskew,
                                .lowest_advskew = group.lowest_advskew.value_or(0),
                                .dead_ratio = group.dead_ratio,
                                .dialect = group.dialect,
                                .preempt = group.preempt,
                                .families = family_bit(Family::ipv4),
                                .source = source,
                                .node = config_.node_id,
                                .announce_refresh = group.announce_refresh};
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
