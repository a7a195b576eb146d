#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/config.h"
#include "controlplane/view_builder.h"

/// Configurations and plans for tests, as the loader would have made them.
namespace koi::test {

inline config::Secret secret(const std::string& text) {
  std::vector<std::byte> bytes;
  for (const char c : text) bytes.push_back(static_cast<std::byte>(c));
  return config::Secret(std::move(bytes));
}

inline Ipv4Address ip4(const char* text) { return Ipv4Address::parse(text).value(); }

inline Ipv6Address ip6(const char* text) { return Ipv6Address::parse(text).value(); }

/// 192.0.2.<last> on port "lan".
inline config::Port lan_port(std::uint8_t last) {
  config::Port port;
  port.name = "lan";
  port.addresses = {{Ipv4Address::from_u32(0xc0000200U | last), 24}};
  return port;
}

/// vhid 1, key "secret", shared address 192.0.2.10.
inline config::Group lan_group() {
  config::Group group;
  group.name = "lan-gateway";
  group.port = "lan";
  group.vhid = Vhid(1);
  group.key = secret("secret");
  group.addresses = {ip4("192.0.2.10")};
  return group;
}

/// One box with one port and one group. node: its node-id and the last byte of its address.
inline config::Config lan_box(std::uint8_t node) {
  config::Config config;
  config.node_id = NodeId(node);
  config.ports = {lan_port(node)};
  config.groups = {lan_group()};
  return config;
}

/// As lan_box(), with 2001:db8::<node> on the port and 2001:db8::10 shared as well.
inline config::Config dual_stack_box(std::uint8_t node) {
  config::Config config = lan_box(node);
  config.ports[0].addresses.push_back({ip6(("2001:db8::" + std::to_string(node)).c_str()), 64});
  config.groups[0].addresses.emplace_back(ip6("2001:db8::10"));
  return config;
}

/// A second port "wan" with 198.51.100.<node> and there vhid 2 with 198.51.100.10.
inline config::Config two_port_box(std::uint8_t node) {
  config::Config config = lan_box(node);
  config::Port wan = lan_port(node);
  wan.name = "wan";
  wan.addresses = {{Ipv4Address::from_u32(0xc6336400U | node), 24}};
  config.ports.push_back(wan);
  config::Group group = lan_group();
  group.name = "wan-gateway";
  group.port = "wan";
  group.vhid = Vhid(2);
  group.addresses = {ip4("198.51.100.10")};
  config.groups.push_back(group);
  return config;
}

/// A port whose MAC is 02:00:00:00:00:01, polled by the workers of the mask.
inline controlplane::PortFacts port_facts(std::uint8_t receivers = 1) {
  return {mac_from({2, 0, 0, 0, 0, 1}), receivers};
}

}  // namespace koi::test
