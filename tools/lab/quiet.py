"""What a quiet worker costs, and how long a client waits for its answer."""

import os
import socket
import struct
import time

from . import netns
from .freeze import worker_threads
from .station import IFACE

_ARP = 0x0806
_PRIORITY = 45  # above koid's workers, below its control thread


def worker_share(pid, seconds):
    """Of a core, which the first worker takes within that time."""
    thread = worker_threads(pid)[0]

    def used_ns():
        with open(f"/proc/{thread}/schedstat", encoding="ascii") as f:
            return int(f.read().split()[0])
    began, before = time.monotonic_ns(), used_ns()
    time.sleep(seconds)
    return (used_ns() - before) / (time.monotonic_ns() - began)


class Asker:
    """Asks by ARP, one question at a time, from the client's interface and beside its kernel."""

    def __init__(self, client, own, address):
        with netns.inside(client.namespace):
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ARP))
            self._socket.bind((IFACE, _ARP))
        mac = self._socket.getsockname()[4]
        self._address = socket.inet_aton(address)
        self._request = (b"\xff" * 6 + mac + struct.pack("!HHHBBH", _ARP, 1, 0x0800, 6, 4, 1)
                         + mac + socket.inet_aton(own) + bytes(6) + self._address)

    def ask(self, within=0.1):
        """Microseconds until the answer, or None."""
        self._socket.setblocking(False)
        try:  # what came too late for the question before
            while True:
                self._socket.recv(256)
        except BlockingIOError:
            pass
        began = time.monotonic_ns()
        self._socket.send(self._request)
        while (left := within - (time.monotonic_ns() - began) / 1e9) > 0:
            self._socket.settimeout(left)
            try:
                frame = self._socket.recv(256)
            except TimeoutError:
                break
            if frame[20:22] == b"\0\2" and frame[28:32] == self._address:
                return (time.monotonic_ns() - began) / 1e3
        return None

    def ask_often(self, count, pause):
        """Answers of ask(), a pause in seconds before each; meanwhile real-time, on core 0."""
        cores = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {0})
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_PRIORITY))
        try:
            answers = []
            for _ in range(count):
                time.sleep(pause)
                answers.append(self.ask())
            return answers
        finally:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
            os.sched_setaffinity(0, cores)

    def close(self):
        self._socket.close()
