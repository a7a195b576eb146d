#include <string_view>

#include <fmt/format.h>

#include "config/sections.h"
#include "config/values.h"
#include "config/words.h"

namespace koi::config {
namespace {

constexpr std::uint64_t kLowestVlan = 1;
constexpr std::uint64_t kHighestVlan = 4094;
constexpr std::size_t kMaxBondMembers = 8;

InterfaceAddress load_own_address(const YamlNode& node) {
  constexpr std::string_view kAllowed =
      "an address with its prefix length: 192.0.2.2/24, \"2001:db8::2/64\"";
  const auto given = node.text(kAllowed);
  if (!given) return {};
  const auto parsed = parse_interface_address(*given);
  if (!parsed) {
    node.error(fmt::format("{} is wrong; allowed: {}", in_quotes(*given), kAllowed));
    return {};
  }
  check_is_host(node, parsed->address);
  return *parsed;
}

void load_vlans(YamlMap& port, std::map<VlanId, Vlan>& vlans) {
  const auto node = port.find("vlans");
  const auto map = node ? node->map() : std::nullopt;
  if (!map) return;
  for (const auto& [key, value] : map->entries()) {
    const auto id = parse_whole_number(key);
    if (!id || *id < kLowestVlan || *id > kHighestVlan) {
      value.error(fmt::format("{} is no VLAN; allowed: {} to {}", in_quotes(key), kLowestVlan,
                              kHighestVlan));
      continue;
    }
    Vlan& vlan = vlans[VlanId(static_cast<std::uint16_t>(*id))];
    auto fields = value.map();
    if (!fields) continue;
    load_own_addresses(*fields, vlan.addresses);
    fields->finish();
  }
}

constexpr std::string_view kDevice =
    "a PCI address like \"0000:3b:00.0\", or a DPDK vdev whose name begins with net_ or eth_ "
    "like \"net_af_packet0,iface=eth1\"";

/// Empty iff it is wrong.
std::string load_device(const YamlNode& node) {
  const auto given = node.text(kDevice);
  if (!given) return {};
  if (is_pci_address(*given) || is_vdev(*given)) return *given;
  node.error(fmt::format("{} is wrong; allowed: {}", in_quotes(*given), kDevice));
  return {};
}

void load_members(YamlMap& map, std::vector<std::string>& members) {
  const auto node = map.find("members");
  const auto list = node ? node->list() : std::nullopt;
  if (!list) return;
  if (list->empty() || list->size() > kMaxBondMembers) {
    node->error(fmt::format("has {} devices; allowed: 1 to {}", list->size(), kMaxBondMembers));
    return;
  }
  for (const YamlNode& item : *list) members.push_back(load_device(item));
}

void load_host(YamlMap& map, Port& port) {
  constexpr std::string_view kAllowed =
      "none, tap, virtio-user, or vdev: and a DPDK vdev like \"vdev:net_memif0,role=client\"";
  const auto node = map.find("host");
  const auto given = node ? node->text(kAllowed) : std::nullopt;
  if (!given) return;
  if (given->starts_with(kHostVdevPrefix) && is_vdev(given->substr(kHostVdevPrefix.size()))) {
    port.host = HostPort::vdev;
    port.host_vdev = given->substr(kHostVdevPrefix.size());
  } else if (const auto choice = node->choice<HostPort>(kHostWords, kAllowed)) {
    port.host = *choice;
  }
}

std::optional<Port> load_port(const std::string& name, const YamlNode& node) {
  if (!is_name(name, kMaxPortName)) {
    node.error(fmt::format("{} is no name for a port; allowed: 1 to {} of a-z, 0-9 and -",
                           in_quotes(name), kMaxPortName));
  }
  auto map = node.map();
  if (!map) return std::nullopt;
  Port port;
  port.name = name;
  if (const auto device = map->require("device", kDevice)) port.device = load_device(*device);
  load_members(*map, port.members);
  load_own_addresses(*map, port.addresses);
  load_vlans(*map, port.vlans);
  load_host(*map, port);
  map->read("configure", port.configure);
  if (const auto dscp = map->find("dscp")) {
    const auto value = dscp->whole_number(0, 63);
    if (value) port.dscp = static_cast<std::uint8_t>(*value);
  }
  map->read("pcp", port.pcp, std::uint8_t{0}, std::uint8_t{7});
  map->finish();
  return port;
}

}  // namespace

void load_own_addresses(YamlMap& map, std::vector<InterfaceAddress>& addresses) {
  const auto node = map.find("addresses");
  const auto list = node ? node->list() : std::nullopt;
  if (!list) return;
  if (list->size() > kMaxOwnAddresses) {
    node->error(
        fmt::format("has {} addresses; allowed: at most {}", list->size(), kMaxOwnAddresses));
    return;
  }
  for (const YamlNode& item : *list) addresses.push_back(load_own_address(item));
}

void load_ports(const YamlNode& section, std::vector<Port>& ports) {
  const auto map = section.map();
  if (!map) return;
  const auto entries = map->entries();
  if (entries.empty() || entries.size() > kMaxPorts) {
    section.error(fmt::format("has {} ports; allowed: 1 to {}", entries.size(), kMaxPorts));
  }
  for (const auto& [name, node] : entries) {
    if (ports.size() == kMaxPorts) break;
    if (auto port = load_port(name, node)) ports.push_back(std::move(*port));
  }
}

}  // namespace koi::config
