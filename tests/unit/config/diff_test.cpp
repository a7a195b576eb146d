#include "config/diff.h"

#include <functional>
#include <map>
#include <set>
#include <sstream>

#include <gtest/gtest.h>

#include "config/load.h"
#include "tests/support/lab_config.h"

namespace koi::config::diff_test {
namespace {

IpAddress ip(const char* text) { return IpAddress::parse(text).value(); }

/// With everything that can be printed.
Config everything() {
  Config config = test::two_port_box(2);
  config.node = "fw-a";
  config.dataplane.worker_cores = {1};
  Port& port = config.ports[0];
  port.device = "net_a";
  port.members = {"net_b"};
  port.dscp = 3;
  port.vlans[VlanId(20)] = {};
  Group& group = config.groups[0];
  group.vlan = VlanId(20);
  group.lowest_advskew = 1;
  group.key_file = "/keys/lan";
  group.demotion_encoding = DemotionEncoding::both;
  group.trailer = Trailer{.mode = TrailerMode::permissive,
                          .key = TrailerKey{"/keys/sign", 1, test::secret(std::string(32, 'k'))}};
  group.track.emplace_back().port = "wan";
  group.track[0].name = "port wan";
  Group& balanced = config.groups.emplace_back(test::lan_group());
  balanced.name = "balanced";
  balanced.key_file = "/keys/balanced";
  balanced.addresses = {ip("192.0.2.30")};
  balanced.balance = Balance{.hash_key_file = "/keys/hash",
                             .hash_key = test::secret("sixteen bytes 16"),
                             .members = {{Vhid(3), 0}, {Vhid(4), 100}}};
  return config;
}

struct Case {
  const char* key;
  std::function<void(Config&)> change;
  Effect effect;
  bool role_may_change;
};

Port& lan(Config& c) { return c.ports[0]; }
Group& first(Config& c) { return c.groups[0]; }
Balance& balance(Config& c) { return *c.groups[2].balance; }

// One for every key that print() has.
const std::vector<Case> kCases = {
    {"node", [](Config& c) { c.node = "fw-b"; }, Effect::refused, false},
    {"node-id", [](Config& c) { c.node_id = NodeId(9); }, Effect::refused, false},
    {"state-file", [](Config& c) { c.state_file = "/x"; }, Effect::refused, false},
    {"dataplane.control-core", [](Config& c) { c.dataplane.control_core = 7; }, Effect::refused,
     false},
    {"dataplane.worker-cores",
     [](Config& c) {
       c.dataplane.worker_cores = {1, 2};
     },
     Effect::refused, false},
    {"dataplane.idle", [](Config& c) { c.dataplane.idle = Idle::poll; }, Effect::refused, false},
    {"dataplane.stall-after", [](Config& c) { c.dataplane.stall_after = 1s; }, Effect::refused,
     false},
    {"dataplane.hugepages", [](Config& c) { c.dataplane.hugepages = false; }, Effect::refused,
     false},
    {"dataplane.eal", [](Config& c) { c.dataplane.eal = {"-v"}; }, Effect::refused, false},
    {"ports.lan.device", [](Config& c) { lan(c).device = "net_x"; }, Effect::refused, false},
    {"ports.lan.members", [](Config& c) { lan(c).members = {"net_x"}; }, Effect::refused, false},
    {"ports.lan.host", [](Config& c) { lan(c).host = HostPort::tap; }, Effect::refused, false},
    {"ports.lan.addresses", [](Config& c) { lan(c).addresses[0].prefix_length = 25; }, Effect::live,
     false},
    {"ports.lan.vlans.20",
     [](Config& c) {
       lan(c).vlans[VlanId(20)].addresses = {{ip("10.0.0.1"), 8}};
     },
     Effect::live, false},
    {"ports.lan.configure", [](Config& c) { lan(c).configure = true; }, Effect::live, false},
    {"ports.lan.dscp", [](Config& c) { lan(c).dscp = 4; }, Effect::live, false},
    {"ports.lan.pcp", [](Config& c) { lan(c).pcp = 1; }, Effect::live, false},
    {"groups.lan-gateway.port", [](Config& c) { first(c).port = "wan"; }, Effect::restarts, true},
    {"groups.lan-gateway.vlan", [](Config& c) { first(c).vlan = VlanId(30); }, Effect::restarts,
     true},
    {"groups.lan-gateway.protocol", [](Config& c) { first(c).protocol = Protocol::vrrp3; },
     Effect::restarts, true},
    {"groups.lan-gateway.vhid", [](Config& c) { first(c).vhid = Vhid(9); }, Effect::restarts, true},
    {"groups.lan-gateway.dialect", [](Config& c) { first(c).dialect = Dialect::ucarp; },
     Effect::restarts, true},
    {"groups.lan-gateway.advbase", [](Config& c) { first(c).advbase = 2; }, Effect::live, true},
    {"groups.lan-gateway.advskew", [](Config& c) { first(c).advskew = 9; }, Effect::live, true},
    {"groups.lan-gateway.lowest-advskew", [](Config& c) { first(c).lowest_advskew = 2; },
     Effect::live, true},
    {"groups.lan-gateway.dead-ratio", [](Config& c) { first(c).dead_ratio = 4; }, Effect::live,
     true},
    {"groups.lan-gateway.hmac-v6ll", [](Config& c) { first(c).hmac_v6ll = HmacLinkLocal::include; },
     Effect::live, false},
    {"groups.lan-gateway.demotion-encoding",
     [](Config& c) { first(c).demotion_encoding = DemotionEncoding::skew; }, Effect::live, false},
    {"groups.lan-gateway.preempt", [](Config& c) { first(c).preempt = true; }, Effect::live, true},
    {"groups.lan-gateway.preempt-delay", [](Config& c) { first(c).preempt_delay = 1s; },
     Effect::live, false},
    {"groups.lan-gateway.takeover-when-deaf",
     [](Config& c) { first(c).takeover_when_deaf = false; }, Effect::live, false},
    {"groups.lan-gateway.key-file",
     [](Config& c) { first(c).key_file = "/keys/new", first(c).key = test::secret("new key"); },
     Effect::live, true},
    {"groups.lan-gateway.allow-weak-key", [](Config& c) { first(c).allow_weak_key = true; },
     Effect::live, false},
    {"groups.lan-gateway.addresses",
     [](Config& c) { first(c).addresses.push_back(ip("192.0.2.11")); }, Effect::live, true},
    {"groups.lan-gateway.accept-key-files",
     [](Config& c) { first(c).accept_key_files = {"/keys/next"}; }, Effect::live, false},
    {"groups.lan-gateway.previous-addresses",
     [](Config& c) { first(c).previous_addresses = {ip("192.0.2.12")}; }, Effect::live, false},
    {"groups.lan-gateway.trailer.mode",
     [](Config& c) { first(c).trailer->mode = TrailerMode::enforce; }, Effect::live, true},
    {"groups.lan-gateway.trailer.key-file",
     [](Config& c) {
       first(c).trailer->key->file = "/keys/new";
       first(c).trailer->key->key = test::secret(std::string(32, 'n'));
     },
     Effect::live, true},
    {"groups.lan-gateway.trailer.key-id", [](Config& c) { first(c).trailer->key->id = 2; },
     Effect::live, true},
    {"groups.lan-gateway.trailer.hello-interval",
     [](Config& c) { first(c).trailer->hello_interval = 1s; }, Effect::live, false},
    {"groups.lan-gateway.trailer.accept",
     [](Config& c) {
       first(c).trailer->accept = {{"/keys/next", 7, {}}};
     },
     Effect::live, false},
    {"groups.lan-gateway.announce-refresh", [](Config& c) { first(c).announce_refresh = 1s; },
     Effect::live, false},
    {"groups.lan-gateway.peers", [](Config& c) { first(c).peers = {ip("192.0.2.3")}; },
     Effect::live, false},
    {"groups.lan-gateway.multicast", [](Config& c) { first(c).multicast = false; }, Effect::live,
     false},
    {"groups.lan-gateway.tie", [](Config& c) { first(c).tie = {"wan-gateway"}; }, Effect::live,
     true},
    {"groups.lan-gateway.track", [](Config& c) { first(c).track[0].weight = 9; }, Effect::live,
     true},
    {"groups.lan-gateway.assign", [](Config& c) { first(c).assign = Assign::always; }, Effect::live,
     false},
    {"groups.lan-gateway.sync-wait", [](Config& c) { first(c).sync_wait = 1s; }, Effect::live,
     false},
    {"groups.lan-gateway.hooks",
     [](Config& c) {
       first(c).hooks = {{"/bin/x", 1s}};
     },
     Effect::live, false},
    {"groups.balanced.balance.mode", [](Config& c) { balance(c).mode = BalanceMode::ip; },
     Effect::refused, false},
    {"groups.balanced.balance.hash", [](Config& c) { balance(c).hash = BalanceHash::openbsd; },
     Effect::refused, false},
    {"groups.balanced.balance.by", [](Config& c) { balance(c).by = HashBy::ip; }, Effect::refused,
     false},
    {"groups.balanced.balance.hash-key-file",
     [](Config& c) { balance(c).hash_key_file = "/keys/other"; }, Effect::refused, false},
    {"groups.balanced.balance.members",
     [](Config& c) {
       balance(c).members.push_back({Vhid(5), 0});
     },
     Effect::refused, false},
    {"control.socket", [](Config& c) { c.control.socket = "/x"; }, Effect::refused, false},
};

/// The keys of the canonical form, by its indentation.
std::set<std::string> printed_keys(const Config& config) {
  std::set<std::string> keys;
  std::vector<std::string> path;
  std::istringstream lines(print(config));
  for (std::string line; std::getline(lines, line);) {
    const std::size_t indent = line.find_first_not_of(' ');
    const std::size_t colon = line.find(':');
    path.resize(indent / 2);
    path.push_back(line.substr(indent, colon - indent));
    if (line.size() == colon + 1 && path.back() != "track") continue;
    if (path.size() > 3 && path[2] == "track") continue;
    std::string key;
    for (const std::string& name : path) key += (key.empty() ? "" : ".") + name;
    keys.insert(key);
  }
  return keys;
}

const Change* find(const std::vector<Change>& changes, const std::string& key) {
  for (const Change& change : changes) {
    if (change.key == key) return &change;
  }
  return nullptr;
}

// C20.4 refused
TEST(Diff, EachKeyHasItsEffect) {
  for (const Case& c : kCases) {
    Config wanted = everything();
    c.change(wanted);
    const std::vector<Change> changes = diff(everything(), wanted);
    const Change* change = find(changes, c.key);
    ASSERT_NE(change, nullptr) << c.key;
    EXPECT_EQ(change->effect, c.effect) << c.key;
    EXPECT_EQ(change->role_may_change, c.role_may_change) << c.key;
    EXPECT_NE(change->from, change->to) << c.key;
    for (const Change& other : changes) {  // what hangs on it, as the keys of another mode
      EXPECT_EQ(other.effect, c.effect) << c.key << " and " << other.key;
    }
  }
}

TEST(Diff, NoKeyIsForgotten) {
  std::set<std::string> tested;
  for (const Case& c : kCases) tested.insert(c.key);
  const Config config = everything();
  for (const std::string& key : printed_keys(config)) {
    if (key.starts_with("ports.wan.") || key.starts_with("groups.wan-gateway.")) continue;
    if (key.starts_with("groups.balanced.") && !key.starts_with("groups.balanced.balance"))
      continue;
    EXPECT_TRUE(tested.contains(key)) << key << " has no case here: what may a reload do with it?";
  }
}

TEST(Diff, TheSameIsNoChange) {
  EXPECT_TRUE(diff(everything(), everything()).empty());
  Config turned = everything();
  std::rotate(turned.groups.begin(), turned.groups.begin() + 1, turned.groups.end());
  EXPECT_TRUE(diff(everything(), turned).empty());  // the order of groups does not count
}

TEST(Diff, GroupsComeAndGo) {
  const Config with = everything();
  Config without = everything();
  without.groups.erase(without.groups.begin() + 1);
  const std::vector<Change> gone = diff(with, without);
  ASSERT_EQ(gone.size(), 1U);
  EXPECT_EQ(gone[0].key, "groups.wan-gateway");
  EXPECT_EQ(gone[0].effect, Effect::ends);
  EXPECT_TRUE(gone[0].role_may_change);
  const std::vector<Change> come = diff(without, with);
  ASSERT_EQ(come.size(), 1U);
  EXPECT_EQ(come[0].effect, Effect::starts);
  EXPECT_EQ(come[0].group, "wan-gateway");
}

TEST(Diff, PortsStayAsTheyAre) {
  Config turned = everything();
  std::swap(turned.ports[0], turned.ports[1]);
  const std::vector<Change> changes = diff(everything(), turned);
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].key, "ports");
  EXPECT_EQ(changes[0].effect, Effect::refused);
  Config more = everything();
  more.ports.push_back(test::lan_port(4));
  more.ports.back().name = "dmz";
  ASSERT_EQ(diff(everything(), more).size(), 1U);
  EXPECT_EQ(diff(everything(), more)[0].effect, Effect::refused);
}

TEST(Diff, AnotherKeyInTheSameFileIsSeenAndNotShown) {
  Config wanted = everything();
  first(wanted).key = test::secret("another one");
  const std::vector<Change> changes = diff(everything(), wanted);
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].key, "groups.lan-gateway.key-file");
  EXPECT_TRUE(changes[0].role_may_change);
  EXPECT_EQ(changes[0].note.find("another one in"), std::string::npos);
  EXPECT_EQ(changes[0].from, "/keys/lan");
  EXPECT_EQ(changes[0].to, "/keys/lan");
}

// Accept the new one everywhere, go over to it and accept the old one: no role changes.
TEST(Diff, HalfOfARollingChangeIsNoChangeOfRole) {
  Config wanted = everything();
  first(wanted).accept_key_files = {"/keys/lan"};
  first(wanted).accept_keys = {first(wanted).key};
  first(wanted).key_file = "/keys/new";
  first(wanted).key = test::secret("new key");
  first(wanted).previous_addresses = first(wanted).addresses;
  first(wanted).addresses.push_back(ip("192.0.2.11"));
  first(wanted).trailer->accept = {*first(wanted).trailer->key};
  first(wanted).trailer->key = TrailerKey{"/keys/next", 2, test::secret(std::string(32, 'n'))};
  for (const Change& change : diff(everything(), wanted)) {
    EXPECT_FALSE(change.role_may_change) << change.key;
    EXPECT_EQ(change.effect, Effect::live) << change.key;
  }
}

TEST(Diff, AnotherFamilyIsAnotherGroup) {
  Config wanted = everything();
  first(wanted).addresses.push_back(ip("2001:db8::11"));
  const std::vector<Change> changes = diff(everything(), wanted);
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].effect, Effect::restarts);
  first(wanted).preempt_delay = 1s;  // of a group that starts anew nothing is live
  const std::vector<Change> both = diff(everything(), wanted);
  ASSERT_EQ(both.size(), 2U);
  for (const Change& change : both) EXPECT_EQ(change.effect, Effect::restarts) << change.key;
}

// C20.4 kept
TEST(Diff, MembersMayHaveOtherTimers) {
  Config wanted = everything();
  balance(wanted).members[1].advskew = 50;
  const std::vector<Change> changes = diff(everything(), wanted);
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].effect, Effect::live);
  EXPECT_TRUE(changes[0].role_may_change);
}

}  // namespace
}  // namespace koi::config::diff_test
