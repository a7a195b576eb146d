#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "common/net/ip_address.h"
#include "common/result.h"
#include "common/strong_types.h"
#include "common/time.h"

/// A capture: what a port received and sent, for an operator who asked (koictl capture). It is the
/// one exception to "a worker copies nothing": while one runs, each worker of the port copies the
/// frames that match into a ring of its own, so much in a millisecond and no more, waits for
/// nobody, and counts what it left out. While none runs a worker does nothing for it.
namespace koi {

/// What is captured of a port.
struct CaptureFilter {
  bool all = true;  // every frame; else those with this VLAN's tag (0: none) that concern a group:
  VlanId vlan;
  std::bitset<256> vhids;         // from or to a virtual or group MAC; or CARP's, VRRP's own
  std::vector<Ipv4Address> ipv4;  // ascending; source, destination, or what ARP is about
  std::vector<Ipv6Address> ipv6;  // ascending; the same, and what Neighbor Discovery is about
};

struct CaptureWanted {
  static constexpr std::uint16_t kLeastSnaplen = 16;
  static constexpr std::uint16_t kMostSnaplen = 9216;

  PortIndex port;
  std::uint16_t snaplen = 256;  // bytes kept of each frame, kLeastSnaplen..kMostSnaplen
  CaptureFilter filter;
};

enum class CaptureDirection : std::uint8_t { in = 1, out = 2 };

struct CapturedFrame {
  Instant at;  // koi's clock: when its burst was received, or handed to the driver
  CaptureDirection direction = CaptureDirection::in;
  std::uint32_t length = 0;          // of the whole frame, bytes
  std::span<const std::byte> bytes;  // its beginning; valid during the call
};

/// Frames that matched and were not copied.
struct CaptureMisses {
  std::uint64_t budget = 0;  // their worker had copied its share of that millisecond
  std::uint64_t full = 0;    // the ring had no room, for the service thread was late
};

/// The packet side of a capture, as the service thread has it. One at a time.
class CaptureSource {
 public:
  virtual ~CaptureSource() = default;

  /// Begins to capture. Errors: the one before is not idle() yet; no memory; the driver or DPDK
  /// takes no callback. After an error nothing is captured.
  virtual Status begin(const CaptureWanted& wanted) = 0;
  /// Ends it; what was copied can still be taken until idle(). Nothing if there is none.
  virtual void end() = 0;
  /// True iff there is none and no worker can still be in one; gives its memory back then. Ask
  /// often after end().
  virtual bool idle() = 0;
  /// Hands over what was copied, oldest first, and takes it away; until `taker` returns false.
  virtual void take(const std::function<bool(const CapturedFrame&)>& taker) = 0;
  /// Of this capture so far.
  virtual CaptureMisses misses() const = 0;
};

}  // namespace koi
