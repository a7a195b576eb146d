#include "controlplane/app/confine.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>

#include <rte_alarm.h>
#include <spdlog/spdlog.h>

#include "common/time.h"
#include "service/capabilities.h"
#include "service/system_calls.h"

namespace koi::app {
namespace {

constexpr Duration kPatience = 1s;

/// What is allocated later is locked too, or, where the limit has no room for it without
/// CAP_IPC_LOCK, could not be allocated: then it is not locked.
void lock_what_there_is() {
  rlimit limit{};
  getrlimit(RLIMIT_MEMLOCK, &limit);
  if (limit.rlim_cur == RLIM_INFINITY || mlockall(MCL_CURRENT) != 0) return;
  spdlog::warn("memory is locked only as far as it is there now: RLIMIT_MEMLOCK is not infinite");
}

}  // namespace

void lift_memory_limit() {
  constexpr rlimit kNone{.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
  setrlimit(RLIMIT_MEMLOCK, &kNone);
}

void give_up_capabilities() {
  if (const Status s = service::keep_capabilities({}); !s) spdlog::warn(s.error().message);
}

void confine() {
  lock_what_there_is();
  give_up_capabilities();
  // EAL's alarms are the interrupt thread's to serve.
  rte_eal_alarm_set(
      1, [](void*) { give_up_capabilities(); }, nullptr);
  std::vector<std::string> left = service::threads_with_capabilities();
  for (Duration waited{}; !left.empty() && waited < kPatience; waited += 1ms) {
    std::this_thread::sleep_for(1ms);
    left = service::threads_with_capabilities();
  }
  for (const std::string& name : left) {
    spdlog::warn("a driver's thread, {}, keeps its capabilities", name);
  }
  if (const Status s = service::filter_koid(); !s) {
    spdlog::warn("koid is not confined: {}", s.error().message);
    return;
  }
  if (geteuid() == 0) {
    spdlog::warn(
        "koid runs as root, without capabilities: what root owns is its own. As a service "
        "(koid.service) it runs as user koi");
  }
}

}  // namespace koi::app
