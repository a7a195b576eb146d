#include "dataplane/rx_interrupts.h"

#include <cerrno>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <rte_ethdev.h>

namespace koi::dataplane {
namespace {

/// A driver that has descriptors to wait on and nothing to switch (net_tap) is always armed.
bool switched(int code) { return code == 0 || code == -ENOTSUP; }

}  // namespace

bool RxInterrupts::offered(std::uint16_t port_id, std::uint16_t queues) {
  for (std::uint16_t q = 0; q < queues; ++q) {
    if (rte_eth_dev_rx_intr_ctl_q_get_fd(port_id, q) < 0) return false;
    if (!switched(rte_eth_dev_rx_intr_enable(port_id, q))) return false;
    rte_eth_dev_rx_intr_disable(port_id, q);
  }
  return true;
}

std::unique_ptr<RxInterrupts> RxInterrupts::open(const std::vector<RxQueue>& queues) {
  std::unique_ptr<RxInterrupts> opened(new RxInterrupts);
  if (!opened->watch(queues)) return nullptr;
  return opened;
}

bool RxInterrupts::watch(const std::vector<RxQueue>& queues) {
  set_ = epoll_create1(EPOLL_CLOEXEC);
  bell_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (set_ < 0 || bell_ < 0) return false;
  bell_event_.epdata.event = EPOLLIN | EPOLLET;  // and never read
  if (rte_epoll_ctl(set_, EPOLL_CTL_ADD, bell_, &bell_event_) != 0) return false;
  for (const RxQueue& queue : queues) {
    if (rte_eth_dev_rx_intr_ctl_q(queue.port_id, queue.queue_id, set_, RTE_INTR_EVENT_ADD,
                                  nullptr) != 0) {
      return false;
    }
    queues_.push_back(queue);
  }
  return true;
}

RxInterrupts::~RxInterrupts() {
  for (const RxQueue& queue : queues_) {
    rte_eth_dev_rx_intr_ctl_q(queue.port_id, queue.queue_id, set_, RTE_INTR_EVENT_DEL, nullptr);
  }
  if (bell_ >= 0) close(bell_);
  if (set_ >= 0) close(set_);
}

bool RxInterrupts::arm() {
  for (const RxQueue& queue : queues_) {
    if (!switched(rte_eth_dev_rx_intr_enable(queue.port_id, queue.queue_id))) {
      disarm();
      return false;
    }
  }
  armed_.exchange(true);
  return true;
}

void RxInterrupts::disarm() {
  armed_.exchange(false);
  for (const RxQueue& queue : queues_) {
    rte_eth_dev_rx_intr_disable(queue.port_id, queue.queue_id);
  }
}

/// rte_epoll_wait() counts in milliseconds, which L8 has no time for.
bool RxInterrupts::wait(Duration longest) {
  pollfd set{.fd = set_, .events = POLLIN, .revents = 0};
  const timespec time{.tv_sec = longest / 1s, .tv_nsec = (longest % 1s).count()};
  if (ppoll(&set, 1, &time, nullptr) <= 0) return false;
  constexpr int kAtOnce = 8;  // others come again
  rte_epoll_event events[kAtOnce];
  rte_epoll_wait(set_, events, kAtOnce, 0);
  return true;
}

void RxInterrupts::call() {
  if (armed_.exchange(false)) eventfd_write(bell_, 1);
}

}  // namespace koi::dataplane
