"""How late the machine itself is: a real-time thread on each core, as koid's control is one.

Started as `-m lab.pulse CORE PERIOD TOLD`; wakes up every PERIOD ns and writes (ns of
CLOCK_REALTIME, ns late) to standard output whenever that was more than TOLD ns late. A core that
another program or the hypervisor keeps for itself is late for koid as well.
"""

import contextlib
import os
import struct
import subprocess
import sys
import time

PERIOD_NS, TOLD_NS = 2_000_000, 1_000_000
_PRIORITY = 50  # as control's
_RECORD = struct.Struct("@qq")


class Pulse:
    """On one core, until close()."""

    def __init__(self, core, period_ns=PERIOD_NS, told_ns=TOLD_NS):
        environment = dict(os.environ, PYTHONPATH=os.path.join(os.path.dirname(__file__), ".."))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "lab.pulse", str(core), str(period_ns), str(told_ns)],
            env=environment, bufsize=0,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True)
        os.set_blocking(self._process.stdout.fileno(), False)

    def read(self):
        """(ns of CLOCK_REALTIME at which it woke up, ns late) since the last call."""
        raw = self._process.stdout.read(_RECORD.size * 1000) or b""
        return list(_RECORD.iter_unpack(raw))

    def close(self):
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()


def _run(core, period_ns, told_ns):
    os.sched_setaffinity(0, {core})
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_PRIORITY))
    due = time.monotonic_ns()
    while True:
        due += period_ns
        time.sleep(max(0, due - time.monotonic_ns()) / 1e9)
        late = time.monotonic_ns() - due
        if late > told_ns:
            os.write(1, _RECORD.pack(time.time_ns(), late))
            due += late


if __name__ == "__main__":
    _run(*map(int, sys.argv[1:]))
