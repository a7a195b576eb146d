#pragma once

namespace koi::app {

/// Lifts the limit of locked memory where it has the right to, for it holds once CAP_IPC_LOCK is
/// given up. Before anything is locked; the unit does it for user koi.
void lift_memory_limit();

/// Gives up what the calling thread has of capabilities. Of threads that are made before the ports
/// are up: what they need themselves is nothing.
void give_up_capabilities();

/// The end of all rights: of the calling thread and of EAL's interrupt thread, then, when no thread
/// has a capability any more (the others are about to give up theirs), no_new_privs and the filter
/// of system calls, for all. Main thread, once nothing privileged is left to do and every thread
/// has been made. What cannot be had is told in the log, and koid runs all the same. Up to 1 s.
void confine();

}  // namespace koi::app
