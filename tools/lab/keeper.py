"""The keeper removes what a lab made, whatever becomes of the lab's owner.

It is a process in a session of its own that reads a pipe. Each line is one thing the owner is
about to make: `netns NAME`, `dir PATH`, `pid N`, `cgroup PATH`. The end of the pipe (the owner
closed it, or died) starts the removal: processes first, those in a control group too, then
namespaces, then the folder. `keep` as the last line leaves all.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time

LEDGER = "ledger"


def start_time(pid):
    """When the process began, in ticks since boot: tells a reused pid from ours. None: gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
            fields = f.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


class Keeper:
    """The owner's end."""

    def __init__(self, folder):
        self._folder = folder
        self._process = subprocess.Popen(
            [sys.executable, os.path.abspath(__file__)], stdin=subprocess.PIPE,
            start_new_session=True, text=True)
        self.note("dir", folder)

    def note(self, kind, what):
        """Before it is made; for a pid, right after."""
        extra = f" {start_time(what)}" if kind == "pid" else ""
        line = f"{kind} {what}{extra}\n"
        with open(os.path.join(self._folder, LEDGER), "a", encoding="utf-8") as f:
            f.write(line)
        self._process.stdin.write(line)
        self._process.stdin.flush()

    def close(self, keep=False):
        """Removes everything and waits until it is gone; with keep, leaves everything."""
        if self._process.stdin.closed:
            return
        with contextlib.suppress(BrokenPipeError):
            if keep:
                self._process.stdin.write("keep\n")
            self._process.stdin.close()
        self._process.wait(timeout=30)


def remove(lines):
    """Removes what the lines name, newest first. Things already gone are no error."""
    entries = [line.split() for line in reversed(lines) if line.strip()]
    pids = [(int(e[1]), e[2]) for e in entries if e[0] == "pid"]
    for pid, began in pids:
        if start_time(pid) == began:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 5
    for pid, began in pids:
        while start_time(pid) == began and time.monotonic() < deadline:
            time.sleep(0.005)
    for entry in entries:
        if entry[0] == "cgroup":
            _remove_group(entry[1], deadline)
    for entry in entries:
        if entry[0] == "netns" and os.path.exists(f"/run/netns/{entry[1]}"):
            subprocess.run(["ip", "netns", "del", entry[1]], check=False, stderr=subprocess.DEVNULL)
    for entry in entries:
        if entry[0] == "dir":
            shutil.rmtree(entry[1], ignore_errors=True)


def _remove_group(path, deadline):
    """With all that runs in it or below it."""
    while os.path.exists(path) and time.monotonic() < deadline:
        with contextlib.suppress(OSError), \
                open(os.path.join(path, "cgroup.kill"), "w", encoding="ascii") as f:
            f.write("1")  # again and again: something may have been about to join it
        for folder, *_ in os.walk(path, topdown=False):
            with contextlib.suppress(OSError):  # something in it is about to end
                os.rmdir(folder)
        time.sleep(0.005)


def remove_lab(folder):
    """Removes a lab that was kept, by its folder."""
    with open(os.path.join(folder, LEDGER), encoding="utf-8") as f:
        remove(f.read().splitlines())


def main():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    lines = sys.stdin.read().splitlines()
    if not lines or lines[-1] != "keep":
        remove(lines)


if __name__ == "__main__":
    main()
