#pragma once

namespace koi::test {

/// koid's reply to "counters", small but with every part.
inline constexpr const char* kCounters = R"({"ok":true,"node":"fw-a","version":"0.1.0","ports":[
  {"name":"lan","up":true,"packets":{"rx":120,"tx":70},"answers":{"arp":60,"nd":0,"icmp":5},
   "drops":{"runt":3,"arp_not_ours":12,"ipv4_fragment":0,"carp_digest":3}},
  {"name":"wan","up":false,"packets":{"rx":0,"tx":0},"answers":{"arp":0,"nd":0,"icmp":0},
   "drops":{"runt":0}}],
  "slots":[{"group":"lan-gateway","vhid":1,"master":true,"lease_seconds":2.8,
   "adverts_sent":{"ipv4":5,"ipv6":0},"adverts_received":{"accepted":2,"carp_digest":3},
   "notices":{"address-claimed":4,"deaf":0},
   "transitions":[{"from":"INIT","to":"BACKUP","cause":"link up","count":1},
                  {"from":"BACKUP","to":"MASTER","cause":"master-down timer","count":1}]},
   {"group":"wan \"x\"","vhid":2,"master":false,"lease_seconds":0,
   "adverts_sent":{"ipv4":0,"ipv6":0},"adverts_received":{"accepted":0},"transitions":[]}],
  "workers":[{"worker":0,"heartbeat_age_seconds":0.00005,"received":{"lan":7}}],
  "demotion":{"command":240},
  "agent":{"needed":true,"present":false},
  "control_age_seconds":0.0001,"frames_dropped":2,"reports_dropped":1,
  "control_late":{"buckets":[{"le":0.00001,"count":10},{"le":0.001,"count":99}],
                  "count":100,"sum":0.012},
  "takeover":{"buckets":[{"le":0.5,"count":0},{"le":4,"count":1}],"count":1,"sum":3.25}})";

}  // namespace koi::test
