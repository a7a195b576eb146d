"""The client's end of flows.py: `-m lab.flow_sender ADDRESS...`, the server's.

Prints "ready" when all flows are open and answered, then answers each line on its standard input,
the name of one of Flows' questions, by a line of JSON.
"""

import bisect
import contextlib
import hashlib
import json
import random
import select
import socket
import sys
import time

from .flow_echo import PORT, hurry, make_socket

PERIOD_NS, CHUNK = 2_000_000, 500
_PATIENCE_S = 5
_SYN_AGAIN_S = 2.5  # seconds: Linux repeats a connection's first segment after one


class _Target:
    """The flows to one address of the server."""

    def __init__(self, address):
        self._address = address
        self.times = {"tcp": [], "udp": []}  # of echoes, ns of CLOCK_REALTIME
        self.errors = []
        self._payload = random.Random(address)
        self._waiting = b""
        self._sums = hashlib.sha256(), hashlib.sha256()  # sent, echoed
        self._sequence, self._open = 0, True
        self.tcp, self.idle = self._connect(), self._connect()
        self.udp = make_socket(address, socket.SOCK_DGRAM)
        self.udp.connect((address, PORT))
        for sock in (self.tcp, self.udp):
            sock.setblocking(False)

    def _connect(self, patience=_PATIENCE_S):
        made = make_socket(self._address, socket.SOCK_STREAM)
        made.settimeout(patience)
        made.connect((self._address, PORT))
        return made

    def sockets(self):
        return [self.udp] + ([self.tcp] if self._open else [])

    def send(self):
        self._sequence += 1
        try:
            self.udp.send(self._sequence.to_bytes(8, "big"))
        except OSError as error:
            self._failed("udp", error)
        self._waiting += self._payload.randbytes(CHUNK)
        self.flush()

    def flush(self):
        """Sends what the connection has room for."""
        if not self._open:
            return
        try:
            count = self.tcp.send(self._waiting)
        except BlockingIOError:
            return
        except OSError as error:
            self._failed("tcp", error)
            self._open = False
            return
        self._sums[0].update(self._waiting[:count])
        self._waiting = self._waiting[count:]

    def receive(self, sock):
        kind = "udp" if sock is self.udp else "tcp"
        try:
            while data := sock.recv(65536):
                self.times[kind].append(time.time_ns())
                if kind == "tcp":
                    self._sums[1].update(data)
            self._open = False  # of the transfer
        except BlockingIOError:
            pass
        except OSError as error:
            self._failed(kind, error)
            self._open = self._open and kind == "udp"

    def _failed(self, kind, error):
        self.errors.append(f"{kind} {self._address}: {error}")

    def stalls(self, since):
        """Since then: the largest gap between echoes, and how long ago the last one was, in ms less
        the period."""
        return {kind: {"stall": _largest_gap(times, since), "quiet": _since(times[-1])}
                for kind, times in self.times.items()}

    def speak(self):
        """How long the answers took: on the idle connection, and on a new one with its set-up."""
        return {"idle": self._ask(lambda: self.idle), "new": self._ask(lambda: self._connect(_SYN_AGAIN_S))}

    def _ask(self, connection):
        began = time.monotonic()
        try:
            sock = connection()
            sock.settimeout(1)
            sock.sendall(b"is anybody there?")
            got = sock.recv(100) == b"is anybody there?"
        except TimeoutError:
            return None
        except OSError as error:
            self._failed("idle or new", error)
            return None
        if sock is not self.idle:
            sock.close()
        return round((time.monotonic() - began) * 1000, 3) if got else None

    def finish(self, deadline):
        """Closes the sending side and waits for the rest of the echo."""
        while self._waiting and self._open and time.monotonic() < deadline:
            self.flush()
            select.select([self.tcp], [], [], 0.001)
            self.receive(self.tcp)
        with contextlib.suppress(OSError):
            self.tcp.shutdown(socket.SHUT_WR)
        while self._open and time.monotonic() < deadline:
            select.select([self.tcp], [], [], 0.05)
            self.receive(self.tcp)
        return {"errors": self.errors, "bytes": self._sequence * CHUNK,
                "whole": not self._waiting and not self._open
                and self._sums[0].digest() == self._sums[1].digest()}


def _since(moment):
    return max(0.0, (time.time_ns() - moment - PERIOD_NS) / 1e6)


def _largest_gap(times, since):
    start = max(0, bisect.bisect_left(times, since) - 1)
    gaps = [after - before for before, after in zip(times[start:], times[start + 1:])]
    return max(_since(times[-1]), (max(gaps, default=0) - PERIOD_NS) / 1e6)


class _Sender:
    def __init__(self, addresses):
        self._targets = {a: _Target(a) for a in addresses}
        self._ticks = []  # when it sent

    def run(self):
        hurry()
        ready, due = False, time.monotonic_ns()
        while True:
            due += PERIOD_NS
            if (now := time.monotonic_ns()) > due + PERIOD_NS:
                due = now  # late: no burst to make up for it
            self._ticks.append(time.time_ns())
            for target in self._targets.values():
                target.send()
            if not self._receive_until(due):
                return
            if not ready and all(t for x in self._targets.values() for t in x.times.values()):
                ready = True
                print("ready", flush=True)

    def _receive_until(self, due):
        """Returns False when all is over."""
        while (left := due - time.monotonic_ns()) > 0:
            owner = {sock: t for t in self._targets.values() for sock in t.sockets()}
            for sock in select.select([*owner, sys.stdin], [], [], left / 1e9)[0]:
                if sock in owner:
                    owner[sock].receive(sock)
                    continue
                words = sys.stdin.readline().split()
                print(json.dumps(self._obey(*words)), flush=True)
                if words[0] == "finish":
                    return False
        return True

    def _obey(self, what, argument=None):
        if what == "speak":
            return {a: t.speak() for a, t in self._targets.items()}
        if what == "finish":
            deadline = time.monotonic() + float(argument)
            return {a: t.finish(deadline) for a, t in self._targets.items()}
        since = int(argument)
        return ({a: t.stalls(since) for a, t in self._targets.items()}
                | {"late": _largest_gap(self._ticks, since)})


if __name__ == "__main__":
    _Sender(sys.argv[1:]).run()
