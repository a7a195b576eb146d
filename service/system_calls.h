#pragma once

#include "common/result.h"

/// Filters of system calls (seccomp) with no_new_privs, for good. A call that is refused fails with
/// ENOSYS, as on a kernel that does not have it (the agent's: EPERM), for a firewall that runs on
/// is worth more than one that is killed over a call its C library has come to make; whoever broke
/// in gets the call as little. Each refusal is a line in the kernel's log: type=1326, comm=,
/// syscall=.
namespace koi::service {

/// Of koid once it is up: a list of what it may do. No other program, no fork, no socket but local
/// ones, no memory to be executed. In every thread at once, whoever has made it.
/// REQUIRES: that no thread has a filter that the calling one has not.
/// with_ioctls: and what an ioctl on interfaces of the kernel goes by, datagram sockets of IPv4.
Status filter_koid(bool with_ioctls = false);

/// The same with TCP and UDP. Of koi-exporter, once it listens.
Status filter_exporter();

/// A list of what it may not do, for hooks and checks inherit it: kernel modules, mounts, other
/// processes' memory, clocks, keys, BPF, namespaces and the like.
Status filter_agent();

}  // namespace koi::service
