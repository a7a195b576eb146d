#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include <rte_ethdev.h>
#include <rte_ring.h>

#include "common/contract/capture.h"
#include "common/contract/slot_board.h"
#include "common/strong_types.h"
#include "dataplane/capture_tap.h"
#include "dataplane/tsc_clock.h"

namespace koi::dataplane {

/// Installs a capture's callbacks on a port's queues while workers run, takes them away again, and
/// reads what they copied. The service thread.
///
/// Invariants:
///  1. A worker has left a callback for good once it has begun a poll after the callback was
///  removed:
///     the slot board says when each worker's last one began. Only then its memory is freed.
///  2. Each ring has one producer, its worker, and one consumer, the service thread.
class Capture final : public CaptureSource {
 public:
  struct Queue {
    std::uint16_t port_id = 0;  // DPDK's number
    std::uint16_t queue_id = 0;
    WorkerIndex worker;  // who polls it; another one for each queue of a port
  };
  /// What a worker's ring takes of memory, at most, but of jumbo frames: 8,192 frames of the usual
  /// 256 bytes, which is 15 ms of the shortest frames that its budget lets through. The service
  /// thread looks every 10 ms.
  static constexpr std::size_t kRingBytes = 4 * 1024 * 1024;

  /// queues: of each port, by PortIndex. board: not owned.
  Capture(const TscClock& clock, const SlotBoard& board, std::vector<std::vector<Queue>> queues)
      : clock_(clock), board_(board), queues_(std::move(queues)) {}
  /// REQUIRES: the workers have ended, their ports have not.
  ~Capture() override;
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;

  Status begin(const CaptureWanted& wanted) override;
  void end() override;
  bool idle() override;
  void take(const std::function<bool(const CapturedFrame&)>& taker) override;
  CaptureMisses misses() const override;

 private:
  struct RingMemory {
    void operator()(rte_ring* ring) const;
  };
  /// On one queue.
  struct Installed {
    Queue queue;
    std::unique_ptr<rte_ring, RingMemory> ring;
    std::unique_ptr<CaptureTap> tap;
    const rte_eth_rxtx_callback* received = nullptr;
    const rte_eth_rxtx_callback* sending = nullptr;
  };
  Status install(const Queue& queue, const CaptureWanted& wanted);
  void forget();

  const TscClock clock_;
  const SlotBoard& board_;
  const std::vector<std::vector<Queue>> queues_;
  std::vector<Installed> installed_;
  std::optional<Instant> removed_;  // when all callbacks had been
  unsigned element_ = 0;            // bytes of one in the rings
};

}  // namespace koi::dataplane
