#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include <rte_epoll.h>

#include "common/contract/channel.h"
#include "common/contract/messages.h"
#include "dataplane/idle.h"

namespace koi::dataplane {

/// One receive queue by DPDK's numbers.
struct RxQueue {
  std::uint16_t port_id = 0;
  std::uint16_t queue_id = 0;
};

/// Receive interrupts of one worker's queues, in one epoll set with a bell that control rings.
///
/// Invariants:
///  1. Both sides exchange `armed_`, so one of two that happen at once comes second and sees what
///     the first did before it: either control sees that the worker is armed and rings, or the turn
///     that the worker makes after arm() finds what control sent.
///  2. Descriptors are watched for edges, so an event is told once and none is lost: what is ready
///     before the wait, and untold, ends it at once.
class RxInterrupts final : public Interrupts {
 public:
  /// Whether the driver has them for each of that many queues. REQUIRES: the port has started, and
  /// was configured with intr_conf.rxq.
  static bool offered(std::uint16_t port_id, std::uint16_t queues);

  /// Returns nothing if one of the queues has none, or no descriptor is to be had. Set-up.
  static std::unique_ptr<RxInterrupts> open(const std::vector<RxQueue>& queues);
  /// REQUIRES: the worker has ended, its ports have not.
  ~RxInterrupts();
  RxInterrupts(const RxInterrupts&) = delete;
  RxInterrupts& operator=(const RxInterrupts&) = delete;

  bool arm() override;
  void disarm() override;
  bool wait(Duration longest) override;

  /// Control thread: ends the wait if there is one, or the worker is about to begin one.
  void call();

 private:
  RxInterrupts() = default;
  bool watch(const std::vector<RxQueue>& queues);

  std::vector<RxQueue> queues_;  // those in the set
  int set_ = -1;
  int bell_ = -1;
  rte_epoll_event bell_event_{};
  std::atomic<bool> armed_{false};  // writers: both
};

/// The down ring of a worker that control may have to call. Control thread.
class CallingSender final : public Sender<DownMessage> {
 public:
  /// Not owned.
  CallingSender(Sender<DownMessage>& ring, RxInterrupts& worker) : ring_(ring), worker_(worker) {}

  bool try_send(const DownMessage& message) override {
    if (!ring_.try_send(message)) return false;
    worker_.call();
    return true;
  }
  std::size_t waiting() const override { return ring_.waiting(); }

 private:
  Sender<DownMessage>& ring_;
  RxInterrupts& worker_;
};

}  // namespace koi::dataplane
