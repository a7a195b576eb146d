#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/net/ip_address.h"
#include "common/strong_types.h"
#include "common/time.h"
#include "config/secret.h"

/// The configuration as plain values (design.md, Configuration). Every default stands here, once.
/// A Config that load() returned is valid: the rest of koi does not check it again.
namespace koi::config {

enum class Idle : std::uint8_t { poll, adaptive };
enum class HostPort : std::uint8_t { none, tap, virtio_user };
enum class Protocol : std::uint8_t { carp, vrrp2, vrrp3 };
/// The least able box of the group (design.md, "The election is a function").
enum class Dialect : std::uint8_t { koi, openbsd, freebsd, ucarp };

struct Dataplane {
  unsigned control_core = 0;
  std::vector<unsigned> worker_cores;  // required: 1..kMaxWorkers
  Idle idle = Idle::adaptive;
  bool hugepages = true;         // false: ordinary memory, for labs
  std::vector<std::string> eal;  // further EAL arguments, verbatim

  bool operator==(const Dataplane&) const = default;
};

/// An own address with its prefix length: 192.0.2.2/24.
struct InterfaceAddress {
  IpAddress address;
  std::uint8_t prefix_length = 0;

  bool operator==(const InterfaceAddress&) const = default;
};

struct Vlan {
  std::vector<InterfaceAddress> addresses;

  bool operator==(const Vlan&) const = default;
};

struct Port {
  std::string name;                         // [a-z0-9-]{1,11}
  std::string device;                       // PCI address or DPDK vdev with its arguments
  std::vector<InterfaceAddress> addresses;  // this node's own, untagged
  std::map<VlanId, Vlan> vlans;             // own addresses on a VLAN
  HostPort host = HostPort::none;

  bool operator==(const Port&) const = default;
};

struct Group {
  std::string name;
  std::string port;  // name of a Port
  VlanId vlan{0};    // 0: untagged
  Protocol protocol = Protocol::carp;
  Vhid vhid{0};                                // required, 1..255
  std::uint8_t advbase = 1;                    // seconds, 0..254
  std::uint8_t advskew = 0;                    // 1/256 s, 0..254
  std::optional<std::uint8_t> lowest_advskew;  // required with advbase 0
  std::uint8_t dead_ratio = 3;                 // advertisements missed before a takeover
  Dialect dialect = Dialect::koi;
  bool preempt = false;
  std::string key_file;
  bool allow_weak_key = false;
  Secret key;                        // read from key_file, 1..20 bytes
  std::vector<IpAddress> addresses;  // shared addresses, in the file's order
  std::vector<std::string> accept_key_files;
  std::vector<Secret> accept_keys;  // read from accept_key_files, same order
  std::vector<IpAddress> previous_addresses;
  Duration announce_refresh = 60s;  // 0: never

  bool operator==(const Group&) const = default;
};

struct Control {
  std::string socket = "/run/koi/koid.sock";

  bool operator==(const Control&) const = default;
};

struct Config {
  std::string node;   // default: the host name
  NodeId node_id{0};  // default: from the name
  std::string state_file = "/var/lib/koi/state";
  Dataplane dataplane;
  std::vector<Port> ports;    // in the file's order
  std::vector<Group> groups;  // in the file's order
  Control control;

  bool operator==(const Config&) const = default;
};

}  // namespace koi::config
