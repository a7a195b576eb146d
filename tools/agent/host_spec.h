#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/net/ip_address.h"
#include "common/net/mac_address.h"
#include "common/time.h"
#include "tools/ctl/reply.h"

namespace koi::agent {

/// An address of the agent's on an interface.
struct HostAddress {
  IpAddress address;
  std::uint8_t prefix = 0;
  bool shared = false;  // of a group, else this box's own
  bool wanted = false;  // now; else it must not be there

  bool operator==(const HostAddress&) const = default;
};

/// One of the kernel's interfaces, as koid wants it.
struct HostInterface {
  std::string name;
  std::string port;
  unsigned vlan = 0;  // 0: the port's own interface, whose link is koid's
  bool gone = false;  // koid has this VLAN no more: what is to go is all that is listed
  std::optional<MacAddress> mac;
  unsigned mtu = 0;         // 0: as it is
  bool up = false;          // the NIC has link
  bool link_local = false;  // koid gives it one
  std::vector<HostAddress> addresses;

  bool operator==(const HostInterface&) const = default;
};

struct HookSpec {
  std::string program;  // absolute path
  Duration timeout = 10s;
};

struct SlotSpec {
  unsigned vhid = 0;
  std::string role;
};

/// A group with hooks.
struct HookGroup {
  std::string name;
  std::string port;
  std::string addresses;  // separated by a blank
  std::vector<HookSpec> hooks;
  std::vector<SlotSpec> slots;
};

/// What koid wants of the agent now (controlplane/app/host_json.h).
struct HostSpec {
  std::string boot;
  std::uint64_t last = 0;  // event that it takes in
  std::string node;
  std::vector<HostInterface> interfaces;
  std::vector<HookGroup> groups;
};

/// Reads koid's reply to {"command":"host"}. What it does not understand is left out.
HostSpec parse_host(const ctl::Json& reply);

}  // namespace koi::agent
