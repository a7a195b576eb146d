#include "controlplane/view_builder.h"

#include <algorithm>
#include <array>
#include <bit>
#include <map>
#include <optional>
#include <utility>

#include "common/auth/balance_key.h"
#include "config/derived.h"
#include "controlplane/own_addresses.h"
#include "controlplane/ties.h"

namespace koi::controlplane {
namespace {

using config::Dialect;

/// Spreads the slots over the workers that have a queue on the port.
WorkerIndex pick_transmitter(std::uint8_t receivers, std::size_t slot) {
  auto skip = slot % static_cast<std::size_t>(std::popcount(receivers));
  for (; skip > 0; --skip) receivers &= static_cast<std::uint8_t>(receivers - 1);
  return first_receiver(receivers);
}

bool has_link_local(const std::vector<IpAddress>& addresses) {
  return std::any_of(addresses.begin(), addresses.end(),
                     [](const IpAddress& a) { return !a.is_v4() && a.v6().is_link_local(); });
}

/// Every accepted way to sign with this key, the one in use first (protocol.md §4): OpenBSD accepts
/// either treatment of link-local addresses, and so do we; FreeBSD 5 to 9 did not sort.
void add_auths(const config::Group& group, Vhid vhid, std::span<const std::byte> key,
               const std::vector<IpAddress>& addresses, std::vector<auth::CarpAuth>& auths) {
  using auth::LinkLocal;
  const bool include = group.hmac_v6ll == config::HmacLinkLocal::include;
  const LinkLocal first = include ? LinkLocal::include : LinkLocal::exclude;
  const LinkLocal second = include ? LinkLocal::exclude : LinkLocal::include;
  auths.push_back(auth::CarpAuth::prepare(key, vhid, addresses, first));
  if (has_link_local(addresses)) {
    auths.push_back(auth::CarpAuth::prepare(key, vhid, addresses, second));
  }
  if (group.dialect == Dialect::freebsd && addresses.size() > 1) {
    auths.push_back(auth::CarpAuth::prepare(key, vhid, addresses, LinkLocal::include,
                                            auth::AddressOrder::as_given));
  }
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

TrailerRule trailer_rule(const config::Group& group) {
  if (!group.trailer) return TrailerRule::ignored;
  switch (group.trailer->mode) {
    case config::TrailerMode::receive_only:
    case config::TrailerMode::permissive:
      return TrailerRule::verified;
    case config::TrailerMode::enforce:
      return TrailerRule::required;
    case config::TrailerMode::off:
      break;
  }
  return TrailerRule::ignored;
}

bool sends_trailer(const config::Group& group) {
  return group.trailer && (group.trailer->mode == config::TrailerMode::permissive ||
                           group.trailer->mode == config::TrailerMode::enforce);
}

class Builder {
 public:
  Builder(const config::Config& config, const std::vector<PortFacts>& facts)
      : config_(config), facts_(facts) {}

  Plan build(const Numbering& numbering) {
    number_slots(numbering);
    for (std::size_t p = 0; p < config_.ports.size(); ++p) add_port(p);
    for (std::size_t g = 0; g < config_.groups.size(); ++g) add_group(g);
    add_ties();
    // Last: an own or shared address is what it is, whoever else names it.
    for (const PlacePlan& place : plan_.places) add_peers(place);
    topology_.addresses = Topology::Addresses(address_items_);
    topology_.addresses6 = Topology::Addresses6(address6_items_);
    topology_.vhids = Topology::Vhids(vhid_items_);
    topology_.node_id = config_.node_id;
    topology_.prepare_replies();
    plan_.topology = std::make_shared<const Topology>(std::move(topology_));
    return std::move(plan_);
  }

 private:
  /// Every number is there from the start; those of nobody stay as they are made here.
  void number_slots(const Numbering& numbering) {
    std::size_t next = numbering.used;
    for (const config::Group& group : config_.groups) {
      const auto kept = numbering.kept.find(group.name);
      if (kept != numbering.kept.end()) {
        plan_.groups.push_back(kept->second);
        continue;
      }
      const std::size_t count = slots_of(group);
      plan_.groups.push_back(
          {SlotIndex(static_cast<std::uint16_t>(next)), static_cast<std::uint16_t>(count)});
      next += count;
    }
    topology_.slots.resize(next);
    const std::array<std::byte, 1> no_key{};
    const SlotPlan nobody{.group = {},
                          .group_index = SlotPlan::kNoGroup,
                          .port = {},
                          .vlan = {},
                          .parameters = {},
                          .transmitter = {},
                          .frames = FrameMaker({}, auth::CarpAuth::prepare(no_key, Vhid(0), {})),
                          .peers = {},
                          .probes = {},
                          .gone = true};
    plan_.slots.assign(next, nobody);
  }

  void add_port(std::size_t p) {
    const config::Port& port = config_.ports[p];
    const bool host = port.host != config::HostPort::none;
    topology_.ports.push_back({.mac = facts_[p].mac,
                               .receivers = facts_[p].receivers,
                               .host = host,
                               .mtu = facts_[p].mtu});
    const PortIndex index(static_cast<std::uint8_t>(p));
    add_own(index, VlanId(0));
    for (const auto& [vlan, settings] : port.vlans) add_own(index, vlan);
  }

  void add_own(PortIndex port, VlanId vlan) {
    const config::Port& settings = config_.ports[port.value()];
    const OwnAddresses own = own_addresses(settings, vlan, facts_[port.value()].mac,
                                           speaks_ipv6(config_, settings, vlan));
    const Entry own_entry{
        .on_host = topology_.ports[port.value()].host, .kind = EntryKind::own, .slot = {}};
    for (const IpAddress& address : own.all) add_entry(port, vlan, address, own_entry);
    own_.emplace(std::pair{port, vlan}, own);
  }

  void add_entry(PortIndex port, VlanId vlan, const IpAddress& address, Entry entry) {
    entry.number = (address_items_.size() + address6_items_.size()) & Entry::kNumberMask;
    if (address.is_v4()) {
      address_items_.push_back({Topology::address_key(port, vlan, address.v4()), entry});
    } else {
      address6_items_.push_back({Topology::address_key(port, vlan, address.v6()), entry});
    }
  }

  void add_group(std::size_t g) {
    const config::Group& group = config_.groups[g];
    std::size_t p = 0;
    while (config_.ports[p].name != group.port) ++p;
    const PortIndex port(static_cast<std::uint8_t>(p));
    const SlotIndex first = plan_.groups[g].first;

    const bool assigned = group.assign != config::Assign::never;
    Entry entry{
        .on_host = topology_.ports[p].host && assigned, .kind = EntryKind::shared, .slot = first};
    const std::vector<config::Member> members = config::members_of(group);
    if (group.balance && !config::is_by_packet(*group.balance)) {
      entry.balancer = static_cast<std::uint16_t>(topology_.balancers.size());
      topology_.balancers.push_back(balancer_of(group));
    }
    const Shape shape{first, static_cast<std::uint8_t>(members.size()), members[0].vhid,
                      add_trailer_keys(group)};
    for (std::size_t m = 0; m < members.size(); ++m) {
      const SlotIndex slot(static_cast<std::uint16_t>(first.value() + m));
      add_slot(slot, g, port, members[m], shape);
    }
    for (const IpAddress& address : group.addresses) add_entry(port, group.vlan, address, entry);
    add_to_place(group, port);
    if (trailer_rule(group) != TrailerRule::ignored) add_hello(group, port, shape);
  }

  /// What the slots of a group have in common.
  struct Shape {
    SlotIndex first;
    std::uint8_t members;
    Vhid first_vhid;
    std::uint32_t first_trailer_key;
  };

  /// REQUIRES: the group's place and keys are there.
  void add_hello(const config::Group& group, PortIndex port, const Shape& shape) {
    const OwnAddresses& own = own_.at({port, group.vlan});
    const auto place =
        std::find_if(plan_.places.begin(), plan_.places.end(), [&](const PlacePlan& p) {
          return p.interface.port == port && p.interface.vlan == group.vlan;
        });
    HelloPlan hello;
    hello.first = shape.first;
    hello.vhid = shape.first_vhid;
    hello.from = place->interface;
    hello.from.link_local = own.ipv6();
    hello.global_source6 = own.global;
    const bool v4 = (config::families_of(group) & family_bit(Family::ipv4)) != 0;
    hello.family = v4 ? Family::ipv4 : Family::ipv6;
    // A box of another make would answer that nobody listens there.
    if (group.dialect == Dialect::koi) hello.peers = group.peers;
    std::erase_if(hello.peers, [&](const IpAddress& p) { return p.family() != hello.family; });
    hello.interval = group.trailer->hello_interval;
    if (sends_trailer(group) && hello.interval != Duration::zero()) {
      hello.signer = topology_.trailer_keys[shape.first_trailer_key];
    }
    hello.facts = facts_of(group);
    topology_.facts.resize(topology_.slots.size());
    topology_.facts[shape.first.value()] = hello.facts;
    topology_.ports[port.value()].hello = true;
    plan_.hellos.push_back(std::move(hello));
  }

  /// Returns the place of the first one, which signs.
  std::uint32_t add_trailer_keys(const config::Group& group) {
    const auto first = static_cast<std::uint32_t>(topology_.trailer_keys.size());
    if (trailer_rule(group) == TrailerRule::ignored) return first;
    const auto add = [this](const config::TrailerKey& key) {
      topology_.trailer_keys.push_back({key.id, auth::TrailerAuth(key.key.bytes())});
    };
    add(*group.trailer->key);
    for (const config::TrailerKey& key : group.trailer->accept) add(key);
    return first;
  }

  /// protocol.md §2, §11: what a slot tells, and where it sends from.
  void set_macs(const config::Group& group, const Shape& shape, SlotView& slot) const {
    slot.mac = virtual_mac(slot.vhid);
    slot.told = slot.mac;
    slot.sends_from = slot.mac;
    if (!group.balance || !config::is_by_packet(*group.balance)) return;
    const config::BalanceMode mode = group.balance->mode;
    slot.by_packet = true;
    slot.told = mode == config::BalanceMode::ip ? multicast_virtual_mac(shape.first_vhid)
                                                : virtual_mac(shape.first_vhid);
    if (mode != config::BalanceMode::ip_unicast) slot.sends_from = facts_[slot.port.value()].mac;
  }

  void add_slot(SlotIndex slot, std::size_t g, PortIndex port, const config::Member& member,
                const Shape& shape) {
    const config::Group& group = config_.groups[g];
    const OwnAddresses& own = own_.at({port, group.vlan});
    const WorkerIndex transmitter = pick_transmitter(facts_[port.value()].receivers, slot.value());
    const auto first_auth = static_cast<std::uint32_t>(topology_.auths.size());
    add_all_auths(group, member.vhid);
    SlotView& view = topology_.slots[slot.value()];
    view = SlotView{.port = port,
                    .vlan = group.vlan,
                    .vhid = member.vhid,
                    .mac = {},  // these three: set_macs()
                    .told = {},
                    .sends_from = {},
                    .first = shape.first,
                    .members = shape.members,
                    .families = config::families_of(group),
                    .replay = group.dialect == Dialect::koi ? ReplayRule::strict : ReplayRule::none,
                    .multicast = group.multicast,
                    .unicast = !group.peers.empty(),
                    .transmitter = transmitter,
                    .source = own.ipv4,
                    .source6 = own.ipv6(),
                    .first_auth = first_auth,
                    .auth_count = static_cast<std::uint32_t>(topology_.auths.size()) - first_auth,
                    .trailer = trailer_rule(group),
                    .first_trailer_key = shape.first_trailer_key,
                    .trailer_key_count = static_cast<std::uint32_t>(topology_.trailer_keys.size()) -
                                         shape.first_trailer_key};
    set_macs(group, shape, view);
    vhid_items_.push_back({Topology::vhid_key(port, group.vlan, member.vhid), slot});
    plan_.slots[slot.value()] = SlotPlan{.group = group.name,
                                         .group_index = static_cast<std::uint16_t>(g),
                                         .announces = !group.balance,
                                         .port = port,
                                         .vlan = group.vlan,
                                         .parameters = parameters_of(group, member, own),
                                         .transmitter = transmitter,
                                         .frames = frames_of(group, view, own),
                                         .multicast = group.multicast,
                                         .peers = group.peers,
                                         .probes = probes_of(group)};
  }

  FrameMaker frames_of(const config::Group& group, const SlotView& slot,
                       const OwnAddresses& own) const {
    const config::Port& settings = config_.ports[slot.port.value()];
    FrameMaker frames({.port = slot.port,
                       .vlan = slot.vlan,
                       .vhid = slot.vhid,
                       .sends_from = slot.sends_from,
                       .source = own.ipv4,
                       .source6 = own.ipv6(),
                       .global_source6 = own.global,
                       .shared = group.addresses,
                       .traffic = traffic_class(group.dialect, settings.dscp),
                       .pcp = settings.pcp},
                      topology_.auths[slot.first_auth]);
    if (!sends_trailer(group)) return frames;
    return frames.signing(topology_.trailer_keys[slot.first_trailer_key]);
  }

  /// Every accepted key with every accepted address list; the ones in use come first.
  void add_all_auths(const config::Group& group, Vhid vhid) {
    const auto add = [&](const config::Secret& key) {
      add_auths(group, vhid, key.bytes(), group.addresses, topology_.auths);
      if (group.previous_addresses.empty()) return;
      add_auths(group, vhid, key.bytes(), group.previous_addresses, topology_.auths);
    };
    add(group.key);
    for (const config::Secret& key : group.accept_keys) add(key);
  }

  static std::vector<IpAddress> probes_of(const config::Group& group) {
    std::vector<IpAddress> probes = group.peers;
    for (const config::Track& track : group.track) {
      const bool names_one =
          track.kind == config::Track::Kind::ping || track.kind == config::Track::Kind::tcp;
      if (names_one) probes.push_back(track.address);
    }
    return probes;
  }

  void add_to_place(const config::Group& group, PortIndex port) {
    const auto here = [&](const PlacePlan& place) {
      return place.interface.port == port && place.interface.vlan == group.vlan;
    };
    const OwnAddresses& own = own_.at({port, group.vlan});
    auto place = std::find_if(plan_.places.begin(), plan_.places.end(), here);
    if (place == plan_.places.end()) {
      const config::Port& settings = config_.ports[port.value()];
      PlacePlan made;
      made.interface = {.port = port,
                        .vlan = group.vlan,
                        .mac = facts_[port.value()].mac,
                        .source = own.ipv4,
                        .link_local = own.link_local,
                        .traffic = traffic_class(Dialect::koi, settings.dscp),
                        .pcp = settings.pcp};
      for (const IpAddress& address : own.all) {
        if (!address.is_v4()) made.answered.push_back(address.v6());
      }
      place = plan_.places.insert(place, std::move(made));
    }
    if (group.multicast) place->listens |= config::families_of(group);
    for (const IpAddress& address : group.addresses) {
      if (!address.is_v4()) place->answered.push_back(address.v6());
    }
    for (const IpAddress& peer : group.peers) {
      const auto& known = place->peers;
      if (std::find(known.begin(), known.end(), peer) == known.end()) place->peers.push_back(peer);
    }
  }

  void add_peers(const PlacePlan& place) {
    for (const IpAddress& peer : place.peers) {
      add_entry(place.interface.port, place.interface.vlan, peer,
                Entry{.kind = EntryKind::peer, .slot = {}});
    }
  }

  void add_ties() {
    const auto tied = tied_groups(config_.groups);
    for (std::size_t g = 0; g < tied.size(); ++g) {
      if (tied[g].size() < 2 || tied[g].front() != g) continue;  // each tie once
      std::vector<SlotIndex>& slots = plan_.ties.emplace_back();
      for (const std::uint16_t group : tied[g]) {
        const SlotRange range = plan_.groups[group];
        for (std::uint16_t i = 0; i < range.count; ++i) {
          slots.emplace_back(static_cast<std::uint16_t>(range.first.value() + i));
          plan_.slots[slots.back().value()].parameters.tied = true;
        }
      }
    }
  }

  election::Parameters parameters_of(const config::Group& group, const config::Member& member,
                                     const OwnAddresses& own) const {
    return election::Parameters{.vhid = member.vhid,
                                .advbase = group.advbase,
                                .advskew = member.advskew,
                                .lowest_advskew = group.lowest_advskew.value_or(0),
                                .dead_ratio = group.dead_ratio,
                                .dialect = group.dialect,
                                .preempt = group.preempt,
                                .families = config::families_of(group),
                                .source = own.ipv4,
                                .node = config_.node_id,
                                .announce_refresh = group.announce_refresh,
                                .demotion_encoding = group.demotion_encoding,
                                .preempt_delay = group.preempt_delay,
                                .takeover_when_deaf = group.takeover_when_deaf,
                                .source6 = own.ipv6()};
  }

  const config::Config& config_;
  const std::vector<PortFacts>& facts_;
  Topology topology_;
  std::map<std::pair<PortIndex, VlanId>, OwnAddresses> own_;
  std::vector<Topology::Addresses::Item> address_items_;
  std::vector<Topology::Addresses6::Item> address6_items_;
  std::vector<Topology::Vhids::Item> vhid_items_;
  Plan plan_;
};

}  // namespace

WorkerIndex first_receiver(std::uint8_t receivers) {
  return WorkerIndex(static_cast<std::uint8_t>(std::countr_zero(receivers)));
}

std::size_t slots_of(const config::Group& group) { return config::members_of(group).size(); }

Plan make_plan(const config::Config& config, const std::vector<PortFacts>& ports,
               const Numbering& numbering) {
  return Builder(config, ports).build(numbering);
}

}  // namespace koi::controlplane
