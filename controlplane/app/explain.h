#pragma once

#include <nlohmann/json_fwd.hpp>

#include "controlplane/app/snapshot.h"

namespace koi::app {

/// Who answers for an address, and why: the reply to {"command":"explain","address":…,
/// "client":…}. `client`, a MAC or an IP address, is optional; without it every member of a
/// balanced group is listed. It computes what the workers compute, from the same tables, and asks
/// nobody.
///
/// {"ok":true, "node", "address", "client": text or null, "places": [one per port and VLAN where
/// the address is served:
///   {"kind": "own" | "shared", "port", "vlan", "group": name or null, "mac": of an own address,
///    "balance": null | {"hash", "input": "mac" | "ip", "members", "member": number or null,
///                       "undecided": why there is no member, or null},
///    "slots": those that may answer the client: [
///      {"member", "vhid", "mac": what the client is told, "role", "cause", "since", "lease_ms",
///       "answers_now": this box does, "master": null | {"address", "mac", "this_box"}}]}]}
/// or {"ok":false,"error":…}: what was asked is no address, or none of this box's; the error then
/// names those that are. Service thread.
nlohmann::json explain_json(const Snapshot& snapshot, const nlohmann::json& request);

}  // namespace koi::app
