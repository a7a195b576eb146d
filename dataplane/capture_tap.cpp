#include "dataplane/capture_tap.h"

#include <algorithm>
#include <new>

#include <rte_ring_elem.h>
#include <rte_ring_peek_zc.h>

#include "dataplane/mbuf_view.h"

namespace koi::dataplane {

std::uint16_t CaptureTap::received(std::uint16_t, std::uint16_t, rte_mbuf** frames,
                                   std::uint16_t count, std::uint16_t, void* tap) {
  static_cast<CaptureTap*>(tap)->offer(frames, count, CaptureDirection::in);
  return count;
}

std::uint16_t CaptureTap::sending(std::uint16_t, std::uint16_t, rte_mbuf** frames,
                                  std::uint16_t count, void* tap) {
  static_cast<CaptureTap*>(tap)->offer(frames, count, CaptureDirection::out);
  return count;
}

void CaptureTap::offer(rte_mbuf* const* frames, std::uint16_t count, CaptureDirection direction) {
  if (count == 0) return;
  const Instant now = clock_.read();
  budget_.begin_burst(now);
  for (std::uint16_t i = 0; i < count; ++i) {
    if (matches(wanted_.filter, frame_of(frames[i]))) copy(frames[i], now, direction);
  }
}

void CaptureTap::copy(const rte_mbuf* frame, Instant now, CaptureDirection direction) {
  const std::uint32_t length = rte_pktmbuf_pkt_len(frame);
  const std::uint32_t kept = std::min<std::uint32_t>(length, wanted_.snaplen);
  if (!budget_.take(kept)) {
    budget.add();
    return;
  }
  rte_ring_zc_data room{};
  if (rte_ring_enqueue_zc_bulk_elem_start(&ring_, element_, 1, &room, nullptr) == 0) {
    full.add();
    return;
  }
  auto* record = new (room.ptr1) CaptureRecord{.at = now,
                                               .length = length,
                                               .kept = static_cast<std::uint16_t>(kept),
                                               .direction = direction};
  copy_of(frame, {reinterpret_cast<std::byte*>(record + 1), kept});
  rte_ring_enqueue_zc_elem_finish(&ring_, 1);
}

}  // namespace koi::dataplane
