"""One thread of a process stopped and let go: PTRACE_SEIZE and PTRACE_INTERRUPT, by ptrace(2).

All of it on the thread that called freeze(), for the kernel knows the tracer by its thread. Should
the tracer die, the kernel lets the thread go.
"""

import ctypes
import os
import time

_PTRACE_DETACH, _PTRACE_SEIZE, _PTRACE_INTERRUPT = 17, 0x4206, 0x4207
_WALL = 0x40000000
_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
_LIBC.ptrace.restype = ctypes.c_long

WORKER = "rte-worker-"  # DPDK's name of a worker's thread


def control_thread(pid):
    """koid's first thread is control."""
    return pid


def worker_threads(pid):
    """The thread ids of the workers."""
    out = []
    for name in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{name}/comm", encoding="ascii") as f:
            if f.read().startswith(WORKER):
                out.append(int(name))
    return sorted(out)


def _ptrace(what, thread):
    if _LIBC.ptrace(what, thread, None, None) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"ptrace {what:#x} of thread {thread}: {os.strerror(number)}")


class Frozen:
    """A thread that stands still from freeze() to thaw(). Times in ns of CLOCK_REALTIME."""

    def __init__(self, thread):
        self.thread, self.since_ns, self.until_ns = thread, None, None

    def freeze(self):
        _ptrace(_PTRACE_SEIZE, self.thread)
        _ptrace(_PTRACE_INTERRUPT, self.thread)
        os.waitpid(self.thread, _WALL)
        self.since_ns = time.time_ns()  # it stands at the latest now
        return self

    def thaw(self):
        self.until_ns = time.time_ns()  # it stands until now at least
        _ptrace(_PTRACE_DETACH, self.thread)
