#pragma once

/// What concerns koid as a process, before and beside its threads.
namespace koi::app {

/// Signals reach the service thread only, through the descriptor that is returned (SIGTERM, SIGINT,
/// SIGHUP; to be closed by the caller). Before any thread exists. A crash stays a crash.
int block_signals();

/// net_tap receives only after a real-time signal: one thread leaves them unblocked, the service
/// thread, where its handler may run at leisure.
void open_real_time_signals();

/// Log lines go through a thread of their own: a slow terminal or journal stops nobody.
void start_log();

}  // namespace koi::app
