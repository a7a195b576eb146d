#include "controlplane/app/confine.h"

#include <linux/capability.h>
#include <sched.h>
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

/// For all threads.
void lay_filter(bool kernel_bond) {
  // A thread that has not come to it yet must not find the filter in its way.
  std::vector<service::ThreadRights> expected;
  if (kernel_bond) expected.push_back({kServiceThread, 1ULL << CAP_NET_ADMIN});
  std::vector<service::ThreadRights> left = service::threads_with_capabilities();
  for (Duration waited{}; left != expected && waited < kPatience; waited += 1ms) {
    std::this_thread::sleep_for(1ms);
    left = service::threads_with_capabilities();
  }
  for (const service::ThreadRights& thread : left) {
    spdlog::warn("thread {} keeps capabilities: {:#x}{}", thread.name, thread.capabilities,
                 thread.name == kServiceThread
                     ? ", for a bond's members on interfaces of the kernel"
                     : ", a driver has made it");
  }
  if (const Status s = service::filter_koid(kernel_bond); !s) {
    spdlog::warn("koid is not confined: {}", s.error().message);
    return;
  }
  if (geteuid() == 0) {
    spdlog::warn(
        "koid runs as root, without capabilities: what root owns is its own. As a service "
        "(koid.service) it runs as user koi");
  }
}

}  // namespace

void lock_what_there_is() {
  rlimit limit{};
  getrlimit(RLIMIT_MEMLOCK, &limit);
  if (limit.rlim_cur == RLIM_INFINITY || mlockall(MCL_CURRENT) != 0) return;
  spdlog::warn("memory is locked only as far as it is there now: RLIMIT_MEMLOCK is not infinite");
}

void lift_memory_limit() {
  constexpr rlimit kNone{.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
  setrlimit(RLIMIT_MEMLOCK, &kNone);
}

void give_up_capabilities(bool but_net_admin) {
  const Status done =
      but_net_admin ? service::keep_capabilities({CAP_NET_ADMIN}) : service::keep_capabilities({});
  if (!done) spdlog::warn(done.error().message);
}

void confine(bool kernel_bond) {
  give_up_capabilities();
  // EAL's alarms are the interrupt thread's to serve.
  rte_eal_alarm_set(
      1, [](void*) { give_up_capabilities(); }, nullptr);
  // In an ordinary thread: the filter takes some ms to make, and on a core that control has claimed
  // another program's real-time threads would wait for it.
  std::thread([kernel_bond] {
    const sched_param ordinary{};
    sched_setscheduler(0, SCHED_OTHER, &ordinary);
    lay_filter(kernel_bond);
  }).join();
}

}  // namespace koi::app
