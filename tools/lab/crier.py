"""The flood that makes a double answer visible: many clients that ask for the shared addresses.

A process of its own, scheduled FIFO. Started as `-m lab.crier NAMESPACE INTERFACE PERIOD_US ADDRESS
...`; asks for one address after the other, a request each period, until its standard input ends.
Each request comes from another client (a MAC and an address of `client()`), so that an answer tells
which request it is for.
"""

import contextlib
import itertools
import os
import select
import socket
import struct
import subprocess
import sys
import time

from . import netns, wire6

MACS, HOSTS = 128, 100  # a client is asked for again after 12,800 requests for one address
MAC_PREFIX = b"\x02\x00\x00\x00\x01"
_PRIORITY = 45  # as the prober's
_ETH_P_ALL = 3


def client(number, six):
    """(MAC, address), as bytes, of the client that asks with the request of that number."""
    mac = MAC_PREFIX + bytes([number % MACS])
    host = number // MACS % HOSTS
    if six:
        return mac, wire6.packed("2001:db8::a:0")[:14] + struct.pack("!H", host)
    return mac, bytes([192, 0, 2, 120 + host])


def request(target, number):
    """The frame of one request."""
    six = ":" in target
    mac, address = client(number, six)
    if six:
        group, group_mac = wire6.solicited_node(target)
        return (bytes.fromhex(group_mac.replace(":", "")) + mac + b"\x86\xdd"
                + wire6.packet(wire6.text(address), group, wire6.solicitation(target, mac)))
    return (b"\xff" * 6 + mac + bytes.fromhex("0806" "0001" "0800" "06" "04" "0001")
            + mac + address + bytes(6) + socket.inet_aton(target))


class Crier:
    """Runs from start() to close()."""

    def __init__(self, namespace, iface, addresses, period_us):
        self._arguments = [namespace, iface, str(period_us), *addresses]
        self._process = None

    def start(self):
        environment = dict(os.environ, PYTHONPATH=os.path.join(os.path.dirname(__file__), ".."))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "lab.crier", *self._arguments], env=environment,
            stdin=subprocess.PIPE, start_new_session=True)
        return self

    def running(self):
        return self._process.poll() is None

    def close(self):
        if self._process and self.running():
            self._process.kill()
            self._process.wait()


def _run(namespace, iface, period_us, *addresses):
    with netns.inside(namespace):
        out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        out.bind((iface, 0))
    frames = [[request(a, n) for n in range(MACS * HOSTS)] for a in addresses]
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_PRIORITY))
    period = int(period_us) * 1000
    due = time.monotonic_ns()
    for step in itertools.count():
        due += period
        left = due - time.monotonic_ns()
        if left > 0:
            time.sleep(left / 1e9)
        elif left < -period:
            due = time.monotonic_ns()  # late: no burst to make up for it
        number, which = divmod(step, len(frames))
        with contextlib.suppress(OSError):
            out.send(frames[which][number % len(frames[which])])
        if step % 64 == 0 and select.select([sys.stdin], [], [], 0)[0]:
            return


if __name__ == "__main__":
    _run(*sys.argv[1:])
