// What control sends down: views to adopt, and frames. Those of one port leave together, for a
// driver may cost a system call each time, and a mass takeover must be out within L4's millisecond.
#include <algorithm>
#include <span>

#include <rte_ethdev.h>

#include "dataplane/mbuf_view.h"
#include "dataplane/worker.h"

namespace koi::dataplane {

unsigned Worker::receive_down() {
  if (!send_burst()) return 1;
  if (down_next_ == down_count_) {
    down_next_ = down_count_ = 0;
    while (down_count_ < limit_.most() && setup_.down->try_receive(down_[down_count_])) {
      ++down_count_;
    }
  }
  const unsigned before = down_next_;
  while (down_next_ < down_count_) {
    if (const auto* adopt = std::get_if<AdoptView>(&down_[down_next_])) {
      if (!send_burst()) break;  // these are judged by the view before
      view_ = adopt->view;
      askers_.forget();
      lease_.adopted(*view_);
    } else if (!gather(frame_at(down_next_), down_next_)) {
      break;
    }
    ++down_next_;
  }
  send_burst();
  return std::max(down_next_ - before, burst_.count != 0 ? 1U : 0U);
}

bool Worker::gather(const TransmitFrame& frame, unsigned at) {
  if (queue_of(frame.port) == nullptr) return true;  // control sends to the port's own workers only
  // L11: an announcement is judged when the advertisement that earns its lease has been taken.
  const bool announces = frame.kind == FrameKind::announcement;
  const bool goes_on = burst_.count != 0 && burst_.port == frame.port &&
                       burst_.announces == announces && frame.length != 0;
  if (!goes_on && !send_burst()) return false;
  if (frame.length == 0) {  // L3: a copy to a peer whose MAC is not resolved
    const Instant now = setup_.clock.read();
    if (!lease_.refusal(*view_, frame, now)) lease_.sent(frame, now);
    return true;
  }
  rte_mbuf* mbuf = rte_pktmbuf_alloc(setup_.control_pool);
  if (mbuf == nullptr || !fill(mbuf, std::span(frame.bytes).first(frame.length))) {
    rte_pktmbuf_free(mbuf);
    refused(frame, DropReason::kFrameNoBuffer);
    return true;
  }
  burst_.port = frame.port;
  burst_.announces = announces;
  burst_.mbufs[burst_.count] = mbuf;
  burst_.at[burst_.count++] = static_cast<std::uint8_t>(at);
  return true;
}

bool Worker::send_burst() {
  if (burst_.count == 0) return true;
  const Instant now = setup_.clock.read();  // L3: before the driver sees them
  keep_those_that_may_leave(now);
  if (burst_.count == 0) return true;
  const Queue& queue = *queue_of(burst_.port);
  const std::uint16_t taken = rte_eth_tx_burst(queue.port_id, queue.queue_id, burst_.mbufs.data(),
                                               static_cast<std::uint16_t>(burst_.count));
  if (taken != 0) full_since_[burst_.port.value()].reset();
  for (unsigned i = 0; i < taken; ++i) sent(frame_at(burst_.at[i]), now);
  const unsigned left = burst_.count - taken;
  std::copy_n(burst_.mbufs.begin() + taken, left, burst_.mbufs.begin());
  std::copy_n(burst_.at.begin() + taken, left, burst_.at.begin());
  burst_.count = left;
  burst_.again = left != 0;
  if (left == 0) return true;
  if (may_have_room_soon(burst_.port, now)) return false;
  rte_pktmbuf_free_bulk(burst_.mbufs.data(), left);
  for (unsigned i = 0; i < left; ++i) refused(frame_at(burst_.at[i]), DropReason::kFrameRefused);
  burst_.count = 0;
  burst_.again = false;
  return true;
}

/// L3, L4, L11. Control is told of what waited for room, and of announcements, which may leave
/// later.
void Worker::keep_those_that_may_leave(Instant now) {
  unsigned kept = 0;
  for (unsigned i = 0; i < burst_.count; ++i) {
    const TransmitFrame& frame = frame_at(burst_.at[i]);
    if (const auto reason = lease_.refusal(*view_, frame, now)) {
      rte_pktmbuf_free(burst_.mbufs[i]);
      if (burst_.again || frame.kind == FrameKind::announcement) {
        refused(frame, *reason);
      } else {
        counters_.drop(frame.port, *reason);
      }
      continue;
    }
    burst_.mbufs[kept] = burst_.mbufs[i];
    burst_.at[kept++] = burst_.at[i];
  }
  burst_.count = kept;
}

void Worker::sent(const TransmitFrame& frame, Instant now) {
  lease_.sent(frame, now);
  counters_.ports[frame.port.value()].transmitted.add();
  if (frame.kind == FrameKind::advertisement || frame.kind == FrameKind::bow_out) {
    counters_.slots[frame.slot.value()].sent[static_cast<std::size_t>(frame.family)].add();
  }
}

/// A driver that took nothing for all that time gets no more of it until it takes one: behind a
/// dead one the views would have to wait.
bool Worker::may_have_room_soon(PortIndex port, Instant now) {
  auto& since = full_since_[port.value()];
  if (!since) since = now;
  return now - *since < kPatience;
}

void Worker::refused(const TransmitFrame& frame, DropReason reason) {
  counters_.drop(frame.port, reason);
  if (frame.kind == FrameKind::advertisement) {
    setup_.up->try_send(TransmitRefused{frame.slot, frame.family, frame.term});
  } else if (frame.kind == FrameKind::announcement) {
    setup_.up->try_send(AnnouncementRefused{frame.slot, frame.term, frame.address, frame.tries});
  }
}

const Queue* Worker::queue_of(PortIndex port) const {
  for (const Queue& queue : setup_.queues) {
    if (queue.port == port) return &queue;
  }
  return nullptr;
}

}  // namespace koi::dataplane
