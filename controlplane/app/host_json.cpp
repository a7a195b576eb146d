#include "controlplane/app/host_json.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "config/derived.h"
#include "controlplane/own_addresses.h"

namespace koi::app {
namespace {

using config::Assign;
using nlohmann::json;

constexpr std::uint8_t kLinkLocalPrefix = 64;

json address_json(const IpAddress& address, unsigned prefix, bool shared, bool wanted) {
  return {{"address", fmt::format("{}/{}", address.to_string(), prefix)},
          {"shared", shared},
          {"wanted", wanted}};
}

bool is_master(const Snapshot& s, std::size_t group) {
  const controlplane::SlotRange range = s.plan->groups[group];
  for (std::uint16_t i = 0; i < range.count; ++i) {
    if (s.slots[range.first.value() + i].role == election::Role::master) return true;
  }
  return false;
}

bool is_configured(const config::Port& port, VlanId vlan) {
  return vlan == VlanId(0) || port.vlans.contains(vlan);
}

void add_own(const Snapshot& s, std::size_t p, VlanId vlan, json& interface) {
  const config::Port& port = s.config->ports[p];
  if (!port.configure || !is_configured(port, vlan)) return;
  const auto& given = vlan == VlanId(0) ? port.addresses : port.vlans.at(vlan).addresses;
  json& addresses = interface["addresses"];
  for (const config::InterfaceAddress& own : given) {
    addresses.push_back(address_json(own.address, own.prefix_length, false, true));
  }
  const controlplane::OwnAddresses own = controlplane::own_addresses(
      port, vlan, s.plan->topology->ports[p].mac, controlplane::speaks_ipv6(*s.config, port, vlan));
  interface["link_local"] = !own.link_local.is_unspecified();
  if (own.all.size() > given.size()) {  // derived
    addresses.push_back(address_json(own.link_local, kLinkLocalPrefix, false, true));
  }
}

void add_shared(const Snapshot& s, std::size_t p, VlanId vlan, json& interface) {
  for (std::size_t g = 0; g < s.config->groups.size(); ++g) {
    const config::Group& group = s.config->groups[g];
    const bool here = group.port == s.config->ports[p].name && group.vlan == vlan;
    if (!here || group.assign == Assign::never) continue;
    const bool wanted = group.assign == Assign::always || is_master(s, g);
    for (const IpAddress& address : group.addresses) {
      interface["addresses"].push_back(
          address_json(address, address.is_v4() ? 32 : 128, true, wanted));
    }
  }
}

void add_dropped(const Snapshot& s, std::size_t p, VlanId vlan, json& interface) {
  const auto found = s.dropped.find({s.config->ports[p].name, vlan});
  if (found == s.dropped.end()) return;
  json& addresses = interface["addresses"];
  for (const auto& was : found->second) {
    const bool listed = std::any_of(addresses.begin(), addresses.end(),
                                    [&](const json& a) { return a["address"] == was.first; });
    if (listed) continue;  // it is wanted again
    addresses.push_back({{"address", was.first}, {"shared", was.second}, {"wanted", false}});
  }
}

json interface_json(const Snapshot& s, std::size_t p, VlanId vlan) {
  const config::Port& port = s.config->ports[p];
  std::string name = config::kernel_interface(port);
  if (vlan != VlanId(0)) name += fmt::format(".{}", vlan.value());
  json interface = {{"name", name},
                    {"port", port.name},
                    {"vlan", vlan.value()},
                    {"gone", !is_configured(port, vlan)},
                    {"mac", s.plan->topology->ports[p].mac.to_string()},
                    {"mtu", p < s.host_mtu.size() ? s.host_mtu[p] : 0},
                    {"up", static_cast<bool>(s.link_up[p])},
                    {"link_local", false},
                    {"addresses", json::array()}};
  add_own(s, p, vlan, interface);
  add_shared(s, p, vlan, interface);
  add_dropped(s, p, vlan, interface);
  return interface;
}

/// Those it has and, while their addresses may be there yet, those it had.
std::set<VlanId> vlans_of(const Snapshot& s, const config::Port& port) {
  std::set<VlanId> vlans;
  for (const auto& [vlan, settings] : port.vlans) vlans.insert(vlan);
  for (const auto& [place, addresses] : s.dropped) {
    if (place.first == port.name && place.second != VlanId(0)) vlans.insert(place.second);
  }
  return vlans;
}

json group_json(const Snapshot& s, std::size_t g) {
  const config::Group& group = s.config->groups[g];
  json addresses = json::array();
  for (const IpAddress& address : group.addresses) addresses.push_back(address.to_string());
  json hooks = json::array();
  for (const config::Hook& hook : group.hooks) {
    hooks.push_back({{"program", hook.program},
                     {"timeout", std::chrono::duration<double>(hook.timeout).count()}});
  }
  json slots = json::array();
  const controlplane::SlotRange range = s.plan->groups[g];
  for (std::uint16_t i = 0; i < range.count; ++i) {
    const SlotIndex slot(static_cast<std::uint16_t>(range.first.value() + i));
    slots.push_back({{"vhid", s.view_of(slot).vhid.value()},
                     {"role", election::to_string(s.slots[slot.value()].role)}});
  }
  return {{"name", group.name},
          {"port", group.port},
          {"addresses", std::move(addresses)},
          {"hooks", std::move(hooks)},
          {"slots", std::move(slots)}};
}

}  // namespace

void note_dropped(const json& before, Snapshot& s) {
  for (const json& interface : before["interfaces"]) {
    auto& there = s.dropped[{interface["port"].get<std::string>(),
                             VlanId(interface["vlan"].get<std::uint16_t>())}];
    for (const json& address : interface["addresses"]) {
      there.emplace(address["address"].get<std::string>(), address["shared"].get<bool>());
    }
  }
}

json host_json(const Snapshot& s, const FlightRecorder& recorder) {
  json interfaces = json::array();
  for (std::size_t p = 0; p < s.config->ports.size(); ++p) {
    const config::Port& port = s.config->ports[p];
    if (!config::has_kernel_interface(port)) continue;
    interfaces.push_back(interface_json(s, p, VlanId(0)));
    for (const VlanId vlan : vlans_of(s, port)) {
      json interface = interface_json(s, p, vlan);
      if (!interface["addresses"].empty()) interfaces.push_back(std::move(interface));
    }
  }
  json groups = json::array();
  for (std::size_t g = 0; g < s.config->groups.size(); ++g) {
    if (!s.config->groups[g].hooks.empty()) groups.push_back(group_json(s, g));
  }
  return {{"ok", true},
          {"boot", recorder.boot()},
          {"last", recorder.last()},
          {"node", s.config->node},
          {"interfaces", std::move(interfaces)},
          {"groups", std::move(groups)}};
}

}  // namespace koi::app
