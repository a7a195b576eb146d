#include "dataplane/worker.h"

#include <algorithm>
#include <sched.h>
#include <sys/prctl.h>
#include <time.h>

#include <rte_ethdev.h>
#include <rte_pause.h>

#include "dataplane/classify.h"
#include "dataplane/host_gate.h"
#include "dataplane/mbuf_view.h"

namespace koi::dataplane {
namespace {

// Of a burst.
constexpr std::uint16_t kFramesAhead = 8;
constexpr std::uint16_t kEntriesAhead = 4;

/// Kind by kind, many at a time: adding one by one would wait for the sum before, every time.
/// REQUIRES: no more than 255.
void count_answers(PortCounters& counters, std::span<const AnswerKind> kinds) {
  for (std::size_t k = 0; k < kAnswerKinds; ++k) {
    std::uint8_t answered = 0;  // as wide as a kind, for the compiler's sake
    for (const AnswerKind kind : kinds) {
      answered = static_cast<std::uint8_t>(answered + (kind == static_cast<AnswerKind>(k)));
    }
    if (answered != 0) counters.answers[k].add(answered);
  }
}

}  // namespace

Worker::Worker(const WorkerSetup& setup)
    : setup_(setup),
      counters_(*setup.counters),
      lease_(*setup.board, setup.index),
      adverts_(*setup.board, lease_, *setup.up, *setup.counters),
      reporter_(*setup.up),
      conflicts_(reporter_),
      view_(setup.first_view),
      idle_(!setup.sleeps                 ? Idle::Kind::poll
            : setup.interrupts == nullptr ? Idle::Kind::naps
                                          : Idle::Kind::interrupts) {
  for (const Queue& queue : setup.queues) drain_.add_queue(queue.room);
  for (const WorkerSetup::Sequence& s : setup.sequences) {
    adverts_.remember(s.slot, s.source, s.highest);
  }
}

void Worker::claim_core() const {
  if (!setup_.sleeps) return;
  prctl(PR_SET_TIMERSLACK, 1UL);  // a 50 µs sleep lasts 79 µs with it, 132 µs without
  // Below control's. Without the right it stays as it was; control warns.
  const sched_param priority{.sched_priority = 40};
  sched_setscheduler(0, SCHED_FIFO, &priority);
}

void Worker::run() {
  lease_.adopted(*view_);
  missed_before_ = missed_frames();
  bool busy = false;
  while (!stop_.load(std::memory_order_relaxed)) {
    const Instant now = setup_.clock.read();
    limit_.begin_turn(now, busy);
    lease_.begin_poll(now);
    drain_.begin_poll(now);
    reporter_.begin_poll(now);
    unsigned work = 0;
    for (std::size_t q = 0; q < setup_.queues.size(); ++q) work += poll(q);
    // L8, L9: what control reads from these must not be ahead of what this poll brought.
    if (adverts_.flush()) {
      lease_.end_poll(drain_.drained());
      report_gap();
    }
    if (burst_.count == 0) work += poll_hosts(now);
    work += receive_down();
    if (now - polled_transmit_ >= kTransmitPoll) poll_transmit(now);
    busy = work != 0;
    rest(busy, now);
  }
  // What control sent last, bow-outs above all, leaves before the port closes.
  while (receive_down() != 0 || burst_.count != 0) {
  }
}

/// Until it knows that nothing is left, or has taken a burst. Only none at all means that the queue
/// was empty: drivers also return fewer than asked for where a descriptor's cache line ends
/// (virtio), or out of what they had set aside before (i40e, ixgbe).
std::uint16_t Worker::take(std::size_t q, rte_mbuf** frames) {
  const Queue& queue = setup_.queues[q];
  const std::uint16_t burst = queue.host ? std::min(kHostBurst, limit_.most()) : limit_.most();
  std::uint16_t count = 0;
  bool emptied = false;
  while (!emptied && count < burst) {
    const auto wanted = std::max<std::uint16_t>(burst - count, kLeastAsked);
    const std::uint16_t more =
        rte_eth_rx_burst(queue.port_id, queue.queue_id, frames + count, wanted);
    emptied = more == 0;
    count = static_cast<std::uint16_t>(count + more);
  }
  drain_.took(q, count, emptied);
  return count;
}

struct Worker::Sorted {
  Sorted(const BurstContext& burst, PortCounters& port) : quick(burst), counters(port) {}

  QuickLook quick;
  PortCounters& counters;
  unsigned answer_count = 0;
  unsigned pass_count = 0;
  unsigned drop_count = 0;
  bool all_arp = true;                // of the answers: no other kind
  AnswerKind kinds[kMostTaken] = {};  // of each
  static_assert(kMostTaken <= 255);
  rte_mbuf* answers[kMostTaken];
  rte_mbuf* passed[kMostTaken];
  rte_mbuf* dropped[kMostTaken];  // or taken
};

std::uint16_t Worker::poll(std::size_t q) {
  const Queue& queue = setup_.queues[q];
  rte_mbuf* frames[kMostTaken + kFramesAhead];
  const std::uint16_t count = take(q, frames);
  if (count == 0) {
    if (!lease_.in_gap() && !lease_.gap_to_report()) taken_[q] = 0;
    return 0;
  }
  taken_[q] += count;

  const BurstContext burst{*view_, queue.port, lease_, reporter_, conflicts_, dad_, askers_};
  PortCounters& counters = counters_.ports[queue.port.value()];
  Sorted sorted(burst, counters);
  // At the end the last one again and again, which costs less than asking where the end is.
  std::fill_n(frames + count, kFramesAhead, frames[count - 1]);
  QuickLook::compiled_for(sorted.quick.tables(),
                          [&]<QuickLook::Tables kTables> { sort<kTables>(frames, count, sorted); });
  counters.received.add(count);
  if (sorted.drop_count != 0) rte_pktmbuf_free_bulk(sorted.dropped, sorted.drop_count);
  if (sorted.answer_count != 0) send_answers(queue, sorted);
  if (sorted.pass_count != 0) {
    hand_to_host(queue, sorted.passed, static_cast<std::uint16_t>(sorted.pass_count));
  }
  return count;
}

template <QuickLook::Tables kTables>
void Worker::sort(rte_mbuf** frames, std::uint16_t count, Sorted& sorted) {
  static_assert(QuickLook::kAnswered.what() == AnswerKind{});
  static_assert(QuickLook::kAnsweredTagged.what() == AnswerKind{});
  // Here, and not in `sorted`, which a frame might be part of for all that the compiler knows.
  rte_mbuf** answer = sorted.answers;
  rte_mbuf** dropped = sorted.dropped;
  unsigned not_ours = 0;
  unsigned not_our_mac = 0;
  // Ahead: the frames from memory, then, once these are there, what is looked up for them.
  for (std::uint16_t i = 0; i < kFramesAhead; ++i) prefetch(frames[i]);
  for (std::uint16_t i = 0; i < count; ++i) {
    prefetch(frames[i + kFramesAhead]);
    if (kTables == QuickLook::Tables::far) sorted.quick.fetch(frame_of(frames[i + kEntriesAhead]));
    rte_mbuf* frame = frames[i];
    // The ways of nearly all frames, on which nothing needs to be asked again.
    using Usual = QuickLook::Usual;
    const Usual usual =
        is_one_segment(frame) ? sorted.quick.usual<kTables>(frame_of(frame)) : Usual::no;
    switch (usual) {
      case Usual::answered:
        set_length(frame, QuickLook::kAnswered.length());
        *answer++ = frame;
        continue;
      case Usual::answered_tagged:
        set_length(frame, QuickLook::kAnsweredTagged.length());
        *answer++ = frame;
        continue;
      case Usual::answered_neighbor:
        set_length(frame, QuickLook::kAnsweredNeighbor.length());
        sorted.kinds[answer - sorted.answers] = QuickLook::kAnsweredNeighbor.what();
        sorted.all_arp = false;
        *answer++ = frame;
        continue;
      case Usual::not_ours:
        ++not_ours;
        *dropped++ = frame;
        continue;
      case Usual::not_our_mac:
        ++not_our_mac;
        *dropped++ = frame;
        continue;
      default:
        break;
    }
    const auto room = [frame] { return room_of(frame); };
    const Fate fate = is_one_segment(frame)
                          ? or_classify(sorted.quick.decide_unusual(usual, frame_of(frame)),
                                        sorted.quick, frame_of(frame), room, adverts_)
                          : Fate::drop(DropReason::kMultiSegment);
    if (fate.kind() == Fate::Kind::answer) {
      set_length(frame, fate.length());
      sorted.kinds[answer - sorted.answers] = fate.what();
      sorted.all_arp = false;
      *answer++ = frame;
    } else if (fate.kind() == Fate::Kind::pass) {
      sorted.passed[sorted.pass_count++] = frame;
    } else {
      if (fate.kind() == Fate::Kind::drop) {
        sorted.counters.drops[static_cast<std::size_t>(fate.reason())].add();
      }
      *dropped++ = frame;
    }
  }
  sorted.counters.drops[static_cast<std::size_t>(DropReason::kArpNotOurs)].add(not_ours);
  sorted.counters.drops[static_cast<std::size_t>(DropReason::kNotOurMac)].add(not_our_mac);
  sorted.answer_count = static_cast<unsigned>(answer - sorted.answers);
  sorted.drop_count = static_cast<unsigned>(dropped - sorted.dropped);
}

void Worker::hand_to_host(const Queue& queue, rte_mbuf** frames, std::uint16_t count) {
  const std::uint16_t taken = rte_eth_tx_burst(*queue.host, queue.queue_id, frames, count);
  counters_.ports[queue.port.value()].to_host.add(taken);
  if (taken == count) return;
  counters_.drop(queue.port, DropReason::kHostFull, count - taken);
  rte_pktmbuf_free_bulk(frames + taken, count - taken);
}

unsigned Worker::poll_hosts(Instant now) {
  unsigned work = 0;
  for (std::size_t q = 0; q < setup_.queues.size(); ++q) {
    const Queue& queue = setup_.queues[q];
    if (!queue.host || now < ask_host_[q]) continue;
    const std::uint16_t count = poll_host(queue);
    if (count == 0) ask_host_[q] = now + kHostRest;
    work += count;
  }
  return work;
}

std::uint16_t Worker::poll_host(const Queue& queue) {
  rte_mbuf* frames[kHostBurst];
  const std::uint16_t count = rte_eth_rx_burst(*queue.host, queue.queue_id, frames, kHostBurst);
  if (count == 0) return 0;
  const BurstContext burst{*view_, queue.port, lease_, reporter_, conflicts_, dad_, askers_};
  PortCounters& counters = counters_.ports[queue.port.value()];
  rte_mbuf* dropped[kHostBurst];
  std::uint16_t drop_count = 0;
  std::uint16_t pass_count = 0;
  bool for_nic = false;
  for (std::uint16_t i = 0; i < count; ++i) {
    rte_mbuf* frame = frames[i];
    const Fate fate = judge(queue, frame, burst);
    if (fate.kind() == Fate::Kind::pass) {
      frames[pass_count++] = frame;
      for_nic = for_nic || is_for_nic(frame);
    } else {
      counters.drops[static_cast<std::size_t>(fate.reason())].add();
      dropped[drop_count++] = frame;
    }
  }
  counters.from_host.add(count);
  if (drop_count != 0) rte_pktmbuf_free_bulk(dropped, drop_count);
  if (for_nic) pass_count = prepare(queue, frames, pass_count);
  if (pass_count == 0) return count;
  // L1, as for answers: some of these may use a virtual MAC.
  if (!lease_.in_time(setup_.clock.read())) {
    counters_.drop(queue.port, DropReason::kAnswerLate, pass_count);
    rte_pktmbuf_free_bulk(frames, pass_count);
    return count;
  }
  const std::uint16_t sent = rte_eth_tx_burst(queue.port_id, queue.queue_id, frames, pass_count);
  counters.transmitted.add(sent);
  if (sent != pass_count) {
    counters_.drop(queue.port, DropReason::kTransmitFull, pass_count - sent);
    rte_pktmbuf_free_bulk(frames + sent, pass_count - sent);
  }
  return count;
}

Fate Worker::judge(const Queue& queue, rte_mbuf* frame, const BurstContext& burst) {
  if (is_undone(frame)) [[unlikely]] {
    const std::optional<Completed> done = complete(frame, queue.offloads);
    if (!done) return Fate::drop(DropReason::kHostOffload);
    if (done->segment != 0) return segments_from_host(frame_of(frame), done->segment, burst);
  } else if (!is_one_segment(frame)) {
    return Fate::drop(DropReason::kMultiSegment);
  }
  return from_host(frame_of(frame), burst);
}

std::uint16_t Worker::prepare(const Queue& queue, rte_mbuf** frames, std::uint16_t count) {
  std::uint16_t ready = 0;
  for (;;) {
    ready = static_cast<std::uint16_t>(
        ready + rte_eth_tx_prepare(queue.port_id, queue.queue_id, frames + ready, count - ready));
    if (ready >= count) return count;
    counters_.drop(queue.port, DropReason::kHostOffload, 1);
    rte_pktmbuf_free(frames[ready]);
    std::copy(frames + ready + 1, frames + count, frames + ready);
    --count;
  }
}

void Worker::poll_transmit(Instant now) {
  polled_transmit_ = now;
  for (const Queue& queue : setup_.queues) {
    if (queue.bond) rte_eth_tx_burst(queue.port_id, queue.queue_id, nullptr, 0);
  }
}

void Worker::send_answers(const Queue& queue, Sorted& sorted) {
  rte_mbuf** const frames = sorted.answers;
  const auto count = static_cast<std::uint16_t>(sorted.answer_count);
  PortCounters& counters = counters_.ports[queue.port.value()];
  // L1: what was right at the poll is not for ever; a thread may have been paused since.
  if (!lease_.in_time(setup_.clock.read())) {
    counters_.drop(queue.port, DropReason::kAnswerLate, count);
    rte_pktmbuf_free_bulk(frames, count);
    return;
  }
  const std::uint16_t sent = rte_eth_tx_burst(queue.port_id, queue.queue_id, frames, count);
  counters.transmitted.add(sent);
  if (sorted.all_arp) {
    counters.answers[static_cast<std::size_t>(QuickLook::kAnswered.what())].add(sent);
  } else {
    count_answers(counters, std::span(sorted.kinds).first(sent));
  }
  if (sent == count) return;
  counters_.drop(queue.port, DropReason::kTransmitFull, count - sent);
  rte_pktmbuf_free_bulk(frames + sent, count - sent);
}

std::uint64_t Worker::missed_frames() const {
  std::uint64_t missed = 0;
  for (const Queue& queue : setup_.queues) {
    if (queue.queue_id != 0) continue;  // one worker asks, for the figures are the port's
    rte_eth_stats stats{};
    if (rte_eth_stats_get(queue.port_id, &stats) == 0) missed += stats.imissed;
  }
  return missed;
}

void Worker::report_gap() {
  std::optional<PollGap> gap = lease_.gap_to_report();
  if (!gap) return;
  const std::uint64_t missed = missed_frames();
  gap->frames_lost = missed > missed_before_;
  for (std::size_t q = 0; q < setup_.queues.size(); ++q) {
    gap->frames_lost = gap->frames_lost || taken_[q] + kHeldBack >= setup_.queues[q].depth;
  }
  if (!setup_.up->try_send(*gap)) return;  // next turn
  lease_.gap_reported();
  missed_before_ = missed;
  taken_.fill(0);
}

void Worker::rest(bool busy, Instant now) {
  // Misses of long ago say nothing about a gap of now.
  if (!busy && setup_.sleeps && now - looked_ > 1s && !lease_.in_gap() && !lease_.gap_to_report()) {
    missed_before_ = missed_frames();
    looked_ = now;
  }
  switch (idle_.next(busy, now)) {
    case Idle::Step::again:
      return;
    case Idle::Step::pause:
      rte_pause();
      return;
    case Idle::Step::nap: {
      constexpr timespec kNap{.tv_sec = 0, .tv_nsec = Idle::kNap.count()};
      nanosleep(&kNap, nullptr);
      idle_.rested(setup_.clock.read());
      return;
    }
    case Idle::Step::arm:
      if (!setup_.interrupts->arm()) idle_.no_interrupts();
      ask_host_.fill({});  // what is there by now may never interrupt
      return;
    case Idle::Step::wait:
      if (setup_.interrupts->wait(Idle::kLongestWait)) {
        setup_.interrupts->disarm();
        idle_.called(setup_.clock.read());
      } else {
        idle_.rested(setup_.clock.read());
      }
      return;
    case Idle::Step::disarm:
      setup_.interrupts->disarm();
      return;
  }
}

}  // namespace koi::dataplane
