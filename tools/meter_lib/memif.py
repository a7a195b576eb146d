"""The link of a mass failover in shared memory: tests/bench/lan.cpp is switch, client and witness."""

import contextlib
import os
import re
import select
import subprocess
import time

from scapy.utils import RawPcapReader

from lab import Frame
from lab.asker import Asked, requests

from meter_lib.veth import CLIENT

_DEVICE = "net_memif{n},socket-abstract=no,id={n},role={role},socket={socket}"
_CALM = 5  # seconds in which the LAN answers what needs no time


class MemifLink:
    """As VethLink. The boxes' own ends are made anew with each start of koid; a LAN serves a lab."""

    now = staticmethod(time.monotonic_ns)

    def __init__(self, lab, boxes, addresses):
        self._numbers = {box.name: n for n, box in enumerate(boxes)}
        self._station = lab.client
        ends = []
        for n, box in enumerate(boxes):
            socket = box.path("cable.sock")
            ends.append("--vdev=" + _DEVICE.format(n=n, role="server", socket=socket))
            box.device = _DEVICE.format(n=n, role="client", socket=socket) + f",mac={box.mac}"
        asked = lab.client.path("requests")
        with open(asked, "wb") as f:
            f.write(b"".join(frame for *_, frame in requests(lab.client.mac, CLIENT, addresses)))
        self._process = lab.client.spawn(
            [os.path.join(lab.build, "tests/bench/bench-lan"), "--no-huge", "-m", "64", "--no-pci",
             "--no-shconf", "--no-telemetry", f"--file-prefix={lab.tag}", *ends, "--", asked],
            log="lan", stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        while self._line(20) != "ready":  # what EAL has to say comes before
            pass

    def forget(self):
        self._told("forget", "done")

    def ask(self, box, within, at_once=False):
        left, sent, took, busy = self._told(
            f"ask {self._numbers[box.name]} {1000 * within:.0f} {'all' if at_once else 'word'}",
            r"left (\d+) sent (\d+) took (\d+) busy (\d+)", within + _CALM)
        return Asked(left, sent, took / 1e6, busy / 1e6)

    def announced(self, box, _since):
        """Since forget(), for the LAN keeps the first."""
        return self._count(box)[0]

    def frames(self, box, since):
        with contextlib.closing(RawPcapReader(self.pcap(box))) as stamped:  # with nanoseconds
            seen = [Frame(at.sec * 1_000_000_000 + at.usec, data) for data, at in stamped]
        return sorted((f for f in seen if f.time_ns >= since), key=lambda f: f.time_ns)

    def pcap(self, box):
        """A file of what the LAN has kept of it, in which other programs can read, too."""
        path = self._station.path(f"{box.name}.pcap")
        self._told(f"write {self._numbers[box.name]} {path}", "done")
        return path

    def lost(self, box):
        """Since forget()."""
        lost = self._count(box)[2]
        return {"lan_full": lost} if lost else {}

    def _count(self, box):
        return self._told(f"count {self._numbers[box.name]}",
                          r"announced (\d+) answered (\d+) lost (\d+)")

    def _told(self, command, answer, within=_CALM):
        """The numbers in what the LAN answers. Its answer to something else is the end: one that came
        late would be taken for the next one's, and so on."""
        self._process.stdin.write(command.encode() + b"\n")
        line = self._line(within)
        told = re.fullmatch(answer, line)
        if not told:
            self._process.kill()
            raise RuntimeError(f"the LAN answers {line!r} to {command!r}")
        return [int(n) for n in told.groups()]

    def _line(self, within):
        ready, _, _ = select.select([self._process.stdout], [], [], within)
        line = self._process.stdout.readline() if ready else b""
        if not line.endswith(b"\n"):
            raise RuntimeError(f"the LAN {'ended' if ready else 'says nothing'}; its log:\n"
                               f"{self._station.log_text('lan')[-2000:]}")
        return line.decode().strip()
