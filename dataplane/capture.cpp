#include "dataplane/capture.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>
#include <new>

#include <fmt/format.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_ring_elem.h>
#include <rte_ring_peek_zc.h>

namespace koi::dataplane {
namespace {

constexpr std::align_val_t kAlignment{RTE_CACHE_LINE_SIZE};
constexpr unsigned kFewest = 512;  // frames in a ring

unsigned element_size(std::uint16_t snaplen) {
  return (static_cast<unsigned>(sizeof(CaptureRecord)) + snaplen + 7U) & ~7U;
}

}  // namespace

void Capture::RingMemory::operator()(rte_ring* ring) const {
  ::operator delete(static_cast<void*>(ring), kAlignment);
}

Capture::~Capture() {
  end();
  forget();
}

Status Capture::begin(const CaptureWanted& wanted) {
  if (!idle()) return Error{"the capture before has not ended yet: a worker hangs in it"};
  element_ = element_size(wanted.snaplen);
  for (const Queue& queue : queues_[wanted.port.value()]) {
    if (Status s = install(queue, wanted); !s) {
      end();
      return s;
    }
  }
  return Done{};
}

Status Capture::install(const Queue& queue, const CaptureWanted& wanted) {
  // Ordinary memory, for EAL's may be all given out; locked as all of koid's, and written to here,
  // so that no worker waits for a page.
  const unsigned count =
      std::max(kFewest, std::bit_floor(static_cast<unsigned>(kRingBytes / element_)));
  const auto bytes = static_cast<std::size_t>(rte_ring_get_memsize_elem(element_, count));
  void* memory = ::operator new(bytes, kAlignment, std::nothrow);
  if (memory == nullptr) {
    return Error{fmt::format("no memory for a capture: {} KiB for each worker", bytes / 1024)};
  }
  std::memset(memory, 0, bytes);
  Installed made{.queue = queue,
                 .ring = std::unique_ptr<rte_ring, RingMemory>(static_cast<rte_ring*>(memory)),
                 .tap = nullptr};
  rte_ring_init(made.ring.get(), "capture", count, RING_F_SP_ENQ | RING_F_SC_DEQ);
  made.tap = std::make_unique<CaptureTap>(*made.ring, element_, wanted, clock_);
  CaptureTap* tap = made.tap.get();
  Installed& kept = installed_.emplace_back(std::move(made));
  kept.received = rte_eth_add_rx_callback(queue.port_id, queue.queue_id, CaptureTap::received, tap);
  if (kept.received != nullptr) {
    kept.sending = rte_eth_add_tx_callback(queue.port_id, queue.queue_id, CaptureTap::sending, tap);
  }
  if (kept.sending != nullptr) return Done{};
  return Error{fmt::format("DPDK takes no callback on queue {} of the port: {}", queue.queue_id,
                           rte_strerror(rte_errno))};
}

void Capture::end() {
  if (removed_ || installed_.empty()) return;
  for (const Installed& i : installed_) {
    if (i.received != nullptr) {
      rte_eth_remove_rx_callback(i.queue.port_id, i.queue.queue_id, i.received);
    }
    if (i.sending != nullptr) {
      rte_eth_remove_tx_callback(i.queue.port_id, i.queue.queue_id, i.sending);
    }
  }
  // No poll that begins later can still find one of them.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  removed_ = clock_.read();
}

bool Capture::idle() {
  if (installed_.empty()) return true;
  if (!removed_) return false;
  for (const Installed& i : installed_) {
    if (board_.polled(i.queue.worker) <= *removed_) return false;
  }
  forget();
  return true;
}

void Capture::forget() {
  for (const Installed& i : installed_) {
    rte_free(const_cast<rte_eth_rxtx_callback*>(i.received));
    rte_free(const_cast<rte_eth_rxtx_callback*>(i.sending));
  }
  installed_.clear();
  removed_.reset();
}

void Capture::take(const std::function<bool(const CapturedFrame&)>& taker) {
  // The oldest of each ring, looked at where it is.
  std::vector<const CaptureRecord*> first(installed_.size());
  const auto look = [&](std::size_t i) {
    rte_ring_zc_data found{};
    const unsigned one =
        rte_ring_dequeue_zc_bulk_elem_start(installed_[i].ring.get(), element_, 1, &found, nullptr);
    first[i] = one == 0 ? nullptr : static_cast<const CaptureRecord*>(found.ptr1);
  };
  for (std::size_t i = 0; i < first.size(); ++i) look(i);
  for (bool more = true; more;) {
    std::size_t oldest = first.size();
    for (std::size_t i = 0; i < first.size(); ++i) {
      if (first[i] == nullptr) continue;
      if (oldest == first.size() || first[i]->at < first[oldest]->at) oldest = i;
    }
    if (oldest == first.size()) break;
    const CaptureRecord& record = *first[oldest];
    more = taker({.at = record.at,
                  .direction = record.direction,
                  .length = record.length,
                  .bytes = {reinterpret_cast<const std::byte*>(&record + 1), record.kept}});
    rte_ring_dequeue_zc_elem_finish(installed_[oldest].ring.get(), 1);
    look(oldest);
  }
  for (std::size_t i = 0; i < first.size(); ++i) {
    if (first[i] != nullptr) rte_ring_dequeue_zc_elem_finish(installed_[i].ring.get(), 0);
  }
}

CaptureMisses Capture::misses() const {
  CaptureMisses sum;
  for (const Installed& i : installed_) {
    sum.budget += i.tap->budget.get();
    sum.full += i.tap->full.get();
  }
  return sum;
}

}  // namespace koi::dataplane
