"""What the judge is told: the frames of a koi pair and its clients, read from the wire."""

import collections
import os
import socket
import time

from .crier import MAC_PREFIX, Crier
from .judge import MS, Event, Judge
from .pulse import Pulse
from .station import IFACE
from .wire import Tap, filtered

_BEHIND_NS = 200 * MS  # frames are judged once all taps have surely delivered what came before
_RECENT_NS = 30_000 * MS
_VIRTUAL = bytes.fromhex("00005e0001")
_CARP4 = ((12, b"\x08\x00"), (23, b"\x70"))
_CARP6 = ((12, b"\x86\xdd"), (20, b"\x70"))


class Watch:
    """Clients that ask all the time, and a judge of what two boxes make of it.

    poll() must be called at least every second. `recent` holds the answers and claims of the last
    30 s, (time in ns, "answer" | "claim" | "bow-out", box, address), in no strict order.
    """

    def __init__(self, lab, boxes, terms, addresses, period_us=500):
        self.judge = Judge(terms)
        self.recent = collections.deque()
        self.addresses = addresses
        self._raw = {(socket.inet_pton(socket.AF_INET6 if ":" in a else socket.AF_INET, a)): a
                     for a in addresses}
        macs = ((6, MAC_PREFIX[:4]), (10, MAC_PREFIX[4:]))
        taps = [(Tap(lab.switch, lab.client.switch_port(), only=filtered(*macs)), self._asked, "")]
        for box in boxes:
            taps.append((Tap(lab.switch, box.switch_port()), self._said, box.name))
            for only in (_CARP4, _CARP6):
                taps.append((Tap(box.namespace, IFACE, only=filtered(*only)), self._arrived,
                             box.name))
        self._taps = [(lab.keep_open(tap), read, box) for tap, read, box in taps]
        self._pulses = [lab.keep_open(Pulse(core)) for core in sorted(os.sched_getaffinity(0))]
        self._waiting = []
        self._read_ns = 0
        self.crier = lab.keep_open(Crier(lab.client.namespace, IFACE, addresses, period_us))

    def poll(self):
        now = self._read_ns = time.time_ns()
        for tap, read, box in self._taps:
            for frame in tap.frames():
                event = read(frame, box)
                if event:
                    self._waiting.append(event)
                    if event.what in ("answer", "claim", "bow-out"):
                        self.recent.append((event.time_ns, event.what, event.box, event.address))
        for pulse in self._pulses:
            self._waiting += [Event(when, "late", key=ns / MS) for when, ns in pulse.read()]
        while self.recent and self.recent[0][0] < now - _RECENT_NS:
            self.recent.popleft()
        self._judge(now - _BEHIND_NS)

    def finish(self):
        """Judges the rest."""
        self.poll()
        self._judge(time.time_ns())
        self.judge.finish()

    def _judge(self, horizon):
        self._waiting.sort(key=lambda e: e.time_ns)
        done = 0
        for event in self._waiting:
            if event.time_ns > horizon:
                break
            self.judge.feed(event)
            done += 1
        del self._waiting[:done]

    def rest(self, seconds):
        """Waits so long, polling."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, 0.02))
            self.poll()

    def answerers(self, last_ms):
        """address to the boxes that answered for it in the last so many ms before the last poll."""
        since = self._read_ns - round(last_ms * MS)
        out = {a: set() for a in self.addresses}
        for when, what, box, address in reversed(self.recent):
            if when < since - 50 * MS:
                break
            if what == "answer" and when >= since:
                out[address].add(box)
        return out

    # Frames into events. Plain slices, for there are thousands a second.

    def _asked(self, frame, _):
        d = frame.data
        if d[12:14] == b"\x08\x06":
            return Event(frame.time_ns, "request", key=(self._raw.get(d[38:42]), d[6:12], d[28:32]))
        return Event(frame.time_ns, "request", key=(self._raw.get(d[62:78]), d[6:12], d[22:38]))

    def _said(self, frame, box):
        d, when = frame.data, frame.time_ns
        kind = d[12:14]
        virtual = d[6:11] == _VIRTUAL
        if kind == b"\x08\x06":
            if d[20:22] == b"\0\2" and (address := self._raw.get(d[28:32])):
                return Event(when, "answer", box, address, (address, d[:6], d[38:42]))
            virtual = virtual or d[22:27] == _VIRTUAL
        elif kind == b"\x08\x00" and d[23] == 112 or kind == b"\x86\xdd" and d[20] == 112:
            return self._advert(d, when, box)
        elif kind == b"\x86\xdd" and d[54:55] == b"\x88" and not d[0] & 1:
            if address := self._raw.get(d[62:78]):
                return Event(when, "answer", box, address, (address, d[:6], d[38:54]))
        return Event(when, "virtual", box) if virtual else None

    @staticmethod
    def _advert(d, when, box):
        header = d[34:70] if d[12:14] == b"\x08\x00" else d[54:90]
        away = header[2] == header[5] == 255
        return Event(when, "bow-out" if away else "claim", box, key=(d[12:14], header[8:16]))

    @staticmethod
    def _arrived(frame, box):
        d = frame.data
        at = 42 if d[12:14] == b"\x08\x00" else 62
        return Event(frame.time_ns, "heard", box, key=(d[12:14], d[at:at + 8]))
