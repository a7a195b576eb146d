#pragma once

#include <nlohmann/json_fwd.hpp>

#include "controlplane/app/snapshot.h"

namespace koi::app {

/// Who answers for an address, and why: the reply to {"command":"explain","address":…,
/// "client":…,"from":…}. `client`, a MAC or an IP address, is optional; without it every member of
/// a balanced group is listed. `from` counts for a group balanced by packet: whom the client
/// reaches through the address, instead of the address itself. It computes what the workers
/// compute, from the same tables, and asks nobody.
///
/// {"ok":true, "node", "address", "client": text or null, "from": text or null, "places": [one per
/// port and VLAN where the address is served:
///   {"kind": "own" | "shared", "port", "vlan", "group": name or null, "mac": of an own address,
///    "balance": null | {"mode": "arp" | "ip" | "ip-stealth" | "ip-unicast",
///                       "hash": "openbsd" | "freebsd" | "siphash" | "fold",
///                       "input": "mac" | "ip", "members", "member": number or null,
///                       "undecided": why there is no member, or null},
///    "resolver": null | balanced by packet: the slot that answers ARP and ND for all,
///    "slots": those that may answer the client, or take its packets: [
///      {"member", "vhid", "mac": what the client is told, "role", "cause", "since", "lease_ms",
///       "answers_now": this box does, "master": null | {"address", "mac", "this_box"}}]}]}
/// or {"ok":false,"error":…}: what was asked is no address, or none of this box's; the error then
/// names those that are. Service thread.
nlohmann::json explain_json(const Snapshot& snapshot, const nlohmann::json& request);

}  // namespace koi::app
