#pragma once

/// What concerns koid as a process, before and beside its threads.
namespace koi::app {

/// Signals reach the service thread only, through the descriptor that is returned (SIGTERM, SIGINT,
/// SIGHUP; to be closed by the caller). Before any thread exists. A crash stays a crash.
int block_signals();

/// net_tap receives only after a signal, whose handler must run in some thread: the one that calls
/// this, the service thread, once the ports are open. The driver asks for a real-time signal for
/// each frame; these queue, until a thread that is short of time does nothing but handle them and
/// the user's limit of queued signals is reached, which all his processes share (then timer_create
/// fails in them). So they are turned into SIGIO, of which one waits at a time: the driver reads
/// until its TAP is empty.
void open_tap_signals();

/// Log lines go through a thread of their own: a slow terminal or journal stops nobody.
void start_log();

}  // namespace koi::app
