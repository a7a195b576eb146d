#include "service/system_calls.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <sched.h>
#include <seccomp.h>
#include <span>
#include <string>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace koi::service {
namespace {

constexpr std::array kFiles = {
    "access",     "close",     "close_range", "dup",        "dup2",     "dup3",       "faccessat",
    "faccessat2", "fadvise64", "fallocate",   "fchmod",     "fcntl",    "fdatasync",  "flock",
    "fstat",      "fstatfs",   "fsync",       "ftruncate",  "getcwd",   "getdents64", "lseek",
    "lstat",      "mkdir",     "mkdirat",     "newfstatat", "open",     "openat",     "pread64",
    "preadv",     "pwrite64",  "pwritev",     "read",       "readlink", "readlinkat", "readv",
    "rename",     "renameat",  "renameat2",   "rmdir",      "stat",     "statfs",     "statx",
    "umask",      "unlink",    "unlinkat",    "write",      "writev"};

constexpr std::array kWaits = {"clock_getres",   "clock_gettime",  "clock_nanosleep",
                               "epoll_create",   "epoll_create1",  "epoll_ctl",
                               "epoll_pwait",    "epoll_pwait2",   "epoll_wait",
                               "eventfd2",       "futex",          "gettimeofday",
                               "nanosleep",      "pipe2",          "poll",
                               "ppoll",          "pselect6",       "restart_syscall",
                               "rt_sigaction",   "rt_sigpending",  "rt_sigprocmask",
                               "rt_sigreturn",   "rt_sigsuspend",  "rt_sigtimedwait",
                               "select",         "sigaltstack",    "signalfd4",
                               "time",           "timerfd_create", "timerfd_gettime",
                               "timerfd_settime"};

constexpr std::array kMemory = {"brk",        "get_mempolicy", "madvise", "mbind",
                                "membarrier", "memfd_create",  "mincore", "mlock",
                                "mlock2",     "mlockall",      "mremap",  "msync",
                                "munlock",    "munlockall",    "munmap",  "set_mempolicy"};

/// arch_prctl, rseq, set_robust_list, set_tid_address: of a new thread.
constexpr std::array kThreads = {"arch_prctl",
                                 "exit",
                                 "exit_group",
                                 "getcpu",
                                 "getegid",
                                 "geteuid",
                                 "getgid",
                                 "getgroups",
                                 "getpid",
                                 "getppid",
                                 "getrandom",
                                 "getresgid",
                                 "getresuid",
                                 "getrusage",
                                 "gettid",
                                 "getuid",
                                 "rseq",
                                 "sched_get_priority_max",
                                 "sched_get_priority_min",
                                 "sched_getaffinity",
                                 "sched_getattr",
                                 "sched_getparam",
                                 "sched_getscheduler",
                                 "sched_setaffinity",
                                 "sched_setparam",
                                 "sched_setscheduler",
                                 "sched_yield",
                                 "set_robust_list",
                                 "set_tid_address",
                                 "sysinfo",
                                 "times",
                                 "uname"};

/// Which sockets may be made, add_koid() and filter_exporter() say.
constexpr std::array kSockets = {
    "accept",     "accept4", "bind",     "connect",    "getpeername", "getsockname",
    "getsockopt", "listen",  "recvfrom", "recvmmsg",   "recvmsg",     "sendfile",
    "sendmmsg",   "sendmsg", "sendto",   "setsockopt", "shutdown",    "socketpair"};

constexpr std::array kNotForHooks = {"acct",
                                     "add_key",
                                     "adjtimex",
                                     "bpf",
                                     "chroot",
                                     "clock_adjtime",
                                     "clock_settime",
                                     "create_module",
                                     "delete_module",
                                     "fanotify_init",
                                     "finit_module",
                                     "fsconfig",
                                     "fsmount",
                                     "fsopen",
                                     "fspick",
                                     "get_kernel_syms",
                                     "init_module",
                                     "io_uring_enter",
                                     "io_uring_register",
                                     "io_uring_setup",
                                     "ioperm",
                                     "iopl",
                                     "kcmp",
                                     "kexec_file_load",
                                     "kexec_load",
                                     "keyctl",
                                     "lookup_dcookie",
                                     "modify_ldt",
                                     "mount",
                                     "mount_setattr",
                                     "move_mount",
                                     "name_to_handle_at",
                                     "nfsservctl",
                                     "open_by_handle_at",
                                     "open_tree",
                                     "perf_event_open",
                                     "pidfd_getfd",
                                     "pivot_root",
                                     "process_vm_readv",
                                     "process_vm_writev",
                                     "ptrace",
                                     "query_module",
                                     "quotactl",
                                     "quotactl_fd",
                                     "reboot",
                                     "request_key",
                                     "setdomainname",
                                     "sethostname",
                                     "setns",
                                     "settimeofday",
                                     "swapoff",
                                     "swapon",
                                     "umount2",
                                     "unshare",
                                     "uselib",
                                     "userfaultfd",
                                     "vhangup"};

Error failed(const char* what, int code) {
  return Error{std::string("no filter of system calls: ") + what + ": " + std::strerror(-code)};
}

class Filter {
 public:
  Filter(std::uint32_t otherwise, std::uint32_t listed)
      : context_(seccomp_init(otherwise)), listed_(listed) {}

  template <class... Conditions>
  void add(const char* call, Conditions... conditions) {
    const int number = seccomp_syscall_resolve_name(call);
    if (number == __NR_SCMP_ERROR || context_ == nullptr) return;  // no such call here
    const int rc =
        seccomp_rule_add(context_.get(), listed_, number, sizeof...(conditions), conditions...);
    if (rc != 0 && rc != -EDOM && code_ == 0) code_ = rc;
  }
  void add(std::span<const char* const> calls) {
    for (const char* call : calls) add(call);
  }

  /// Into force. SSB: the filter is no reason to slow every load after a store, for nothing foreign
  /// is run here; OPTIMIZE: a tree instead of a chain of comparisons.
  Status load() {
    if (context_ == nullptr) return failed("memory", -ENOMEM);
    if (code_ != 0) return failed("a rule", code_);
    for (const auto& [attribute, value] :
         {std::pair(SCMP_FLTATR_CTL_NNP, 1U), std::pair(SCMP_FLTATR_CTL_TSYNC, 1U),
          std::pair(SCMP_FLTATR_CTL_LOG, 1U), std::pair(SCMP_FLTATR_CTL_SSB, 1U),
          std::pair(SCMP_FLTATR_CTL_OPTIMIZE, 2U)}) {
      if (const int rc = seccomp_attr_set(context_.get(), attribute, value); rc != 0) {
        return failed("an attribute", rc);
      }
    }
    if (const int rc = seccomp_load(context_.get()); rc != 0) return failed("the kernel", rc);
    return Done{};
  }

 private:
  struct Release {
    void operator()(void* context) const { seccomp_release(context); }
  };
  std::unique_ptr<void, Release> context_;
  const std::uint32_t listed_;
  int code_ = 0;
};

/// A list of what is allowed, with what koid and the exporter have in common.
Filter daemon_filter() {
  Filter filter(SCMP_ACT_ERRNO(ENOSYS), SCMP_ACT_ALLOW);
  filter.add(kFiles);
  filter.add(kWaits);
  filter.add(kMemory);
  filter.add(kThreads);
  filter.add(kSockets);
  filter.add("socket", SCMP_A0_32(SCMP_CMP_EQ, AF_UNIX, 0));
  // A thread, but no process. clone3() passes its flags by pointer: refused, and the C library then
  // takes this.
  filter.add("clone", SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
  filter.add("tgkill",
             SCMP_A0_32(SCMP_CMP_EQ, static_cast<std::uint32_t>(getpid()), 0));  // abort()
  filter.add("mmap", SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
  filter.add("mprotect", SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
  filter.add("prlimit64", SCMP_A2(SCMP_CMP_EQ, 0, 0));  // to read, not to set
  for (const int option : {PR_SET_NAME, PR_GET_NAME, PR_SET_TIMERSLACK}) {
    filter.add("prctl", SCMP_A0_32(SCMP_CMP_EQ, static_cast<std::uint32_t>(option), 0));
  }
  // What it does is up to the device, but never to type into somebody's terminal.
  filter.add("ioctl", SCMP_A1_32(SCMP_CMP_NE, TIOCSTI, 0));
  return filter;
}

}  // namespace

Status filter_koid(bool with_ioctls) {
  Filter filter = daemon_filter();
  if (with_ioctls) {
    filter.add("socket", SCMP_A0_32(SCMP_CMP_EQ, AF_INET, 0),
               SCMP_A1_32(SCMP_CMP_EQ, SOCK_DGRAM, 0));
  }
  return filter.load();
}

Status filter_exporter() {
  Filter filter = daemon_filter();
  for (const int family : {AF_INET, AF_INET6}) {
    filter.add("socket", SCMP_A0_32(SCMP_CMP_EQ, static_cast<std::uint32_t>(family), 0));
  }
  return filter.load();
}

Status filter_agent() {
  Filter filter(SCMP_ACT_ALLOW, SCMP_ACT_ERRNO(EPERM));
  filter.add(kNotForHooks);
  filter.add("ioctl", SCMP_A1_32(SCMP_CMP_EQ, TIOCSTI, 0));
  return filter.load();
}

}  // namespace koi::service
