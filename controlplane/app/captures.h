#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "common/contract/capture.h"
#include "controlplane/app/control_socket.h"
#include "controlplane/app/snapshot.h"

namespace koi::app {

struct CaptureBounds {
  std::uint64_t count = 10'000;       // frames
  std::uint64_t bytes = 100'000'000;  // of the file
  double seconds = 60;
};

/// `koictl capture`: at most one at a time, of a port or of a group, bounded by frames, bytes and
/// time. What is captured goes to the client as it comes. Ends when a bound is reached, when the
/// client sends anything or ends its side, or is gone. Service thread only.
///
/// Request: {"port": NAME} or {"group": NAME}, and "count": frames at most = 10000, "seconds" = 60,
/// "snaplen": bytes of each frame = 256, "bytes": of the file at most = 100000000.
/// Reply: parts of a pcapng file, each behind a line {"ok":true,"bytes":N}, at last a line without
/// bytes: {"ok":true, "ended": "count" | "bytes" | "seconds" | "asked" | "shutdown", "captured": N,
/// "seconds": S, "dropped": {"budget", "ring_full", "reader"}}. A frame is dropped when its worker
/// has copied its share of the millisecond, when this thread was late, or when the client does not
/// read: it is never waited for.
class Captures {
 public:
  /// source: may be missing, as in tests. Not owned, as the snapshot.
  Captures(CaptureSource* source, const Snapshot& snapshot)
      : source_(source), snapshot_(snapshot) {}

  Answer begin(const nlohmann::json& request, const std::string& owner);

  /// Call it often: gives memory back once no worker uses it.
  void update();
  /// koid is about to end: so does the capture, with its last words when it is asked next.
  void shut_down();

 private:
  class Session;
  CaptureSource* const source_;
  const Snapshot& snapshot_;
  std::weak_ptr<Session> session_;  // the client's stream owns it
};

/// The frames that concern a group: its port's, with its VLAN's tag, that are from or to one of its
/// virtual MACs, from, to or about one of its addresses (IP, ARP, Neighbor Discovery), or CARP with
/// one of its vhids. REQUIRES: there is such a group.
CaptureWanted frames_of_group(const Snapshot& snapshot, std::size_t group);

}  // namespace koi::app
