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
/// Where traffic goes that is not koi's to answer: nowhere; to the kernel, by a TAP or by
/// vhost-net; or to whoever is behind another DPDK device.
enum class HostPort : std::uint8_t { none, tap, virtio_user, vdev };
/// When the host has a group's shared addresses, so that its programs can bind them.
enum class Assign : std::uint8_t { never, always, master };
enum class Protocol : std::uint8_t { carp, vrrp2, vrrp3 };
/// The least able box of the group (design.md, "The election is a function").
enum class Dialect : std::uint8_t { koi, openbsd, freebsd, ucarp };
/// Where a demotion goes in an advertisement (protocol.md §7, §8): byte 4, as OpenBSD reads it; a
/// raised advskew, as FreeBSD, NetBSD and UCarp do; or both, for a group that has boxes of each.
enum class DemotionEncoding : std::uint8_t { count, skew, both };
/// Whether our own advertisements' HMAC covers IPv6 link-local addresses (protocol.md §4). Both
/// are accepted.
enum class HmacLinkLocal : std::uint8_t { exclude, include };
/// The signed trailer (protocol.md §14): whether one is sent, and what becomes of those received.
/// off: neither; receive_only: one that is there must be right; permissive: likewise, and sent;
/// enforce: sent, and nothing is accepted without.
enum class TrailerMode : std::uint8_t { off, receive_only, permissive, enforce };
enum class BalanceMode : std::uint8_t { arp, ip, ip_stealth, ip_unicast };
enum class BalanceHash : std::uint8_t { openbsd, freebsd, siphash };
/// What of the asker `siphash` hashes.
enum class HashBy : std::uint8_t { mac, ip };

struct Dataplane {
  unsigned control_core = 0;
  std::vector<unsigned> worker_cores;  // required: 1..kMaxWorkers
  Duration stall_after = 10ms;         // a worker that has not polled for so long is stalled
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
  std::vector<std::string> members;         // of a bond, and only there: devices as above
  std::vector<InterfaceAddress> addresses;  // this node's own, untagged
  std::map<VlanId, Vlan> vlans;             // own addresses on a VLAN
  HostPort host = HostPort::none;
  std::string host_vdev;   // host vdev: its name and arguments
  bool configure = false;  // koi-agent gives this node's own addresses to the kernel's interface
  std::optional<std::uint8_t> dscp;  // 0..63, of what koi sends; default: by the group's dialect
  std::uint8_t pcp = 6;              // 0..7, 802.1Q priority of what koi sends tagged

  bool operator==(const Port&) const = default;
};

/// One virtual host of a balanced group.
struct Member {
  Vhid vhid{0};
  std::uint8_t advskew = 0;  // 1/256 s, 0..254

  bool operator==(const Member&) const = default;
};

struct Balance {
  BalanceMode mode = BalanceMode::arp;
  BalanceHash hash = BalanceHash::siphash;  // mode arp, as what follows
  HashBy by = HashBy::mac;
  std::string hash_key_file{};    // empty: the group's key at start
  Secret hash_key{};              // read from hash_key_file
  std::vector<Member> members{};  // 1..32 (the ip modes: 2..32), ascending vhid

  bool operator==(const Balance&) const = default;
};

/// A health check that demotes the group (and those tied to it) while it fails.
struct Track {
  enum class Kind : std::uint8_t { port, ping, tcp, script };
  std::string name;  // in status, events and metrics: "ping 192.0.2.9"
  Kind kind = Kind::port;
  std::string port;          // kind port: name of a Port, whose link counts
  IpAddress address;         // kinds ping and tcp
  std::uint16_t number = 0;  // kind tcp: port number
  std::string program;       // kind script: absolute path; exit code 0 is healthy
  Duration interval = 1s;    // from one check to the next
  Duration timeout = 1s;     // longer is a failure
  std::uint8_t rise = 2;     // this many successes in a row: healthy
  std::uint8_t fall = 3;     // this many failures in a row: not
  std::uint8_t weight = 1;   // demotion while not healthy, 1..255

  bool operator==(const Track&) const = default;
};

/// A program that koi-agent runs at every role change of the group.
struct Hook {
  std::string program;     // absolute path
  Duration timeout = 10s;  // then it is killed

  bool operator==(const Hook&) const = default;
};

struct TrailerKey {
  std::string file;
  std::uint8_t id = 0;  // what trailers name it by
  Secret key{};         // read from the file, 32..64 bytes

  bool operator==(const TrailerKey&) const = default;
};

struct Trailer {
  TrailerMode mode = TrailerMode::off;
  std::optional<TrailerKey> key{};   // signs, and is accepted; required unless off
  std::vector<TrailerKey> accept{};  // also accepted while keys change
  Duration hello_interval = 10s;     // between hellos to each peer; 0: none is sent

  bool operator==(const Trailer&) const = default;
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
  std::optional<Trailer> trailer;
  Duration announce_refresh = 60s;  // 0: never
  std::vector<IpAddress> peers;     // unicast peers
  bool multicast = true;            // false: peers only
  Duration preempt_delay{0};        // how long a better box waits before it preempts
  bool takeover_when_deaf = true;   // a BACKUP whose port hears nothing at all takes over
  std::vector<std::string> tie;     // groups that change role together with this one
  std::vector<Track> track;
  std::optional<Balance> balance;  // vhid and advskew are its members' then
  Assign assign = Assign::never;
  Duration sync_wait{0};  // how long this box gives way for the state of connections; 0: not at all
  std::vector<Hook> hooks;
  HmacLinkLocal hmac_v6ll = HmacLinkLocal::exclude;
  std::optional<DemotionEncoding> demotion_encoding;  // default: by the dialect

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
