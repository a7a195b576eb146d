#pragma once

#include <cstddef>
#include <cstdint>

#include <rte_mbuf.h>
#include <rte_ring.h>

#include "common/contract/capture.h"
#include "common/contract/counters.h"
#include "dataplane/capture_rules.h"
#include "dataplane/tsc_clock.h"

namespace koi::dataplane {

/// What a capture's ring holds of a frame, before its bytes.
struct CaptureRecord {
  Instant at;
  std::uint32_t length = 0;  // of the whole frame
  std::uint16_t kept = 0;    // bytes that follow
  CaptureDirection direction = CaptureDirection::in;
};
static_assert(sizeof(CaptureRecord) == 16);

/// One worker's part of a capture: DPDK's callbacks on its queue of the port, which ethdev calls in
/// rte_eth_rx_burst after, and in rte_eth_tx_burst before, the driver. They change nothing of the
/// burst. A frame that the driver then refuses was captured all the same, and again when it is
/// offered again.
///
/// A ring and not a mempool: only a ring with one producer and one consumer lets neither wait for a
/// thread that the kernel has put aside.
class CaptureTap {
 public:
  /// ring: SP/SC, of elements of that size. Not owned.
  CaptureTap(rte_ring& ring, unsigned element, const CaptureWanted& wanted, const TscClock& clock)
      : ring_(ring), element_(element), wanted_(wanted), clock_(clock) {}

  static std::uint16_t received(std::uint16_t port, std::uint16_t queue, rte_mbuf** frames,
                                std::uint16_t count, std::uint16_t most, void* tap);
  static std::uint16_t sending(std::uint16_t port, std::uint16_t queue, rte_mbuf** frames,
                               std::uint16_t count, void* tap);

  rte_ring& ring() const { return ring_; }
  Counter budget;  // as CaptureMisses; writer: the worker
  Counter full;

 private:
  void offer(rte_mbuf* const* frames, std::uint16_t count, CaptureDirection direction);
  void copy(const rte_mbuf* frame, Instant now, CaptureDirection direction);

  rte_ring& ring_;
  const unsigned element_;
  const CaptureWanted wanted_;
  const TscClock clock_;
  CaptureBudget budget_;  // worker
};

}  // namespace koi::dataplane
