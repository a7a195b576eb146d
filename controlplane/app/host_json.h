#pragma once

#include <nlohmann/json_fwd.hpp>

#include "controlplane/app/flight_recorder.h"
#include "controlplane/app/snapshot.h"

namespace koi::app {

/// Answers {"command":"host"}: what koi-agent makes of the kernel's interfaces and whom it tells of
/// role changes, as it is to be now.
///
/// {"ok":true, "boot", "last": as in the reply to events, so that these follow without a gap,
///  "node",
///  "interfaces": [{"name": "koi-lan", "port", "vlan": 0, "gone": false, "mac", "mtu":
///     0 to leave it, "up": the NIC has link, "link_local": koi gives it one, so that the kernel
///     should make none, "addresses": [{"address": "192.0.2.2/24", "shared": false, "wanted":
///     true}]}],
///  "groups": [those with hooks: {"name", "port", "addresses": [], "hooks": [{"program", "timeout"
///     in seconds}], "slots": [{"vhid", "role"}]}]}
///
/// `addresses` are those koi-agent is responsible for: one that is not wanted is removed, any that
/// is not listed is somebody else's. A port's VLANs are interfaces of their own (koi-lan.20), where
/// there is something to do on them. One that is `gone` is in the configuration no more: what
/// the agent has put there is taken away, once.
nlohmann::json host_json(const Snapshot& snapshot, const FlightRecorder& recorder);

/// The configuration has become another one; before: what host_json() said until then. Notes which
/// addresses are to be taken from the kernel again.
void note_dropped(const nlohmann::json& before, Snapshot& snapshot);

}  // namespace koi::app
