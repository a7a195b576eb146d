#pragma once

/// What concerns koid as a process, before and beside its threads.
namespace koi::app {

/// Signals reach the service thread only, through the descriptor that is returned (SIGTERM, SIGINT,
/// SIGHUP; to be closed by the caller). Before any thread exists. A crash stays a crash.
int block_signals();

/// Makes net_tap read its TAP at every poll, without signals. Before EAL starts. By itself the
/// driver reads only after a real-time signal, one for each frame, whose handler costs some thread
/// more than the frame costs the worker; but where the process uses all these signals (DPDK 22.11,
/// tun_alloc()) it asks for none and reads whenever it is polled. To ignore one is to use it.
void keep_tap_without_signals();

/// Log lines go through a thread of their own, which has no capability: a slow terminal or journal
/// stops nobody.
void start_log();

}  // namespace koi::app
