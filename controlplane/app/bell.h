#pragma once

#include <atomic>
#include <sys/eventfd.h>
#include <unistd.h>
#include <variant>

#include "common/contract/channel.h"
#include "controlplane/service_messages.h"

namespace koi::app {

/// The ring of reports with a bell on it: a change of role wakes the service thread, which else
/// looks every 10 ms, so that koi-agent and its hooks hear of it at once. One system call for all
/// changes until the service thread has looked; it waits for nothing.
class Bell final : public Sender<controlplane::Report> {
 public:
  /// Not owned.
  explicit Bell(Sender<controlplane::Report>& ring) : ring_(ring) {}
  ~Bell() {
    if (fd_ >= 0) close(fd_);
  }
  Bell(const Bell&) = delete;
  Bell& operator=(const Bell&) = delete;

  /// Control thread.
  bool try_send(const controlplane::Report& report) override {
    if (!ring_.try_send(report)) return false;
    if (std::holds_alternative<controlplane::RoleChange>(report) && !rung_.exchange(true)) {
      eventfd_write(fd_, 1);
    }
    return true;
  }

  /// Service thread: readable when it rings. -1: no descriptor was to be had, and it never rings.
  int fd() const { return fd_; }
  /// Service thread: before it takes the reports, so that none comes unheard after them.
  void answer() {
    eventfd_t ignored = 0;
    eventfd_read(fd_, &ignored);
    rung_.exchange(false);
  }

 private:
  Sender<controlplane::Report>& ring_;
  const int fd_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  std::atomic<bool> rung_{false};  // writers: both
};

}  // namespace koi::app
