#pragma once

namespace koi::app {

inline constexpr const char* kServiceThread = "koi-service";

/// Lifts the limit of locked memory where it has the right to, for it holds once CAP_IPC_LOCK is
/// given up. Before anything is locked; the unit does it for user koi.
void lift_memory_limit();

/// What is allocated later is locked too, or, where the limit has no room for it without
/// CAP_IPC_LOCK, could not be allocated: then it is not locked. Before a thread is real-time.
void lock_what_there_is();

/// Gives up what the calling thread has of capabilities, CAP_NET_ADMIN too unless it is to be kept.
void give_up_capabilities(bool but_net_admin = false);

/// The end of all rights: of the calling thread and of EAL's interrupt thread, then, when no thread
/// has a capability any more (the others are about to give up theirs), no_new_privs and the filter
/// of system calls, for all. Main thread, once nothing privileged is left to do and every thread
/// has been made. What cannot be had is told in the log, and koid runs all the same. Up to 1 s.
/// kernel_bond: a bond has members on interfaces of the kernel. To put one in again when its link
/// is back, bonding sets its MTU and MAC by ioctl: the service thread keeps CAP_NET_ADMIN for it.
void confine(bool kernel_bond);

}  // namespace koi::app
