#include "service/notify.h"

#include <cstdint>
#include <ctime>

#include <systemd/sd-daemon.h>

namespace koi::service {

void tell_ready(const std::string& status) { sd_notify(0, ("READY=1\nSTATUS=" + status).c_str()); }

/// With the time, as Type=notify-reload of systemd 253 wants it.
void tell_reloading() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld",
             static_cast<long long>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1'000);
}

void tell_stopping() { sd_notify(0, "STOPPING=1"); }

void tell_alive() { sd_notify(0, "WATCHDOG=1"); }

Duration watchdog_time() {
  std::uint64_t microseconds = 0;
  if (sd_watchdog_enabled(0, &microseconds) <= 0) return Duration::zero();
  return std::chrono::microseconds(microseconds);
}

}  // namespace koi::service
